"""Word vectors: from a text file, as GloVe and word2vec are given out, or
learned here by counting which words stand near which.
"""

import pathlib
import sys

import numpy as np

from zoo.data import examples
from zoo.data.tokens import Tokens

# Public sets to learn from: their running text.
CORPORA = {"squad": ("context", "question")}


def load_vectors(path, words):
    """Reads the vectors of some words.

    Each line is a word and its numbers, white space between them. A first line
    of two integers, as word2vec writes it, is passed over. Words are looked up
    as they are written, of two lines of one word the first counts.

    Args:
        path: Path of the file, in UTF-8.
        words: List of strings, those that are wanted.

    Returns:
        Dict from word to a float32 array `(D,)`, for each that the file has.

    Raises:
        ValueError: If a line is malformed (file and number are told), or the
            file has none of the words.
    """
    path, wanted, found, depth = pathlib.Path(path), set(words), {}, None
    with open(path, encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            # A word may hold odd white space: numbers are cut off one by one.
            cells = line.rstrip("\r\n ").split(" ")
            if number == 1 and len(cells) == 2:
                continue
            depth = depth or len(cells) - 1
            word = cells[0]
            if word in wanted and word not in found:
                found[word] = _numbers(cells[1:], depth, path, number)
            elif len(cells) <= depth:
                _numbers(cells[1:], depth, path, number)
    if not found:
        raise ValueError(
            "A file of vectors must hold some of the words that are read. "
            f"Received: none of {len(wanted)} in {path}"
        )
    return found


def _numbers(cells, depth, path, number):
    try:
        vector = np.array(cells, "float32")
    except ValueError:
        vector = None
    if vector is None or len(vector) != depth or not np.isfinite(vector).all():
        raise ValueError(
            f"Each line must be a word and {depth} numbers, with single spaces "
            f"between them. Received: {len(cells)} cells after the word in "
            f"{path}, line {number}"
        )
    return vector


def corpus(name):
    """The running text of a public set, its training part.

    Args:
        name: A name in `CORPORA`.

    Returns:
        List of distinct strings.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in CORPORA:
        raise ValueError(
            f"Word vectors are learned from {sorted(CORPORA)}. "
            f"Received: {name!r}"
        )
    builder = examples.public_set(name, sorted(CORPORA))
    builder.download_and_prepare()
    dataset = builder.as_dataset(split="train").batch(1024)
    texts = {}
    for batch in dataset.as_numpy_iterator():
        for feature in CORPORA[name]:
            texts.update(dict.fromkeys(batch[feature].tolist()))
    return [text.decode() for text in texts]


def learn_vectors(texts, words, depth=64, window=5):
    """Vectors of words by the company they keep, learned by counting.

    How often two words stand within a window of each other, a nearer one
    counting more (1 / distance), becomes positive pointwise mutual information,
    contexts smoothed by a power of 0.75, and that a product of two small
    matrices by a singular value decomposition, of which the rows of one, scaled
    to length one, are the vectors (Levy et al. 2015, sections 2 and 3).

    Args:
        texts: List of strings, the more the better; each counts once.
        words: List of distinct words, as `zoo.data.tokens.Tokens` makes them.
        depth: Positive integer, less than the number of words.
        window: Positive integer. Words on either side that count.

    Returns:
        Dict from word to a float32 array `(depth,)` of length one, for each
        that the texts hold beside another.

    Raises:
        ValueError: If `depth` is not less than the number of words.
    """
    import scipy.sparse
    from sklearn.utils.extmath import randomized_svd

    if depth >= len(words):
        raise ValueError(
            "`depth` must be less than the number of words. "
            f"Received: depth={depth}, {len(words)} words"
        )
    ids = _in_one_row(texts, words, window)
    counts = scipy.sparse.csr_matrix((len(words), len(words)))
    for distance in range(1, window + 1):
        first, second = ids[:-distance], ids[distance:]
        both = (first >= 0) & (second >= 0)
        weights = np.full(both.sum(), 1 / distance)
        counts += scipy.sparse.csr_matrix(
            (weights, (first[both], second[both])), shape=counts.shape
        )
    counts = (counts + counts.T).tocoo()
    seen = np.asarray(counts.sum(axis=1)).ravel()
    contexts = seen**0.75 / (seen**0.75).sum()
    information = np.log(
        counts.data / (seen[counts.row] * contexts[counts.col])
    )
    positive = scipy.sparse.csr_matrix(
        (np.maximum(information, 0), (counts.row, counts.col)), counts.shape
    )
    left, values, _ = randomized_svd(positive, depth, random_state=0)
    rows = left * np.sqrt(values)
    lengths = np.linalg.norm(rows, axis=1)
    return {
        word: (row / length).astype("float32")
        for word, row, length in zip(words, rows, lengths)
        if length > 1e-6
    }


def _in_one_row(texts, words, window):
    """Places of all words one after the other, -1 where there is no known one.

    Between two texts stand as many of these as a window is wide.
    """
    places = {word: place for place, word in enumerate(words)}
    tokens = Tokens(words, length=sys.maxsize)
    row = []
    for text in dict.fromkeys(texts):
        row += [places.get(word, -1) for word in tokens.words(text)]
        row += [-1] * window
    return np.array(row)
