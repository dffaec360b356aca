"""The parts of the slow tests: together they are all, and none twice."""

import argparse
from collections import Counter

import pytest

from tests.slow import slow_part, without_other_parts


class Test:
    """As much of a test of pytest's as is asked for."""

    __test__ = False

    def __init__(self, place, slow):
        self.place, self.slow = place, slow

    def get_closest_marker(self, name):
        return self.slow if name == "slow" else None


TESTS = [Test(place, slow=place % 3 == 0) for place in range(31)]


@pytest.mark.parametrize("parts", [1, 2, 4, 20])
def test_the_parts_are_all_slow_tests_once_each(parts):
    ran = Counter()
    for part in range(1, parts + 1):
        kept, left_out = without_other_parts(TESTS, part, parts)
        assert sorted([*kept, *left_out], key=lambda t: t.place) == TESTS
        assert kept == [test for test in TESTS if test in kept]
        assert all(test.slow for test in left_out)
        ran.update(kept)
    assert all(ran[test] == (1 if test.slow else parts) for test in TESTS)


def test_the_first_of_one_part_is_all():
    assert without_other_parts(TESTS, *slow_part("1/1")) == (TESTS, [])
    assert slow_part("2/4") == (2, 4)


@pytest.mark.parametrize(
    "text", ["", "2", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/4/5", "1.0/4"]
)
def test_refuses_what_is_no_part(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be K/N"):
        slow_part(text)
