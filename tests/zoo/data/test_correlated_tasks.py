"""The synthetic tasks: as alike as one asks for, and the same every time."""

import numpy as np
import pytest

from zoo.data.correlated_tasks import NOISE, correlated_tasks


def arrays(data):
    inputs = [v for name, v in data.columns.items() if name[0] == "x"]
    return np.stack(inputs, axis=1), [data.columns[x] for x in data.targets]


def directions(data):
    """Cosine of the two directions on which the labels depend.

    Of normal inputs, the mean of `x y` points along the direction that a
    function of one projection depends on (Stein's lemma).
    """
    x, labels = arrays(data)
    first, second = (x.T @ y / len(y) for y in labels)
    return first @ second / np.linalg.norm(first) / np.linalg.norm(second)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 1.0])
def test_the_directions_are_as_alike_as_one_asks_for(correlation):
    data = correlated_tasks(40_000, correlation, features=5)
    assert directions(data) == pytest.approx(correlation, abs=0.05)


def test_labels_grow_alike_and_are_one_function_at_last():
    found = []
    for correlation in (0.0, 0.5, 0.9, 1.0):
        _, (first, second) = arrays(correlated_tasks(5000, correlation))
        found.append(np.corrcoef(first, second)[0, 1])
    assert abs(found[0]) < 0.05
    assert found == sorted(found) and found[-1] > 0.98
    difference = np.std(first - second)
    assert difference == pytest.approx(NOISE * 2**0.5, rel=0.05)


def test_a_label_is_a_bent_function_of_one_projection():
    data = correlated_tasks(4000, features=2, scale=1.0)
    x, (first, _) = arrays(data)
    world = np.random.default_rng((0, 0))
    along = x @ np.linalg.qr(world.normal(size=(2, 2)))[0][:, 0]
    phases = world.uniform(0, 2 * np.pi, 5)
    waves = sum(np.sin(n * along + phases[n - 1]) for n in range(1, 6))
    rest = first - along - waves
    assert np.std(rest) == pytest.approx(NOISE, rel=0.05)
    assert abs(rest.mean()) < 0.01


def test_another_draw_has_other_rows_of_the_same_world():
    first, again = correlated_tasks(50, draw=1), correlated_tasks(50, draw=1)
    assert first.sha256() == again.sha256()
    assert len(first) == 50 and first.targets == ["task_1", "task_2"]
    assert list(first.columns)[:2] == ["x_1", "x_2"]
    assert len(first.columns) == 102
    options = {"features": 3, "scale": 1.0}
    other = correlated_tasks(20_000, draw=2, **options)
    same = correlated_tasks(20_000, draw=3, **options)
    new = correlated_tasks(20_000, draw=3, seed=1, **options)
    assert other.columns["x_1"][0] != same.columns["x_1"][0]
    slopes = []
    for data in (other, same, new):
        x, (label, _) = arrays(data)
        slopes.append(x.T @ label / len(label))
    assert np.abs(slopes[0] - slopes[1]).max() < 0.1
    assert np.abs(slopes[0] - slopes[2]).max() > 0.2
    # The rows, not the labels, are the draw's.
    less = correlated_tasks(20_000, 0.1, draw=3, **options)
    np.testing.assert_array_equal(less.columns["x_1"], same.columns["x_1"])


def test_says_how_it_was_made():
    data = correlated_tasks(10, 0.9, seed=4, draw=2)
    assert data.split == "10 of world 4, draw 2, correlation 0.9"
    assert data.describe()["licence_class"] == "A"


@pytest.mark.parametrize(
    "options, why",
    [
        ({"correlation": 1.5}, "correlation=1.5"),
        ({"correlation": -0.1}, "correlation=-0.1"),
        ({"features": 1}, "features=1"),
        ({"count": 0}, "count=0"),
    ],
)
def test_refuses_what_cannot_be_made(options, why):
    with pytest.raises(ValueError, match=why):
        correlated_tasks(**{"count": 5, **options})
