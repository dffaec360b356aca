"""Packed rows: no id is lost, none is there twice, none sees another's."""

import time

import numpy as np
import pytest

from zoo.data.packed_rows import PackedRows, pack_rows

END, START = 0, 1
WAYS = [{"whole": False}, {"whole": True}, {"whole": True, "seed": 3}]


def some_documents(count=60, longest=23, seed=0):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, longest, count)
    # No id comes twice, so that each place tells whose it is.
    ids = iter(range(2, 10_000))
    return [[next(ids) for _ in range(size)] for size in sizes]


def read_back(rows, length):
    """The targets of each document, found without `parts`.

    Where a document goes on in another row is known by its last target, which
    is the first id there.
    """
    pieces = {}
    for ids, numbers, targets, weights in zip(
        rows.token_ids, rows.document_ids, rows.targets, rows.weights
    ):
        for number in range(1, numbers.max() + 1):
            (places,) = np.nonzero(numbers == number)
            assert places.tolist() == list(range(places[0], places[-1] + 1))
            assert (weights[places] == 1).all()
            # Within a part each target is the next id.
            assert (targets[places[:-1]] == ids[places[1:]]).all()
            pieces[ids[places[0]], len(pieces)] = targets[places].tolist()
    goes_on = {key[0]: said for key, said in pieces.items() if key[0] != START}
    found = []
    for (first, _), said in pieces.items():
        if first == START:
            while said[-1] != END:
                said = said + goes_on.pop(said[-1])
            found.append(said)
    assert not goes_on
    return sorted(found)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("length", [2, 7, 23, 24, 100])
def test_every_id_is_said_once_and_in_order(way, length):
    documents = some_documents()
    rows = pack_rows(documents, length, START, END, **way)
    assert read_back(rows, length) == sorted([*x, END] for x in documents)
    back = rows.documents()
    assert [ids.tolist() for ids in back] == documents
    assert rows.token_ids.shape == rows.targets.shape == (len(rows), length)
    assert rows.weights.sum() == sum(map(len, documents)) + len(documents)
    assert rows.padding == pytest.approx((rows.document_ids == 0).mean())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "start, end", [(None, END), (START, None), (None,) * 2]
)
def test_marks_may_be_left_out(way, start, end):
    documents = some_documents()
    rows = pack_rows(documents, 9, start, end, **way)
    assert [ids.tolist() for ids in rows.documents()] == documents
    # Without a start the first id is no target, without an end nothing ends.
    ids = sum(map(len, documents))
    wanted = ids - len(documents) * ((start is None) - (end is not None))
    assert rows.weights.sum() == wanted
    every = set(sum(documents, []))
    firsts = {ids[0] for ids in documents} if start is None else set()
    said = rows.targets[rows.weights > 0].tolist()
    assert set(said) == every - firsts | ({END} if end is not None else set())
    assert (rows.targets[rows.weights == 0] == 0).all()


def test_numbers_begin_anew_in_each_row_and_padding_has_none():
    rows = pack_rows([[5, 6, 7], [8], [9]], 4, START, END, whole=False)
    assert rows.token_ids.tolist() == [[1, 5, 6, 7], [1, 8, 1, 9]]
    assert rows.document_ids.tolist() == [[1, 1, 1, 1], [1, 1, 2, 2]]
    assert rows.targets.tolist() == [[5, 6, 7, 0], [8, 0, 9, 0]]
    rows = pack_rows(some_documents(), 50, START, END)
    for numbers in rows.document_ids:
        steps = np.diff(numbers[numbers > 0], prepend=0)
        assert numbers[0] == 1 and set(steps) <= {0, 1}
        assert (numbers[np.argmin(numbers) :] == 0).all() or numbers.all()
    assert (rows.weights[rows.document_ids == 0] == 0).all()
    assert (rows.token_ids[rows.document_ids == 0] == 0).all()


def test_a_cut_document_goes_on_and_its_last_target_is_the_next_id():
    rows = pack_rows([[5, 6, 7, 8]], 2, START, END, whole=False)
    assert rows.token_ids.tolist() == [[1, 5], [6, 7], [8, 0]]
    assert rows.targets.tolist() == [[5, 6], [7, 8], [0, 0]]
    assert rows.weights.tolist() == [[1, 1], [1, 1], [1, 0]]
    assert rows.document_ids.tolist() == [[1, 1], [1, 1], [1, 0]]
    assert rows.cut == 1


def test_whole_documents_are_cut_only_if_longer_than_a_row():
    documents = some_documents()
    rows = pack_rows(documents, 16, START, END)
    longer = sum(len(ids) + 1 > 16 for ids in documents)
    assert rows.cut == longer > 0
    one_by_one = pack_rows(documents, 16, START, END, whole=False)
    assert one_by_one.cut > longer
    # One after the other, only the last row has room left.
    assert (one_by_one.document_ids[:-1] > 0).all()
    assert len(one_by_one) <= len(rows) <= len(one_by_one) + 3


def test_a_document_goes_where_it_leaves_least_room():
    documents = [[9] * size for size in (3, 6, 2, 5, 4)]
    rows = pack_rows(documents, 10)
    assert len(rows) == 2 and rows.padding == 0 and rows.cut == 0


def test_the_order_is_that_of_seed_and_epoch():
    documents = some_documents()

    def packed(whole, seed, epoch):
        return pack_rows(
            documents, 32, START, END, whole, seed, epoch
        ).token_ids.tolist()

    for whole in (False, True):
        assert packed(whole, 1, 2) == packed(whole, 1, 2)
        orders = [
            packed(whole, *x) for x in ((1, 2), (1, 3), (2, 2), (None, 0))
        ]
        assert all(a != b for a, b in zip(orders, orders[1:]))
        assert len({len(order) for order in orders}) == 1
    plain = pack_rows(documents, 32, START, END, whole=False)
    assert plain.parts[:, 0].tolist() == sorted(plain.parts[:, 0].tolist())
    # Long documents do not come first where they are shuffled.
    sizes = [
        np.mean(pack_rows(documents, 32, seed=s).document_ids[:2].max(axis=1))
        for s in range(20)
    ]
    assert max(sizes) > min(sizes)


@pytest.mark.parametrize("way", WAYS)
def test_sums_up_what_each_document_costs(way):
    documents = some_documents()
    rows = pack_rows(documents, 10, START, END, **way)
    costs = np.where(rows.weights > 0, rows.targets, 99)
    assert rows.sums(costs).tolist() == [sum(ids) for ids in documents]
    ones = rows.sums(np.ones(rows.targets.shape))
    assert ones.tolist() == [len(ids) + 1 for ids in documents]
    # What is no target costs nothing, whatever stands there.
    endless = pack_rows(documents, 10, START, **way)
    ones = endless.sums(np.ones(endless.targets.shape))
    assert ones.tolist() == [len(ids) for ids in documents]
    with pytest.raises(ValueError, match=r"\(3,\)"):
        rows.sums([1, 2, 3])


def test_arrays_are_packed_as_lists_are():
    documents = some_documents()
    arrays = [np.array(ids, "int32") for ids in documents]
    first, second = (pack_rows(x, 8, START, END) for x in (documents, arrays))
    for name in ("token_ids", "document_ids", "targets", "weights", "parts"):
        np.testing.assert_array_equal(
            getattr(first, name), getattr(second, name)
        )
    assert isinstance(first, PackedRows)
    kinds = {first.token_ids.dtype, first.document_ids.dtype}
    assert kinds == {np.dtype("int32")} and first.targets.dtype == "int32"


def test_packs_millions_of_ids_in_seconds():
    generator = np.random.default_rng(0)
    sizes = generator.integers(20, 200, 20_000)
    ids = generator.integers(2, 8000, sizes.sum(), "int32")
    documents = np.split(ids, np.cumsum(sizes)[:-1])
    begun = time.perf_counter()
    rows = pack_rows(documents, 512, START, END, seed=0)
    assert time.perf_counter() - begun < 20  # it takes half a second
    assert rows.padding < 0.01
    np.testing.assert_array_equal(np.concatenate(rows.documents()), ids)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"documents": []}, "0 documents"),
        ({"documents": [[3], []]}, "2 documents, none at place 1"),
        ({"documents": [[3.5]]}, "float64"),
        ({"documents": [[-1]]}, "from -1"),
        ({"documents": [[2**31]]}, "2147483648"),
        ({"length": 1}, "length=1"),
        ({"length": 4.0}, "length=4.0"),
        ({"length": True}, "length=True"),
        ({"start": -1}, "start=-1"),
        ({"end": "0"}, "end='0'"),
        ({"seed": -1}, "seed=-1"),
        ({"epoch": None}, "epoch=None"),
    ],
)
def test_refuses_what_cannot_be_packed(arguments, message):
    with pytest.raises(ValueError, match=message):
        pack_rows(**{"documents": [[3]], "length": 4} | arguments)
