"""The copying task: what is drawn, for how long it is silent, and chance."""

import math

import numpy as np
import pytest

from zoo.data.copying import BLANKS, PARTS, chance, copying


def test_what_is_said_was_read_before_the_silence():
    made = copying(200, seed=3, blanks=7)
    for read, said in zip(made.read, made.said):
        assert read == f"{said}......:" and len(said) == 10
        assert set(said) <= set("12345678")
    assert made.spans.shape == (200, 10, 2)
    assert made.spans[5].tolist() == [[k, k + 1] for k in range(10)]


def test_figures_are_drawn_alike_and_by_the_seed():
    made = copying(2000, seed=1)
    counts = np.bincount([int(x) for said in made.said for x in said])
    assert counts[0] == 0 and len(counts) == 9
    np.testing.assert_allclose(counts[1:] / 20_000, 1 / 8, atol=0.01)
    assert copying(20, 1).said == made.said[:20]
    assert copying(20, 2).said != made.said[:20]
    (_, train), (_, test) = PARTS["train"], PARTS["test"]
    assert train != test


def test_chance_is_that_of_the_paper():
    # Sparse attentive backtracking and others state it for 50, 100 and 200.
    assert [round(chance(n), 3) for n in BLANKS.values()] == [
        *(0.297, 0.173, 0.095),
    ]
    # Of the figures alone it is log 8.
    assert chance(50) * (50 + 20) / 10 == pytest.approx(math.log(8))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"blanks": 0}])
def test_refuses_what_is_no_task(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name}={value}"):
        copying(**{"count": 1, **wrong})
