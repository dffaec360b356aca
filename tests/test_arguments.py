"""Constructor arguments of a wrong type are refused in words."""

import numpy as np
import pytest

from keras_attention.arguments import (
    check_groups,
    check_positive,
    check_share,
    check_sizes,
)


def test_sizes_are_positive_integers_of_python_or_numpy():
    check_sizes("sizes", units=1, filters=np.int64(3))
    check_sizes("sizes", optional=("units",), units=None, filters=2)


@pytest.mark.parametrize("size", ["8", None, 2.5, 2.0, True, 0, -1, [3], 1j])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ValueError) as caught:
        check_sizes("the width", units=size)
    assert str(caught.value) == (
        "`units` must be a positive integer, the width. "
        f"Received: units={size!r}"
    )


def test_all_sizes_are_named_and_shown():
    with pytest.raises(ValueError) as caught:
        check_sizes("sizes of the net", a=1, b="2", c=3)
    assert str(caught.value) == (
        "`a`, `b` and `c` must be positive integers, sizes of the net. "
        "Received: a=1, b='2', c=3"
    )


def test_only_those_that_may_be_none_are():
    with pytest.raises(ValueError, match="filters=None"):
        check_sizes("sizes", optional=("units",), units=2, filters=None)


def test_heads_share_equally():
    for groups in (None, 1, 2, 4):
        check_groups(4, groups)
    for groups in (0, 3, 8, 2.0, "2", True):
        with pytest.raises(ValueError) as caught:
            check_groups(4, groups)
        assert f"Received: num_key_value_heads={groups!r}" in str(caught.value)


def test_a_share_leaves_something():
    for share in (0, 0.5, np.float32(0.9)):
        check_share("dropout", share, "a share")


@pytest.mark.parametrize("share", ["0.5", None, True, 1, -0.1, float("nan")])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError) as caught:
        check_share("dropout", share, "a share that leaves something")
    assert str(caught.value) == (
        "`dropout` must be in [0, 1), a share that leaves something. "
        f"Received: dropout={share!r}"
    )


@pytest.mark.parametrize("number", ["1", None, True, 0, -1e-5, float("nan")])
def test_what_is_no_positive_number_is_refused(number):
    check_positive("epsilon", 1e-5, "added to the variance")
    with pytest.raises(ValueError) as caught:
        check_positive("epsilon", number, "added to the variance")
    assert str(caught.value) == (
        "`epsilon` must be positive, added to the variance. "
        f"Received: epsilon={number!r}"
    )
