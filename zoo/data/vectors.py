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
    of two integers, as word2vec writes it, says how many words and numbers
    there are. Words are looked up as they are written, of two lines of one word
    the first counts. What stands before the numbers is one word, even if there
    is white space in it, as in some of GloVe.

    Args:
        path: Path of the file, in UTF-8.
        words: List of strings, those that are wanted.

    Returns:
        Dict from word to a float32 array `(D,)`, for each that the file has.

    Raises:
        ValueError: If a line has too few numbers, or that of a wanted word
            something else (file and number are told), or the file has none of
            the words.
    """
    # As bytes: of those, white space is none but ASCII's, and what is no UTF-8
    # is in no word that is wanted.
    wanted = {word.encode(): word for word in words}
    path, found, depth = pathlib.Path(path), {}, -1
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.isspace():
                continue
            cells = line.rsplit(maxsplit=depth)
            if depth < 0:
                if len(cells) == 2 and all(map(bytes.isdigit, cells)):
                    depth = int(cells[1])
                    continue
                depth = max(1, _numbers_at_end(cells[1:]))
                cells = line.rsplit(maxsplit=depth)
            if len(cells) <= depth or cells[0] in wanted:
                text = line[:50].decode(errors="replace")
                where = f"{path}, line {number}: {text!r}"
                vector = _numbers(cells[1:], depth, where)
                found.setdefault(wanted[cells[0]], vector)
    if not found:
        raise ValueError(
            "A file of vectors must hold some of the words that are read. "
            f"Received: none of {len(wanted)} in {path}"
        )
    return found


def _numbers_at_end(cells):
    for count, cell in enumerate(reversed(cells)):
        try:
            float(cell)
        except ValueError:
            return count
    return len(cells)


def _numbers(cells, depth, where):
    try:
        vector = np.array(cells, "float32")
    except ValueError:
        vector = np.empty(0)
    if len(vector) < depth or not np.isfinite(vector).all():
        raise ValueError(
            "Each line must be a word and its numbers, as many as the first "
            f"line has or says. Received: {where}"
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
    builder = examples.public_set(name, ", ".join(CORPORA))
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
        whose company tells something of it.

    Raises:
        ValueError: If `depth` is not less than the number of words, or no two
            of them stand within a window of each other.
    """
    import scipy.sparse
    from sklearn.utils.extmath import randomized_svd

    if not 0 < depth < len(words):
        raise ValueError(
            "`depth` must be positive and less than the number of words. "
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
    if not counts.nnz:
        raise ValueError(
            "Texts must hold words that are known within a window of each "
            f"other. Received: none within window={window}"
        )
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
    return np.array(row, "int64")
