"""Beam search and sampling: by hand, by plain NumPy, on three decoders."""

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops

from tests.zoo.contract import check_decoder
from tests.zoo.decoders import (
    STEPS,
    SpeakingGRU,
    SpeakingTransformer,
    Table,
    read_by,
    table,
)
from zoo.decoding import beam_search, sample

END, START, A, B = range(4)


@pytest.mark.parametrize("decoder", [SpeakingTransformer, SpeakingGRU])
@pytest.mark.slow
def test_a_decoder_keeps_its_contract(decoder, tmp_path):
    decoder = decoder()
    check_decoder(decoder, *read_by(decoder), tmp_path, STEPS)


class ReadsPadding(SpeakingGRU):
    def step(self, last, index, state, memory):
        memory = {**memory, "mask": ops.ones_like(memory["mask"])}
        return super().step(last, index, state, memory)


class SeesOthers(SpeakingGRU):
    def step(self, last, index, state, memory):
        logits, state, maps = super().step(last, index, state, memory)
        return logits + memory["values"][:1, 0, :5], state, maps


class StepsInPlace(SpeakingTransformer):
    def step(self, last, index, state, memory):
        return super().step(last, 0 * index, state, memory)


class ChangesItsState(SpeakingGRU):
    def step(self, last, index, state, memory):
        logits, state, maps = super().step(last, index, state, memory)
        return logits, {**state, "more": state["hidden"]}, maps


class SharesItsState(SpeakingGRU):
    def begin(self, memory):
        return {**super().begin(memory), "shared": ops.zeros((1, 2))}


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        (ReadsPadding, "padding is read"),
        (SeesOthers, "each sample alone"),
        (StepsInPlace, "stepping is not `call`"),
        (ChangesItsState, "form of the state"),
        (SharesItsState, "a row for each sample"),
    ],
)
def test_the_contract_catches(decoder, message, tmp_path):
    decoder = decoder()
    with pytest.raises(AssertionError, match=message):
        check_decoder(decoder, *read_by(decoder), tmp_path, STEPS)


@pytest.mark.parametrize("alpha", [0.0, 0.9])
@pytest.mark.parametrize("beams", [1, 2, 3, 5, 40])
def test_the_search_is_the_one_that_lists_would_do(beams, alpha):
    memory = table(rows=40, length=5)
    answers, maps = search(memory, 5, beams=beams, length_penalty=alpha)
    for row, (ids, score) in enumerate(
        zip(answers["token_ids"], answers["score"])
    ):
        wanted, best = plain_search(memory[row], beams, alpha)
        assert ids.tolist() == wanted
        assert score == pytest.approx(best, abs=1e-5)
        count = len(wanted) - max(0, wanted.count(END) - 1)
        read = np.zeros((5, 6))
        read[np.arange(count), [START, *wanted][:count]] = 1
        np.testing.assert_array_equal(maps["read"][row], read)


@pytest.mark.parametrize("beams", [16, 300])
def test_a_beam_wider_than_the_vocabulary_is_exhaustive(beams):
    # Of four tokens two go on, so at first there are fewer sequences than
    # beams, and never more than 16. All are about as probable: sums are soon
    # far below those of the first steps, and many a best answer begins badly.
    memory = 0.5 * table(rows=30, length=5, words=4)
    memory[..., END] -= 3
    answers, _ = search(memory, 5, beams=beams)
    best = [exhaustive(rows) for rows in memory.astype("float64")]
    assert answers["token_ids"].tolist() == [ids for ids, _ in best]
    np.testing.assert_allclose(answers["score"], [x for _, x in best], 1e-5)
    assert min(answers["score"]) < -3.5


@pytest.mark.parametrize("beams", [7, 8, 64])
def test_as_many_sequences_go_on_as_beams_though_tokens_are_fewer(beams):
    each = {A: 0.55, B: 0.45}
    memory = says({(START,): each, (A,): each, (B,): each}, steps=4)
    memory[:, 3, :, :, (A, B)] = math.log(0.5)
    memory[:, 3, B, B, (A, B)] = np.log([0.999, 0.001])
    # A, B, B is behind four other beginnings; there are four tokens.
    answers, _ = search(memory, 4, beams=beams)
    assert answers["token_ids"].tolist() == [[A, B, B, A]]
    wanted = math.log(0.55 * 0.45 * 0.45 * 0.999)
    assert answers["score"] == pytest.approx(wanted, abs=1e-5)
    narrow, _ = search(memory, 4, beams=4)
    assert narrow["score"] == pytest.approx(math.log(0.55**3 / 2), abs=1e-5)


def test_the_tables_tell_searches_apart():
    memory = table(rows=40, length=5)
    found = {
        (beams, alpha): search(memory, 5, beams=beams, length_penalty=alpha)[0][
            "token_ids"
        ]
        for beams in (1, 2, 40)
        for alpha in (0.0, 0.9)
    }
    different = [
        (found[1, 0.0] != found[2, 0.0]).any(axis=1).sum(),
        (found[2, 0.0] != found[40, 0.0]).any(axis=1).sum(),
        (found[40, 0.9] != found[40, 0.0]).any(axis=1).sum(),
    ]
    assert min(different) >= 2, different
    np.testing.assert_array_equal(found[1, 0.0], found[1, 0.9])


def test_a_beam_of_two_finds_what_greedy_misses():
    memory = says({(START,): {A: 0.6, B: 0.4}, (A,): {A: 0.5, B: 0.5}})
    memory = says({(B,): {B: 0.9, END: 0.1}}, memory)
    greedy, _ = search(memory, 2)
    assert greedy["token_ids"].tolist() == [[A, A]]
    assert greedy["score"] == pytest.approx(math.log(0.6 * 0.5), abs=1e-5)
    wide, _ = search(memory, 2, beams=2)
    assert wide["token_ids"].tolist() == [[B, B]]
    assert wide["score"] == pytest.approx(math.log(0.4 * 0.9), abs=1e-5)


def test_an_early_answer_is_kept_though_other_sequences_led_for_long():
    memory = says(
        {
            (START,): {A: 0.4, B: 0.35, END: 0.25},
            (A,): {A: 0.55, B: 0.45},
            (B,): {A: 0.55, B: 0.45},
        }
    )
    for beams, wanted in ((2, [A, A, A]), (3, [END] * 3)):
        answers, _ = search(memory, 3, beams=beams)
        assert answers["token_ids"].tolist() == [wanted]
    assert answers["score"] == pytest.approx(math.log(0.25), abs=1e-5)


def test_nothing_follows_an_end_and_the_score_stays():
    # Whatever came behind the end would be certain.
    memory = says({(START,): {A: 0.8, B: 0.2}, (A,): {END: 0.7, A: 0.3}})
    memory = says({(END,): {B: 1.0}, (B,): {B: 1.0}}, memory)
    for beams in (1, 2):
        answers, maps = search(memory, 4, beams=beams)
        assert answers["token_ids"].tolist() == [[A, END, END, END]]
        score = answers["score"]
        assert score == pytest.approx(math.log(0.8 * 0.7), abs=1e-5)
        assert not maps["read"][0, 2:].any() and maps["read"][0, 1].any()


def test_any_token_may_be_the_end_and_then_fills_the_rest():
    memory = says({(START,): {A: 1.0}, (A,): {B: 0.9, END: 0.1}})
    answers, _ = search(memory, 4, beams=2, end=B)
    assert answers["token_ids"].tolist() == [[A, B, B, B]]


def test_a_length_penalty_lets_a_longer_answer_win():
    memory = says({(START,): {END: 0.3, A: 0.7}, (A,): {A: 0.9, B: 0.1}})
    long = math.log(0.7 * 0.9**3)  # four tokens
    assert long > math.log(0.3)
    memory = says({(A,): {A: 0.7, B: 0.3}}, memory)
    long, short = math.log(0.7 * 0.7**3), math.log(0.3)
    assert long < short < long / 1.5**0.6
    plain, _ = search(memory, 4, beams=2)
    assert plain["token_ids"].tolist() == [[END] * 4]
    assert plain["score"] == pytest.approx(short, abs=1e-5)
    given, _ = search(memory, 4, beams=2, length_penalty=0.6)
    assert given["token_ids"].tolist() == [[A] * 4]
    assert given["score"] == pytest.approx(long / 1.5**0.6, abs=1e-5)


def test_a_beam_of_one_ends_at_its_first_end_and_is_scored_with_the_penalty():
    memory = says({(START,): {A: 0.9, END: 0.1}, (A,): {END: 0.6, A: 0.4}})
    answers, _ = search(memory, 6, length_penalty=2.0)
    assert answers["token_ids"].tolist() == [[A, END, END, END, END, END]]
    wanted = math.log(0.9 * 0.6) / (7 / 6) ** 2
    assert answers["score"] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_start_and_what_is_forbidden_are_never_said(beams):
    memory = says({(START,): {START: 0.5, A: 0.3, B: 0.2}}, steps=2)
    answers, _ = search(memory, 2, beams=beams)
    assert answers["token_ids"][0, 0] == A
    for forbidden in ([A], iter([A]), np.array([A])):
        answers, _ = search(memory, 2, beams=beams, forbidden=forbidden)
        assert answers["token_ids"][0, 0] == B
    assert answers["score"] <= math.log(0.2) + 1e-5  # not shared out anew
    memory = says({(END,): {A: 0.7, END: 0.3}, (A,): {END: 1.0}})
    answers, _ = search(memory, 3, beams=beams, start=END)
    assert answers["token_ids"].tolist() == [[A, END, END]]


@pytest.mark.parametrize("beams", [1, 2])
def test_of_equal_scores_the_first_in_order_is_taken(beams):
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch's top_k does not promise an order of equals")
    memory = says({(START,): {A: 0.5, B: 0.5}, (A,): {A: 0.5, B: 0.5}})
    memory = says({(B,): {A: 0.5, B: 0.5}}, memory)
    answers, _ = search(memory, 3, beams=beams)
    assert answers["token_ids"].tolist() == [[A, A, A]]
    answers, _ = search(memory[:, :1], 1, beams=beams, start=START, end=B)
    assert answers["token_ids"].tolist() == [[B]]


def test_the_search_stops_once_nothing_better_can_come():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX traces a loop, so its steps cannot be counted")
    memory = says({(START,): {A: 1.0}, (A,): {END: 0.6, A: 0.4}}, steps=9)
    for options, steps in (
        ({}, 2),
        ({"beams": 2}, 2),
        ({"length_penalty": 1.0}, 2),
        # log(0.6) / (7 / 6) is less than log(0.4) / (14 / 6), which nine tokens
        # could still reach; it is more than log(0.4 * 0.4) / (14 / 6).
        ({"beams": 2, "length_penalty": 1.0}, 3),
    ):
        decoder = Counted()
        answers, _ = beam_search(
            decoder, ops.convert_to_tensor(memory), START, 9, **options
        )
        assert decoder.steps == steps, options
        ids = ops.convert_to_numpy(answers["token_ids"])
        assert ids.tolist() == [[A] + [END] * 8]


@pytest.mark.parametrize("beams", [1, 2])
def test_scores_are_float32_whatever_the_decoder_computes_in(beams):
    memory = table(rows=4, length=5).astype("float16")
    half, _ = search(memory, 5, beams=beams)
    exact, _ = search(memory.astype("float32"), 5, beams=beams)
    assert half["score"].dtype == "float32"
    np.testing.assert_array_equal(half["token_ids"], exact["token_ids"])
    np.testing.assert_allclose(half["score"], exact["score"], atol=1e-6)


@pytest.mark.parametrize("decoder", [SpeakingTransformer, SpeakingGRU])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_decoders_search_in_half_precision(decoder, policy):
    decoder = decoder(dtype=policy)
    memory, _ = read_by(decoder)
    memory = {name: ops.convert_to_tensor(x) for name, x in memory.items()}
    memory["values"] = ops.cast(memory["values"], decoder.compute_dtype)
    answers, maps = beam_search(decoder, memory, START, STEPS, beams=2)
    assert np.isfinite(ops.convert_to_numpy(answers["score"])).all()
    assert keras.backend.standardize_dtype(answers["score"].dtype) == "float32"


def test_a_batch_may_be_empty():
    answers, maps = search(table(rows=0, length=4), 4, beams=2)
    assert answers["token_ids"].shape == (0, 4)
    assert answers["score"].shape == (0,)
    assert maps["read"].shape == (0, 4, 6)


def test_memory_may_be_nested_and_lack_parts():
    memory = table(rows=3, length=4)
    nested = {
        "a": None,
        "b": [ops.convert_to_tensor(memory), {"c": ops.ones((3, 2), "bool")}],
    }
    answers, _ = beam_search(Nested(), nested, START, 4, beams=3)
    wanted, _ = search(memory, 4, beams=3)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(answers["token_ids"]), wanted["token_ids"]
    )


@pytest.mark.parametrize("beams", [1, 3])
def test_without_maps_the_answers_are_the_same(beams):
    memory = table(rows=20, length=5)
    answers, _ = search(memory, 5, beams=beams, length_penalty=0.6)
    alone, maps = search(
        memory, 5, beams=beams, length_penalty=0.6, with_maps=False
    )
    assert maps == {}
    for name in answers:
        np.testing.assert_array_equal(alone[name], answers[name])


def test_what_a_step_hands_on_is_not_copied_from_beam_to_beam(monkeypatch):
    memory = table(rows=20, length=5)
    taken = []
    take = ops.take

    def counted(x, *args, **options):
        taken.append(tuple(x.shape))
        return take(x, *args, **options)

    wanted, _ = search(memory, 5, beams=3)
    monkeypatch.setattr("zoo.decoding.ops.take", counted)
    answers, _ = beam_search(
        Keeps(), ops.convert_to_tensor(memory), START, 5, beams=3
    )
    # Once, when a sample's only sequence becomes three.
    assert [shape[-1] for shape in taken].count(Keeps.width) == 1
    for name in wanted:
        np.testing.assert_array_equal(
            ops.convert_to_numpy(answers[name]), wanted[name]
        )


def test_what_some_steps_change_follows_its_beam():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX traces one step for all")
    memory = table(rows=40, length=6)
    memory = ops.convert_to_tensor(memory)
    same, copied = (
        beam_search(InTurns(keep), memory, START, 6, beams=3)[0]
        for keep in (lambda x: x, lambda x: x + 0)
    )
    for name in same:
        np.testing.assert_array_equal(
            ops.convert_to_numpy(same[name]), ops.convert_to_numpy(copied[name])
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "positive integers.*length=0"),
        ({"beams": 0}, "positive integers.*beams=0"),
        ({"beams": 2.0}, "positive integers.*beams=2.0"),
        ({"start": 6}, "among the 6 tokens.*start=6"),
        ({"end": -1}, "among the 6 tokens.*end=-1"),
        ({"forbidden": [7]}, r"among the 6 tokens.*forbidden=\(7,\)"),
        ({"forbidden": [END]}, "`forbidden` must not hold `end`"),
        ({"length_penalty": -0.5}, "length_penalty=-0.5"),
        ({"length_penalty": math.nan}, "length_penalty=nan"),
    ],
)
def test_refuses_a_search_that_makes_no_sense(options, message):
    if options.get("start") and keras.backend.backend() == "torch":
        pytest.skip("PyTorch itself refuses to look up such a token")
    options = {"start": START, "length": 3, **options}
    memory = ops.convert_to_tensor(table(rows=1, length=3))
    with pytest.raises(ValueError, match=message):
        beam_search(Table(), memory, **options)


def test_refuses_more_steps_than_a_decoder_has_room_for():
    decoder = SpeakingTransformer()
    memory, _ = read_by(decoder)
    with pytest.raises(ValueError, match="length=4, decoder.length=3"):
        beam_search(decoder, memory, START, STEPS + 1)


@pytest.mark.parametrize("forbidden", [(), (A, START)])
def test_sequences_come_as_often_as_they_are_probable(forbidden):
    rows, length = 6000, 3
    memory = table(rows=1, length=length, words=5)
    answers, _ = drawn(np.repeat(memory, rows, axis=0), length, forbidden, 3)
    expected = {}
    for ids in itertools.product(range(5), repeat=length):
        count = [*ids, END].index(END) + 1  # tokens, the end included
        if any(ids[count:]) or {*ids[:count]} & {*forbidden}:
            continue  # no sequence that could be drawn
        expected[ids] = sum(logs(memory[0], ids, forbidden)[:count])
    chances = np.exp([*expected.values()])
    assert chances.sum() == pytest.approx(1, abs=1e-6)
    found = list(map(tuple, answers["token_ids"].tolist()))
    np.testing.assert_allclose(
        answers["score"], [expected[ids] for ids in found], atol=1e-4
    )
    counts = np.array([found.count(ids) for ids in expected])
    often = rows * chances > 5
    assert often.sum() >= 7
    chi = ((counts - rows * chances) ** 2 / (rows * chances))[often].sum()
    assert chi < often.sum() + 4 * math.sqrt(2 * often.sum())


def test_nothing_is_drawn_behind_an_end():
    memory = np.repeat(table(rows=1, length=5), 400, axis=0)
    answers, maps = drawn(memory, 5, (), 0, end=B)
    ids = answers["token_ids"]
    counts = [[*row, B].index(B) for row in ids.tolist()]
    assert {0, 1, 5} <= {*counts}
    for row, count, read in zip(ids, counts, maps["read"]):
        assert (row[count:] == B).all()
        told = np.zeros((5, 6))
        said = min(count + 1, 5)
        told[np.arange(said), [START, *row][:said]] = 1
        np.testing.assert_array_equal(read, told)


def test_a_seed_draws_the_same_and_a_generator_goes_on():
    memory = np.repeat(table(rows=1, length=4), 50, axis=0)

    def ids(seed):
        return drawn(memory, 4, (), seed)[0]["token_ids"]

    np.testing.assert_array_equal(ids(5), ids(5))
    assert (ids(5) != ids(6)).any()
    generator = keras.random.SeedGenerator(5)
    first, second = ids(generator), ids(generator)
    assert (first != second).any()
    generator.state.assign([5, 0])
    np.testing.assert_array_equal(ids(generator), first)
    assert (ids(None) != ids(None)).any()


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0}, {"temperature": 0.8, "top_k": 3, "top_p": 0.9}],
    ids=str,
)
@pytest.mark.parametrize("decoder", [SpeakingTransformer, SpeakingGRU])
def test_draws_compiled_as_it_does_step_by_step(decoder, options, monkeypatch):
    numbers = np.array([[0.3, 0.8, 0.55]], "float32")
    monkeypatch.setattr(  # XLA's own would be others
        keras.random,
        "uniform",
        lambda shape, dtype, seed: ops.zeros(shape) + ops.array(numbers),
    )
    decoder = decoder()
    memory, other = read_by(decoder, rows=3)
    model = drawing(decoder, memory, **options)
    model.compile(jit_compile=keras.backend.backend() != "torch")
    for seen in (memory, other):
        found = model.predict_on_batch(seen)
        tensors = {name: ops.convert_to_tensor(x) for name, x in seen.items()}
        answers, maps = sample(
            decoder, tensors, START, STEPS, seed=7, **options
        )
        for name, x in {**answers, **maps}.items():
            np.testing.assert_allclose(
                found[name], ops.convert_to_numpy(x), atol=1e-5
            )


@pytest.mark.slow
def test_all_of_a_draw_but_its_random_numbers_exports_to_litert(
    tmp_path, monkeypatch
):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow exports to LiteRT")
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    monkeypatch.setattr(
        keras.random,
        "uniform",
        lambda shape, dtype, seed: ops.full(shape, 0.6, dtype),
    )
    decoder = SpeakingTransformer()
    memory, _ = read_by(decoder, rows=3)
    model = drawing(decoder, memory, temperature=0.8, top_k=3, top_p=0.9)
    signature = {
        name: keras.InputSpec(shape=(1, *x.shape[1:]), dtype=x.dtype, name=name)
        for name, x in memory.items()
    }
    file = str(tmp_path / "draw.tflite")
    model.export(
        file,
        input_signature=[signature],
        format="litert",
        verbose=False,
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )
    run = Interpreter(file).get_signature_runner()
    for row in range(3):
        one = {name: x[row : row + 1] for name, x in memory.items()}
        expected = model.predict_on_batch(one)
        for name, x in run(**one).items():
            np.testing.assert_allclose(x, expected[name], atol=1e-5)


@pytest.mark.parametrize("number", [0.0, 1 - 2.0**-24])
def test_what_has_no_probability_is_never_drawn(number, monkeypatch):
    """Whatever number is drawn, and however a sum is rounded."""
    memory = np.full((64, 1, 6, 6, 6), -1e9, "float32")
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(64, 1, 1, 1, 3)).astype("float32")
    memory[..., 1:4] = logits  # neither the first token nor the last
    monkeypatch.setattr(
        keras.random,
        "uniform",
        lambda shape, dtype, seed: ops.full(shape, number, dtype),
    )
    summed = ops.cumsum
    monkeypatch.setattr(  # rounded as sums in parallel are
        ops, "cumsum", lambda x, axis: summed(x, axis=axis) + 1e-7
    )
    answers, _ = drawn(memory, 1, (), 0)
    expected = START if number == 0 else B
    assert (answers["token_ids"] == expected).all()
    answers, _ = drawn(memory, 1, (B, START), 0)
    assert (answers["token_ids"] == A).all()
    np.testing.assert_allclose(answers["score"], 0, atol=1e-6)


CUTS = [
    {"temperature": 0.6},
    {"temperature": 1.7},
    {"top_k": 1},
    {"top_k": 3},
    {"top_p": 0.05},
    {"top_p": 0.7},
    {"top_k": 3, "top_p": 0.8},
    {"temperature": 1.6, "top_k": 4, "top_p": 0.75},
    {"temperature": 0.5, "top_k": 4, "top_p": 0.9, "forbidden": (A,)},
]


@pytest.mark.parametrize("options", CUTS, ids=str)
def test_tokens_are_drawn_by_what_is_left_and_shared_out_anew(options):
    options = dict(options)
    forbidden = options.pop("forbidden", ())
    kinds, rows = 5, 4000
    memory = table(rows=kinds, length=1)
    logits = memory[:, 0, 0, START].astype("float64")
    logits[:, list(forbidden)] = -np.inf
    answers, _ = drawn(
        np.repeat(memory, rows, axis=0), 1, forbidden, 2, **options
    )
    ids = answers["token_ids"].reshape(kinds, rows)
    scores = answers["score"].reshape(kinds, rows)
    for kind in range(kinds):
        chances = left(logits[kind], **options)
        counts = np.bincount(ids[kind], minlength=6)
        assert not counts[chances == 0].any()
        assert counts[chances > 2e-3].all()
        often = rows * chances > 5
        off = counts - rows * chances
        chi = (off**2 / np.where(often, rows * chances, 1))[often].sum()
        assert chi < often.sum() + 5 * math.sqrt(2 * often.sum())
        np.testing.assert_allclose(
            np.exp(scores[kind]), chances[ids[kind]], rtol=1e-4
        )


def test_cut_sequences_come_as_often_as_they_are_probable():
    rows, length = 6000, 3
    memory = table(rows=1, length=length, words=5)
    options = {"temperature": 1.4, "top_k": 3, "top_p": 0.9}
    answers, _ = drawn(
        np.repeat(memory, rows, axis=0), length, (), 4, **options
    )
    expected = {}
    for ids in itertools.product(range(5), repeat=length):
        count = [*ids, END].index(END) + 1
        if any(ids[count:]):
            continue
        chance, before = 1.0, (0, START)
        for index, token in enumerate(ids[:count]):
            chance *= left(memory[0, index][before], **options)[token]
            before = (before[1], token)
        if chance:
            expected[ids] = chance
    chances = np.array([*expected.values()])
    assert chances.sum() == pytest.approx(1, abs=1e-6)
    found = list(map(tuple, answers["token_ids"].tolist()))
    assert {*found} <= {*expected}
    np.testing.assert_allclose(
        np.exp(answers["score"]), [expected[ids] for ids in found], rtol=1e-4
    )
    counts = np.array([found.count(ids) for ids in expected])
    often = rows * chances > 5
    assert often.sum() >= 7
    chi = ((counts - rows * chances) ** 2 / (rows * chances))[often].sum()
    assert chi < often.sum() + 4 * math.sqrt(2 * often.sum())


@pytest.mark.parametrize("forbidden", [(), (A,)])
def test_a_temperature_of_zero_is_greedy(forbidden):
    memory = table(rows=40, length=5)
    greedy, of_greedy = search(memory, 5, forbidden=forbidden)
    for options in ({}, {"top_k": 2, "top_p": 0.5}):
        answers, maps = drawn(
            memory, 5, forbidden, None, temperature=0, **options
        )
        np.testing.assert_array_equal(answers["token_ids"], greedy["token_ids"])
        np.testing.assert_array_equal(answers["score"], np.zeros(40))
        np.testing.assert_array_equal(maps["read"], of_greedy["read"])


@pytest.mark.parametrize(
    "options",
    [{"temperature": 1e-40}, {"top_k": 1}, {"top_p": 1e-9}],
    ids=str,
)
def test_the_likeliest_is_all_that_is_left_in_the_end(options):
    memory = table(rows=40, length=5)
    answers, _ = drawn(memory, 5, (START,), 3, **options)
    greedy, _ = search(memory, 5)
    np.testing.assert_array_equal(answers["token_ids"], greedy["token_ids"])
    np.testing.assert_allclose(answers["score"], 0, atol=1e-5)


def test_a_high_temperature_makes_all_alike():
    memory = np.repeat(table(rows=1, length=1), 6000, axis=0)
    answers, _ = drawn(memory, 1, (A,), 0, temperature=1e300)
    counts = np.bincount(answers["token_ids"][:, 0], minlength=6)
    assert counts[A] == 0
    np.testing.assert_allclose(np.delete(counts, A), 1200, atol=150)
    np.testing.assert_allclose(answers["score"], -math.log(5), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{"temperature": 1}, {"top_k": 6}, {"top_k": 99}, {"top_p": 1}],
    ids=str,
)
def test_what_cuts_nothing_changes_no_draw(options):
    memory = np.repeat(table(rows=4, length=4), 25, axis=0)
    plain, _ = drawn(memory, 4, (), 5)
    answers, _ = drawn(memory, 4, (), 5, **options)
    for name in plain:
        np.testing.assert_array_equal(answers[name], plain[name])


def test_a_share_of_one_keeps_what_sums_in_float32_would_lose():
    memory = np.full((500, 1, 6, 6, 6), -20, "float32")
    memory[..., A] = 0
    plain, _ = drawn(memory, 1, (), 5)
    answers, _ = drawn(memory, 1, (), 5, top_p=1.0)
    np.testing.assert_array_equal(answers["score"], plain["score"])


@pytest.mark.parametrize(
    ("chances", "options", "kept"),
    [
        # Equals: the lower tokens stay.
        ([1, 1, 1, 1, 1, 1], {"top_k": 2}, [0, 1]),
        ([1, 2, 1, 2, 1, 2], {"top_k": 2}, [1, 3]),
        ([1, 2, 1, 2, 1, 2], {"top_k": 4}, [0, 1, 3, 5]),
        ([1, 1, 1, 1, 1, 1], {"top_p": 0.45}, [0, 1, 2]),
        ([1, 4, 1, 4, 1, 1], {"top_p": 0.5}, [1, 3]),
        # As many as are needed to reach the share, and no more.
        ([1, 1, 1, 1, 0, 0], {"top_p": 0.5}, [0, 1]),
        ([8, 4, 2, 1, 1, 0], {"top_p": 0.49}, [0]),
        ([8, 4, 2, 1, 1, 0], {"top_p": 0.51}, [0, 1]),
        ([8, 4, 2, 1, 1, 0], {"top_p": 0.74}, [0, 1]),
        ([8, 4, 2, 1, 1, 0], {"top_p": 0.76}, [0, 1, 2]),
        # Shares are of what `top_k` left: 8 and 4 of 14 are 0.86.
        ([8, 4, 2, 1, 1, 0], {"top_k": 3, "top_p": 0.8}, [0, 1]),
        ([8, 4, 2, 1, 1, 0], {"top_k": 3, "top_p": 0.9}, [0, 1, 2]),
        # The temperature comes before shares: 64, 16, 4 of 86; 8 of 11.
        (
            [8, 4, 2, 1, 1, 0],
            {"temperature": 0.5, "top_p": 0.7},
            [0],
        ),
        (
            [8, 4, 2, 1, 1, 0],
            {"temperature": 2.0, "top_p": 0.7},
            [0, 1, 2],
        ),
        # More than can be drawn at all.
        ([0, 0, 3, 0, 1, 0], {"top_k": 4}, [2, 4]),
        ([0, 0, 3, 0, 1, 0], {"top_k": 4, "top_p": 0.99}, [2, 4]),
    ],
)
def test_what_is_cut_is_known_to_the_token(chances, options, kept):
    with np.errstate(divide="ignore"):
        logits = np.maximum(np.log(np.array(chances)), -1e9)
    memory = np.empty((600, 1, 6, 6, 6), "float32")
    memory[:] = logits
    answers, _ = drawn(memory, 1, (), 1, **options)
    assert {*answers["token_ids"][:, 0].tolist()} == {*kept}
    assert np.flatnonzero(left(logits, **options)).tolist() == kept


@pytest.mark.parametrize(
    "options", [{"temperature": 0}, {"temperature": 0.5, "top_k": 2}]
)
def test_a_score_tells_of_logits_that_are_no_numbers(options):
    memory = table(rows=3, length=2)
    memory[0, 0, 0, START, B] = np.nan
    answers, _ = drawn(memory, 2, (), 1, **options)
    assert np.isnan(answers["score"]).tolist() == [True, False, False]


def test_draws_in_float32_whatever_the_decoder_computes_in():
    memory = np.repeat(table(rows=1, length=4), 50, axis=0).astype("float16")
    half, _ = drawn(memory, 4, (), 0)
    exact, _ = drawn(memory.astype("float32"), 4, (), 0)
    assert half["score"].dtype == "float32"
    np.testing.assert_array_equal(half["token_ids"], exact["token_ids"])
    np.testing.assert_allclose(half["score"], exact["score"], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "positive integers.*length=0"),
        ({"end": 6}, "among the 6 tokens.*end=6"),
        ({"forbidden": [7]}, r"among the 6 tokens.*forbidden=\(7,\)"),
        ({"forbidden": [END]}, "`forbidden` must not hold `end`"),
        ({"temperature": -0.1}, "`temperature` must be.*temperature=-0.1"),
        ({"temperature": math.inf}, "`temperature` must be.*temperature=inf"),
        ({"temperature": math.nan}, "`temperature` must be.*temperature=nan"),
        ({"temperature": None}, "`temperature` must be.*temperature=None"),
        ({"top_k": 0}, "`top_k` must be a positive integer.*top_k=0"),
        ({"top_k": 2.0}, "`top_k` must be a positive integer.*top_k=2.0"),
        ({"top_k": True}, "`top_k` must be a positive integer.*top_k=True"),
        ({"top_p": 0}, r"`top_p` must be in \(0, 1\].*top_p=0"),
        ({"top_p": 1.1}, r"`top_p` must be in \(0, 1\].*top_p=1.1"),
        ({"top_p": math.nan}, r"`top_p` must be in \(0, 1\].*top_p=nan"),
        ({"top_p": True}, r"`top_p` must be in \(0, 1\].*top_p=True"),
    ],
)
def test_refuses_a_draw_that_makes_no_sense(options, message):
    memory = ops.convert_to_tensor(table(rows=1, length=3))
    with pytest.raises(ValueError, match=message):
        sample(Table(), memory, **{"start": START, "length": 3, **options})


class Counted(Table):
    """Counts its steps."""

    steps = 0

    def step(self, *arguments):
        self.steps += 1
        return super().step(*arguments)


class Nested(Table):
    """Its memory is in a dict of lists, beside what is not there."""

    def begin(self, memory):
        assert memory["a"] is None
        return super().begin(memory["b"][0])

    def step(self, last, index, state, memory):
        assert memory["a"] is None
        assert memory["b"][1]["c"].shape[0] == last.shape[0]
        return super().step(last, index, state, memory["b"][0])


class Keeps(Table):
    """Reads the logits from its state, which hands them on."""

    width = 6 * 6 * 6

    def begin(self, memory):
        shape = (*memory.shape[:2], self.width)
        return {**super().begin(memory), "kept": ops.reshape(memory, shape)}

    def step(self, last, index, state, memory):
        kept = ops.reshape(state["kept"], (-1, *memory.shape[1:]))
        logits, after, maps = super().step(last, index, state, kept)
        return logits, {**state, **after}, maps


class InTurns(Table):
    """Keeps every second token only; `keep` gives the others' steps a state."""

    def __init__(self, keep):
        self.keep = keep

    def step(self, last, index, state, memory):
        logits, after, maps = super().step(last, index, state, memory)
        if int(index) % 2:
            after = {"before": self.keep(state["before"])}
        return logits, after, maps


class Drawing(keras.layers.Layer):
    """A draw as one layer: memory in, answers and maps out."""

    def __init__(self, decoder, options):
        super().__init__()
        self.decoder = decoder
        self.options = options

    def call(self, memory):
        answers, maps = sample(
            self.decoder, memory, START, STEPS, seed=7, **self.options
        )
        return {**answers, **maps}


def drawing(decoder, memory, **options):
    """A model of a draw, with a free batch."""
    inputs = {
        name: keras.Input(x.shape[1:], dtype=x.dtype, name=name)
        for name, x in memory.items()
    }
    return keras.Model(inputs, Drawing(decoder, options)(inputs))


def search(memory, length, start=START, **options):
    answers, maps = beam_search(
        Table(), ops.convert_to_tensor(memory), start, length, **options
    )
    return tuple(
        {name: ops.convert_to_numpy(x) for name, x in group.items()}
        for group in (answers, maps)
    )


def drawn(memory, length, forbidden, seed, **options):
    answers, maps = sample(
        Table(),
        ops.convert_to_tensor(memory),
        START,
        length,
        forbidden=forbidden,
        seed=seed,
        **options,
    )
    return tuple(
        {name: ops.convert_to_numpy(x) for name, x in group.items()}
        for group in (answers, maps)
    )


def left(logits, temperature=1.0, top_k=None, top_p=1.0):
    """The chances of tokens, by the definition, with lists."""
    chances = np.asarray(logits, "float64") / temperature
    chances = np.exp(chances - chances.max())
    order = sorted(range(len(chances)), key=lambda t: (-chances[t], t))
    order = order[:top_k]
    chances /= chances[order].sum()
    kept, share = [], 0.0
    for token in order:
        if share < top_p:
            kept.append(token)
        share += chances[token]
    found = np.zeros(len(chances))
    found[kept] = chances[kept] / chances[kept].sum()
    return found


def logs(memory, ids, forbidden):
    """Of each token its log-probability, those forbidden left out."""
    found, before = [], (0, START)
    for index, token in enumerate(ids):
        chances = np.exp(memory[index][before].astype("float64"))
        chances[list(forbidden)] = 0
        with np.errstate(divide="ignore"):
            found.append(np.log(chances[token] / chances.sum()))
        before = (before[1], token)
    return found


def says(chances, memory=None, steps=6):
    """A memory of `Table`: after these tokens, these with such a chance."""
    if memory is None:
        memory = np.full((1, steps, 4, 4, 4), -30, "float32")
    memory = memory.copy()
    for (last,), following in chances.items():
        memory[:, :, :, last] = -30
        for token, chance in following.items():
            memory[:, :, :, last, token] = math.log(chance)
    return memory


def exhaustive(memory):
    """The best of all answers of one sample: `(ids, score)`."""
    length, words = memory.shape[:2]
    logs = memory - np.log(np.exp(memory).sum(-1, keepdims=True))
    said, best = [END, *range(START + 1, words)], ([], -np.inf)
    for ids in itertools.product(said, repeat=length):
        count = ids.index(END) + 1 if END in ids else length
        if any(ids[count:]):
            continue  # END fills the places behind the first
        before, last, score = 0, START, 0.0
        for index, token in enumerate(ids[:count]):
            score += logs[index, before, last, token]
            before, last = last, token
        best = max(best, (list(ids), score), key=lambda each: each[1])
    return best


def plain_search(memory, beams, alpha):
    """Beam search with lists, for one sample: `(ids, score)`."""
    length, words = memory.shape[:2]

    def penalty(count):
        return ((5 + count) / 6) ** alpha

    going, best = [(0.0, (START,))], (-np.inf, None)
    for index in range(length):
        following = []
        for score, ids in going:
            before = ids[-2] if len(ids) > 1 else 0
            logits = memory[index, before, ids[-1]].astype("float64")
            log_probs = logits - np.log(np.exp(logits).sum())
            following += [
                (score + log_probs[token], (*ids, token))
                for token in range(words)
                if token != START
            ]
        following.sort(reverse=True)
        for score, ids in following[:beams]:
            if ids[-1] == END:
                best = max(best, (score / penalty(index + 1), ids))
        going = [each for each in following if each[1][-1] != END][:beams]
        if beams == 1 and best[1]:
            going = []
            break
    score, ids = max([best] + [(s / penalty(length), i) for s, i in going])
    return [*ids[1:], *[END] * (length + 1 - len(ids))], score
