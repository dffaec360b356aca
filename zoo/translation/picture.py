"""Where a translator looked: the words of both texts against each other.

The words that were said are the rows, those that were read the columns. Of a
word in several pieces, what its pieces were given is summed, and what its
pieces looked at is averaged. A network that looks by several layers has a panel
for each, heads averaged.
"""

import numpy as np

from keras_attention import pictures
from keras_attention.lettering import printable


def alignment_figure(answers):
    """The alignments as a picture, one text below the other.

    Args:
        answers: List of answers of `Translation.look`, one at least.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no text.
    """
    if not answers:
        raise ValueError("There must be a text to look at. Received: none")
    return pictures.stacked([_figure(answer) for answer in answers])


def alignments(answer):
    """How much each word that was said looked at each that was read.

    Args:
        answer: An answer of `Translation.look`.

    Returns:
        `(rows, columns, maps)`: the words that were said, those that were read,
        and a dict from map to floats `(len(rows), len(columns))`.
    """
    said, read = answer["words"], answer["source"]
    rows, columns = _whole_words(said), _whole_words(read)
    maps = {}
    for name, weights in answer["attention"].items():
        weights = np.asarray(weights, "float64")
        while weights.ndim > 2:  # heads
            weights = weights.mean(axis=1)
        weights = weights[: len(said), : len(read)]
        weights = _joined(weights.T, columns, np.sum).T
        maps[name] = _joined(weights, rows, np.mean)
    return _named(said, rows), _named(read, columns), maps


def _figure(answer):
    rows, columns, maps = alignments(answer)
    title = answer["translation"]
    if not rows or not columns:
        rows, columns = rows or ["(nothing)"], columns or ["(nothing)"]
        maps = {name: np.zeros((len(rows), len(columns))) for name in maps}
    options = {"roles": ("said", "read"), "weights_range": (0, 1)}
    if len(maps) == 1:
        (weights,) = maps.values()
        return pictures.alignment_matrix(
            weights, rows, columns, title, **options
        )
    return pictures.alignment_grid(maps, rows, columns, title, **options)


def _whole_words(pieces):
    """Lists of places of pieces that make a word, a figure or a mark."""
    words, before = [], " "
    for place, piece in enumerate(pieces):
        goes_on = piece[:1].isalpha() and before[-1:].isalpha()
        if goes_on and words:
            words[-1].append(place)
        else:
            words.append([place])
        before = piece
    return words


def _named(pieces, words):
    return [
        printable("".join(pieces[place] for place in word).strip() or "·")
        for word in words
    ]


def _joined(weights, words, join):
    """Rows of pieces as rows of words."""
    if not words:
        return weights[:0]
    return np.stack([join(weights[word], axis=0) for word in words])
