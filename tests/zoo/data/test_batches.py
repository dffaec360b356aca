"""Batches of sequences: those of about one length together, and cut."""

import numpy as np
import pytest

from zoo.data.batches import Batches

COUNT, LENGTH, SIZE = 100, 30, 8


def sequences(seed=0):
    """Ids whose padding is zero, and how many of each are none."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, LENGTH + 1, COUNT)
    ids = np.arange(1, COUNT + 1)[:, None] * np.ones((1, LENGTH), "int32")
    ids[np.arange(LENGTH) >= lengths[:, None]] = 0
    return ids.astype("int32"), lengths


def batches_of(ids, lengths, shuffle=True, epoch=0, size=SIZE):
    def read(indices, epoch, place):
        return {"left": ids[indices], "right": -ids[indices]}

    found = Batches(
        len(ids), read, 2 * ids, None, size, shuffle, 5, lengths=lengths
    )
    found.epoch = epoch
    return [found[place] for place in range(len(found))]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("count", [COUNT, 8, 3])
def test_every_example_comes_once_and_whole(shuffle, count):
    ids, lengths = (x[:count] for x in sequences())
    seen = []
    for inputs, targets in batches_of(ids, lengths, shuffle):
        own = inputs["left"][:, 0] - 1
        seen += own.tolist()
        width = inputs["left"].shape[1]
        assert width == min(LENGTH, -(-lengths[own].max() // 8) * 8)
        np.testing.assert_array_equal(inputs["left"], ids[own, :width])
        np.testing.assert_array_equal(inputs["right"], -inputs["left"])
        np.testing.assert_array_equal(targets, 2 * inputs["left"])
    assert sorted(seen) == list(range(count))


@pytest.mark.parametrize("epoch", range(3))
def test_the_longest_comes_first_and_the_shortest_second(epoch):
    widths = [x[1].shape[1] for x in batches_of(*sequences(), epoch=epoch)]
    assert widths[0] == max(widths) and widths[1] == min(widths)
    assert widths[0] > widths[1]


def test_little_is_padding_and_epochs_differ():
    ids, lengths = sequences()
    first, again, other = (
        batches_of(ids, lengths, epoch=epoch) for epoch in (0, 0, 1)
    )
    padded = sum((x[1] == 0).sum() for x in first)
    assert padded < 0.4 * (ids == 0).sum()
    orders = [
        [row for x in each for row in x[1][:, 0]]
        for each in (first, again, other)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_lengths_of_one_step_leave_one_width():
    ids = np.ones((20, 8), "int32")
    found = batches_of(ids, np.full(20, 5))
    assert {x[1].shape for x in found} == {(8, 8), (4, 8)}


def test_what_is_read_and_what_is_learned_may_change_together():
    values = np.arange(6.0)[:, None]

    def change(inputs, learned, epoch, place):
        targets, weights = learned
        return -inputs, [targets + 10 * epoch + place, 2 * weights]

    batches = Batches(
        *(6, lambda indices, epoch, place: values[indices], values),
        weights=np.ones((6, 1)),
        batch_size=4,
        change=change,
    )
    batches.epoch = 1
    inputs, targets, weights = batches[1]
    np.testing.assert_array_equal(inputs, -values[4:])
    np.testing.assert_array_equal(targets, values[4:] + 11)
    np.testing.assert_array_equal(weights, [[2], [2]])
