"""Batches: what a training reads, the same however often it was killed."""

import keras
import numpy as np

from zoo.data.examples import at

STEP = 8  # lengths of sequences that are read are multiples of it
TOGETHER = 50  # batches whose examples are sorted by length


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
        lengths: Integers `(count,)` or `None`. The longest sequence of each
            example, if all that is read and learned are sequences, `(N, T)`.
            Then those of about one length come together, and what is only
            padding of all is left out, up to a multiple of 8; for `read` gives
            longer ones. The longest batch is the first, the shortest the
            second.
        change: Function of what is read of a batch, a list of what is learned
            of it, the epoch and the batch's place in it, that gives both
            again, such as images and masks that are turned alike; or `None`.
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
        lengths=None,
        change=None,
    ):
        super().__init__()
        self.count = count
        self.read = read
        self.learned = (targets,) if weights is None else (targets, weights)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.lengths = None if lengths is None else -(-lengths // STEP) * STEP
        self.change = change
        self.epoch = 0
        self._orders = {}

    def __len__(self):
        return -(-self.count // self.batch_size)

    def __getitem__(self, place):
        epoch = self.epoch
        indices = self._batches(epoch)[place]
        inputs = self.read(indices, epoch, place)
        learned = [at(values, indices) for values in self.learned]
        if self.change is not None:
            inputs, learned = self.change(inputs, learned, epoch, place)
        batch = inputs, *learned
        if self.lengths is None:
            return batch
        longest = self.lengths[indices].max()
        return keras.tree.map_structure(lambda x: x[:, :longest], batch)

    def _batches(self, epoch):
        """The places of the examples of each batch."""
        if epoch not in self._orders:
            self._orders = {epoch: self._dealt(epoch)}
        return self._orders[epoch]

    def _dealt(self, epoch):
        order = np.arange(self.count)
        generator = np.random.default_rng((self.seed, epoch))
        if self.shuffle:
            order = generator.permutation(self.count)
        size = self.batch_size
        if self.lengths is None:
            return np.split(order, range(size, self.count, size))
        together = size * TOGETHER if self.shuffle else self.count
        parts = np.split(order, range(together, self.count, together))
        batches = []
        for part in parts:
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += np.split(part, range(size, len(part), size))
        if self.shuffle:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        # By the first two Keras learns which axes differ between batches.
        longest = [self.lengths[batch].max() for batch in batches]
        ends = [int(np.argmax(longest)), int(np.argmin(longest))]
        rest = [x for i, x in enumerate(batches) if i not in ends]
        first = [batches[i] for i in dict.fromkeys(ends)]
        return first + rest
