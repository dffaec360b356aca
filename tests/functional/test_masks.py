"""Who may be seen, position by position, in NumPy."""

import numpy as np
import pytest

from keras_attention.functional import (
    causal_mask,
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


@pytest.mark.parametrize(
    "mask",
    [
        np.ones((2, 3), "float32"),
        np.ones((2, 3, 1), "bool"),
        np.ones(3, "bool"),
        np.ones((2, 4), "bool"),
        np.ones((2, 1), "bool"),
        np.ones((4, 3), "bool"),
    ],
)
def test_refuses_what_is_no_mask(mask):
    check_mask("value_mask", None, (2, 3))
    check_mask("value_mask", np.ones((2, 3), "bool"), (2, 3))
    check_mask("value_mask", np.ones((1, 3), "bool"), (2, 3))
    check_mask("value_mask", np.ones((2, 3), "bool"), (None, None))
    with pytest.raises(ValueError, match=r"\(2, 3\). Received: value_mask of"):
        check_mask("value_mask", mask, (2, 3))


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


def test_a_list_is_no_mask():
    with pytest.raises(ValueError, match="Received: value_mask of type list"):
        check_mask("value_mask", [[True, False]], (1, 2))
