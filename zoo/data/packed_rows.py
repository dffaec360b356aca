"""Documents as ids, packed into rows that are full.

A language model learns each id by those before it in the same document. Rows
of one document each would be padding for the most part; here several share a
row, and `document_ids` keep them apart.

Each id of a document, its end included, is the target of one place, once, even
where the document goes on in the next row; so the losses of all places add up
to those of the documents, and bits per byte can be computed. What a cut takes
away is what stands before it: the rest of the document is learned without.
"""

import dataclasses
import itertools

import numpy as np

PADDING = 0  # the id, the target and the number of no document

# The columns of `parts`.
DOCUMENT, BEGIN, LENGTH, ROW, COLUMN = range(5)


@dataclasses.dataclass
class PackedRows:
    """Rows of ids, and what is to be said at each place.

    Args:
        token_ids: int32 array `(N, T)`; 0 is padding where `document_ids` is.
        document_ids: int32 array `(N, T)`. Which document of its row each place
            belongs to, 1, 2, and so on; 0 is padding.
        targets: int32 array `(N, T)`. The next id of the same document, be it
            in the next row; 0 where there is none.
        weights: float32 array `(N, T)`. 1 where there is a target, else 0.
        parts: int64 array `(P, 5)`, row by row from left to right: the place of
            the document in the list, from which of its ids on and how many,
            and in which row, from which column on.
        start: Integer or `None`, the id that each document begins with.
    """

    token_ids: np.ndarray
    document_ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    parts: np.ndarray
    start: int | None

    def __len__(self):
        return len(self.token_ids)

    @property
    def padding(self):
        """Float. The share of places that hold no document."""
        return 1 - self.parts[:, LENGTH].sum() / self.token_ids.size

    @property
    def cut(self):
        """Integer. How many documents lie in more than one part."""
        return int((np.bincount(self.parts[:, DOCUMENT]) > 1).sum())

    def documents(self):
        """The documents, as they were packed.

        Returns:
            List of int32 arrays, the ids of each without `start`, in the order
            of the list that was given.
        """
        parts, flat = self.parts, self.token_ids.reshape(-1)
        order = np.lexsort((parts[:, BEGIN], parts[:, DOCUMENT]))
        parts = parts[order]
        ids = flat[_places(self._first(parts), parts[:, LENGTH])]
        lengths = np.bincount(parts[:, DOCUMENT], parts[:, LENGTH])
        ends = np.cumsum(lengths.astype("int64"))
        skip = self.start is not None
        return [each[skip:] for each in np.split(ids, ends[:-1])]

    def sums(self, values):
        """Adds up what each place counts, such as its loss, by document.

        Args:
            values: Numbers `(N, T)`. Those without a target do not count.

        Returns:
            float64 array `(D,)`, in the order of the list that was given.

        Raises:
            ValueError: If the shape is another one.
        """
        values = np.asarray(values, "float64")
        if values.shape != self.token_ids.shape:
            raise ValueError(
                "There must be a value for each place of the rows, "
                f"{self.token_ids.shape}. Received: values of shape "
                f"{values.shape}"
            )
        parts = self.parts
        places = _places(self._first(parts), parts[:, LENGTH])
        counted = self.weights.reshape(-1)[places] > 0
        return np.bincount(
            np.repeat(parts[:, DOCUMENT], parts[:, LENGTH])[counted],
            values.reshape(-1)[places[counted]],
            minlength=parts[:, DOCUMENT].max() + 1,
        )

    def _first(self, parts):
        """The first place of each part among those of all rows."""
        return parts[:, ROW] * self.token_ids.shape[1] + parts[:, COLUMN]


def pack_rows(
    documents, length, start=None, end=None, whole=True, seed=None, epoch=0
):
    """Packs documents into rows.

    With `whole=True` a document that fits into a row is never cut, so that all
    of it can be told by its beginning. The longest is packed first, into the
    row that it fills best; what is longer than a row fills rows, and its rest
    is packed as others are. Of the paragraphs of SQuAD in 8,000 pieces, 187 in
    the mean, 0.5 % are padding in rows of 512, and 12 % in rows of 256, which
    two of them seldom share.

    With `whole=False` they fill all rows but the last, one after the other, and
    are cut where a row ends: where rows are hardly longer than documents, that
    takes fewer of them.

    There are as many rows in every epoch.

    Args:
        documents: List of lists or arrays of integers of at least 0, the ids of
            each document, one at least.
        length: Integer of at least 2. Places in a row.
        start: Integer of at least 0, or `None`. An id that goes before each
            document; without it the first id is no target.
        end: Integer of at least 0, or `None`. The target of the last id;
            without it that has no target.
        whole: Boolean. Whether documents that fit into a row stay whole.
        seed: Integer of at least 0, or `None`. Seed of the order of documents
            and rows; `None` leaves them in their order.
        epoch: Integer of at least 0. Each has an order of its own.

    Returns:
        `PackedRows`.

    Raises:
        ValueError: If an argument is out of range, or there is nothing to pack.

    Example:

    >>> rows = pack_rows([[5, 6, 7], [8]], length=4, start=1, end=0)
    >>> rows.token_ids.tolist()
    [[1, 5, 6, 7], [1, 8, 0, 0]]
    >>> rows.targets.tolist()
    [[5, 6, 7, 0], [8, 0, 0, 0]]
    >>> rows.weights.tolist()
    [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]]
    """
    _check(length, start, end, seed, epoch)
    ids, sizes = _flat(documents)
    generator = None
    order = np.arange(len(sizes))
    if seed is not None:
        generator = np.random.default_rng((seed, epoch))
        order = generator.permutation(len(sizes))
    tokens, targets, weights, counts = _learned(ids, sizes, start, end)
    begins = np.cumsum(counts) - counts
    pack = _whole if whole else _one_after_the_other
    parts, rows = pack(counts[order], length)
    parts[:, DOCUMENT] = order[parts[:, DOCUMENT]]
    if whole and generator is not None:
        # Else the longest documents would come first.
        parts[:, ROW] = generator.permutation(rows)[parts[:, ROW]]
    parts = parts[np.lexsort((parts[:, COLUMN], parts[:, ROW]))]
    source = _places(
        begins[parts[:, DOCUMENT]] + parts[:, BEGIN], parts[:, LENGTH]
    )
    place = _places(parts[:, ROW] * length + parts[:, COLUMN], parts[:, LENGTH])

    def laid_out(values, dtype):
        laid = np.full(rows * length, PADDING, dtype)
        laid[place] = values
        return laid.reshape(rows, length)

    return PackedRows(
        laid_out(tokens[source], "int32"),
        laid_out(np.repeat(_numbers(parts), parts[:, LENGTH]), "int32"),
        laid_out(targets[source], "int32"),
        laid_out(weights[source], "float32"),
        parts,
        start,
    )


def _check(length, start, end, seed, epoch):
    least = {"length": (length, 2), "epoch": (epoch, 0)}
    given = {"start": start, "end": end, "seed": seed}
    least |= {name: (x, 0) for name, x in given.items() if x is not None}
    for name, (value, lowest) in least.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, np.integer))
            or value < lowest
        ):
            raise ValueError(
                f"`{name}` must be an integer of at least {lowest}. "
                f"Received: {name}={value!r}"
            )


def _flat(documents):
    """All ids one after the other, and how many each document has."""
    sizes = np.array([len(each) for each in documents], "int64")
    if not len(sizes) or sizes.min() < 1:
        empty = f", none at place {sizes.argmin()}" if len(sizes) else ""
        raise ValueError(
            "There must be a document to pack, and an id in each. "
            f"Received: {len(sizes)} documents{empty}"
        )
    if all(isinstance(each, np.ndarray) for each in documents):
        ids = np.concatenate(documents)
    else:
        # An array of each would take longer than all else.
        ids = np.array(list(itertools.chain.from_iterable(documents)))
    if ids.dtype.kind not in "iu" or ids.min() < 0 or ids.max() >= 2**31:
        raise ValueError(
            "Ids must be integers of at least 0 that int32 holds. Received: "
            f"{ids.dtype} from {ids.min()} to {ids.max()}"
        )
    return ids.astype("int32"), sizes


def _learned(ids, sizes, start, end):
    """What is read and what is to be said, documents one after the other.

    Returns:
        `(tokens, targets, weights, counts)`, `counts` being how many places
        each document takes.
    """
    first, last = start is not None, end is not None
    marked = sizes + first + last
    ends = np.cumsum(marked)
    every = np.empty(ends[-1], "int32")
    own = np.ones(len(every), bool)
    if first:
        every[ends - marked] = start
        own[ends - marked] = False
    if last:
        every[ends - 1] = end
        own[ends - 1] = False
    every[own] = ids
    targets = np.append(every[1:], PADDING)
    weights = np.ones(len(every), "float32")
    targets[ends - 1], weights[ends - 1] = PADDING, 0
    read = np.ones(len(every), bool)
    # Nothing is said after the end, so nothing reads it.
    read[ends - 1] = not last
    return every[read], targets[read], weights[read], marked - last


def _one_after_the_other(counts, length):
    """Parts of documents that are cut where rows end, and how many rows."""
    ends = np.cumsum(counts)
    total = ends[-1]
    begins = np.union1d(ends - counts, np.arange(0, total, length))
    parts = np.empty((len(begins), 5), "int64")
    document = np.searchsorted(ends, begins, "right")
    parts[:, DOCUMENT] = document
    parts[:, BEGIN] = begins - (ends - counts)[document]
    parts[:, LENGTH] = np.diff(begins, append=total)
    parts[:, ROW], parts[:, COLUMN] = begins // length, begins % length
    return parts, int(-(-total // length))


def _whole(counts, length):
    """Parts of documents that are cut only if longer than a row."""
    pieces = -(-counts // length)
    document = np.repeat(np.arange(len(counts)), pieces)
    parts = np.zeros((len(document), 5), "int64")
    parts[:, DOCUMENT] = document
    parts[:, BEGIN] = _places(np.zeros_like(pieces), pieces) * length
    parts[:, LENGTH] = np.minimum(counts[document] - parts[:, BEGIN], length)
    rows = 0
    # Rows by the room that is left in them; a bit is set where there are some.
    free, rooms = [[] for _ in range(length + 1)], 0
    for place in np.argsort(-parts[:, LENGTH], kind="stable"):
        size = int(parts[place, LENGTH])
        enough = rooms >> size << size
        if enough:
            room = (enough & -enough).bit_length() - 1
            row = free[room].pop()
            if not free[room]:
                rooms ^= 1 << room
        else:
            room, row, rows = length, rows, rows + 1
        parts[place, ROW], parts[place, COLUMN] = row, length - room
        if left := room - size:
            free[left].append(row)
            rooms |= 1 << left
    return parts, rows


def _numbers(parts):
    """Which of its row each part is, 1, 2, and so on; they are row by row."""
    rows = parts[:, ROW]
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    counts = np.diff(begins, append=len(rows))
    return _places(np.ones_like(counts), counts)


def _places(begins, counts):
    """From each of the beginnings as many places as are counted, joined."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) + np.repeat(begins - (ends - counts), counts)
