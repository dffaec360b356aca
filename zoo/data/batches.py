"""Batches: what a training reads, the same however often it was killed."""

import keras
import numpy as np

from zoo.data.examples import at


class Batches(keras.utils.PyDataset):
    """Batches whose content is a function of (seed, epoch, place) alone.

    So a training that was killed goes on as if it had not been.

    Args:
        count: Positive integer. How many examples there are.
        read: Function of places in the data, the epoch and the batch's place in
            it: what the network reads of those examples.
        targets: Array, or dict of arrays, with an entry for each example.
        weights: The same, how much each counts in the loss; `None` for alike.
        batch_size: Positive integer.
        shuffle: Boolean. Whether each epoch has an order of its own.
        seed: Integer.
    """

    def __init__(
        self,
        count,
        read,
        targets,
        weights=None,
        batch_size=128,
        shuffle=False,
        seed=0,
    ):
        super().__init__()
        self.count = count
        self.read = read
        self.learned = (targets,) if weights is None else (targets, weights)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def __len__(self):
        return -(-self.count // self.batch_size)

    def __getitem__(self, place):
        epoch = self.epoch
        start = place * self.batch_size
        indices = self._order(epoch)[start : start + self.batch_size]
        inputs = self.read(indices, epoch, place)
        return inputs, *(at(values, indices) for values in self.learned)

    def _order(self, epoch):
        if not self.shuffle:
            return np.arange(self.count)
        generator = np.random.default_rng((self.seed, epoch))
        return generator.permutation(self.count)
