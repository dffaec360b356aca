"""Who may be seen, position by position, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention.functional import (
    causal_mask,
    check_attention_mask,
    check_mask,
    check_query_call,
    combine_masks,
    padding_mask,
    visible_pairs,
    window_mask,
)
from tests.numbers import numpy


def same(actual, expected):
    assert numpy(actual).dtype == bool
    np.testing.assert_array_equal(numpy(actual), expected)


@pytest.mark.parametrize(
    "shape, heads, ranks",
    [
        ((3, 4), None, (1, 3, 4)),
        ((2, 3, 4), None, (2, 3, 4)),
        ((3, 4), 5, (1, 1, 3, 4)),
        ((2, 3, 4), 5, (2, 1, 3, 4)),
        ((2, 1, 1, 4), 5, (2, 1, 1, 4)),
        ((2, 5, 3, 4), 5, (2, 5, 3, 4)),
    ],
)
def test_a_mask_of_pairs_gets_its_missing_axes(shape, heads, ranks):
    mask = np.random.default_rng(0).random(shape) < 0.5
    same(check_attention_mask(mask, (2, 3, 4), heads), mask.reshape(ranks))
    assert check_attention_mask(None, (2, 3, 4), heads) is None
    with pytest.raises(ValueError, match="`attention_mask`"):
        check_attention_mask(mask[..., :-1], (2, 3, 4), heads)


def test_padding_shows_the_first_positions():
    same(padding_mask([0, 2, 3], 3), [[0, 0, 0], [1, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize("queries, keys", [(4, 4), (2, 5), (1, 3), (5, 2)])
def test_the_last_query_stands_at_the_last_key(queries, keys):
    i, j = np.indices((queries, keys))
    same(causal_mask(queries, keys), queries - i <= keys - j)


def test_a_window_goes_to_both_sides():
    i, j = np.indices((4, 6))
    same(window_mask(np.arange(4), 6, 1), abs(i - j) <= 1)
    centres = np.array([[0.0, 4.5], [9.0, 2.0]], "float32")
    expected = abs(np.arange(6) - centres[..., None]) <= 2
    same(window_mask(centres, 6, 2), expected)


def test_all_masks_in_one():
    rng = np.random.default_rng(0)
    query, key = np.ones((2, 3, 4)), np.ones((2, 5, 4))
    query_mask = rng.random((2, 3)) < 0.7
    value_mask, key_mask = rng.random((2, 2, 5)) < 0.7
    attention_mask = rng.random((2, 3, 5)) < 0.7
    assert visible_pairs(query, key) is None
    seen = visible_pairs(
        query, key, key, query_mask, value_mask, key_mask, attention_mask, True
    )
    expected = np.zeros((2, 3, 5), "bool")
    for b, i, j in np.ndindex(2, 3, 5):
        expected[b, i, j] = (
            query_mask[b, i]
            and value_mask[b, j]
            and key_mask[b, j]
            and attention_mask[b, i, j]
            and j <= i + 2
        )
    same(seen, expected)


def test_what_one_mask_hides_is_hidden():
    first, second = np.array([[True, False]]), np.array([[True], [False]])
    assert combine_masks() is None and combine_masks(None, None) is None
    same(combine_masks(None, first), first)
    same(combine_masks(first, None, second), first & second)


def test_integers_are_taken_for_booleans():
    seen = visible_pairs(
        np.ones((1, 2, 4)),
        np.ones((1, 3, 4)),
        value_mask=np.array([[1, 0, 1]]),
    )
    same(seen, [[[True, False, True]]])


SEEN = np.array([[True, False, True], [False, False, True]])


@pytest.mark.parametrize(
    "mask",
    [
        SEEN,
        SEEN.astype("int32"),
        SEEN.astype("uint8") * 2,
        SEEN.astype("float32"),
        SEEN.astype("float64"),
        SEEN.tolist(),
        SEEN.astype("float32").tolist(),
        keras.ops.convert_to_tensor(SEEN),
        keras.ops.convert_to_tensor(SEEN.astype("float32")),
    ],
)
def test_one_is_visible_and_zero_is_not_in_whatever_holds_them(mask):
    same(check_mask("value_mask", mask, (2, 3)), SEEN)


@pytest.mark.parametrize(
    "mask, what",
    [
        (np.where(SEEN, 0, -1e9), "-1000000000.0 to 0.0, as of an additive"),
        (np.where(SEEN, 0, -np.inf), "values from -inf to 0.0"),
        (np.where(SEEN, 0.0, -1.0).tolist(), "values from -1.0 to 0.0"),
        (np.where(SEEN, 0.5, 1.0), "values from 0.5 to 1.0"),
        (np.where(SEEN, np.nan, 1.0), "values from nan to nan"),
        (np.zeros((2, 3)), "all 0"),
        (np.where(SEEN, 0, -10000), "the value -10000"),
        (keras.KerasTensor((2, 3), "float32"), "not known here: cast it"),
    ],
)
def test_numbers_that_may_mean_the_opposite_are_refused(mask, what):
    with pytest.raises(ValueError, match=f"1 there and 0 elsewhere.*{what}"):
        check_mask("value_mask", mask, (2, 3))


def test_a_traced_mask_must_be_boolean_or_of_integers():
    for dtype in ("bool", "int32"):
        mask = keras.KerasTensor((2, 3), dtype)
        assert check_mask("value_mask", mask, (2, 3)).dtype == "bool"


@pytest.mark.parametrize("mask", [[[1, 0], [1]], "padding", [["a"]], object()])
def test_refuses_what_holds_no_numbers(mask):
    with pytest.raises(ValueError, match="`value_mask` must be an array"):
        check_mask("value_mask", mask, (2, 3))


@pytest.mark.parametrize("shape", [(2, 3, 1), (3,), (2, 4), (2, 1), (4, 3)])
def test_refuses_masks_of_another_shape(shape):
    assert check_mask("value_mask", None, (2, 3)) is None
    check_mask("value_mask", np.ones((2, 3), "bool"), (2, 3))
    check_mask("value_mask", np.ones((1, 3), "bool"), (2, 3))
    check_mask("value_mask", np.ones((2, 3), "bool"), (None, None))
    for dtype in ("bool", "float32"):
        with pytest.raises(ValueError, match=r"\(2, 3\). Received: value_m"):
            check_mask("value_mask", np.ones(shape, dtype), (2, 3))


def test_masks_of_pairs_may_lack_batch_and_heads_as_in_keras():
    rng = np.random.default_rng(1)
    query, value = np.ones((2, 3, 4)), np.ones((2, 5, 4))
    padding = np.arange(5) < np.array([[5], [2]])
    whole = rng.random((2, 6, 3, 5)) < 0.5
    for pairs, expected in (
        (whole[0, 0], whole[:1, :1]),
        (whole[:, 0], whole[:, :1]),
        (whole[:1, 0], whole[:1, :1]),
        (whole[:, :1], whole[:, :1]),
        (whole[:1, :1], whole[:1, :1]),
        (whole, whole),
        (whole[:, :, :1], whole[:, :, :1]),
    ):
        options = {"value_mask": padding, "attention_mask": pairs}
        expected = expected & padding[:, None, None]
        same(visible_pairs(query, value, **options, heads=6), expected)
        if pairs.ndim < 4:
            same(visible_pairs(query, value, **options), expected[:, 0])
    for bad in (whole[:, :2], whole[0], whole[0, 0, 0], whole[None]):
        with pytest.raises(ValueError, match="`attention_mask`"):
            visible_pairs(query, value, attention_mask=bad, heads=6)
    with pytest.raises(ValueError, match=r"of shape \(2, 3, 5\)"):
        visible_pairs(query, value, attention_mask=whole)


def test_one_row_of_pairs_may_stand_for_all_queries():
    query, value = np.ones((2, 3, 4)), np.ones((2, 5, 4))
    row = np.array([[[True, False, True, True, False]]])
    same(visible_pairs(query, value, attention_mask=row), row)
    with pytest.raises(ValueError, match="`attention_mask`"):
        visible_pairs(query, value, attention_mask=row.repeat(2, axis=1))


@pytest.mark.parametrize(
    "query, value, key, message",
    [
        ((2, 3), (2, 5, 4), (2, 5, 4), r"query_shape=\(2, 3\)"),
        ((2, 3, 4), (2, 5, 4, 1), (2, 5, 4), r"value_shape=\(2, 5, 4, 1\)"),
        ((2, 3, 4), (2, 5, 4), (2, 6, 4), "equally long"),
    ],
)
def test_refuses_sequences_that_do_not_fit(query, value, key, message):
    check_query_call(np.ones((2, 3, 4)), np.ones((2, 5, 6)), np.ones((2, 5, 4)))
    with pytest.raises(ValueError, match=message):
        check_query_call(np.ones(query), np.ones(value), np.ones(key))
