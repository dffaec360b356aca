"""Alignment: whether a translator looks where the word that it says stands."""

import numpy as np


def letters_found(weights, spans, source, target, texts):
    """Tells which letters of an answer were said while looking at their source.

    For data of which it is known, as of `zoo.data.dates`, from which letters of
    the text each letter of the answer comes. A piece of the answer is found if
    the heaviest of the text's pieces, and it alone, has such a letter.

    Args:
        weights: Floats `(N, T, S)`, how much each piece of the answer looked at
            each of the text.
        spans: Integers `(N, L, 2)`: from which letter of the text, and up to
            which, each letter of the answer comes; -1 where from none.
        source: `zoo.data.pieces.Pieces` of the texts.
        target: The same, of the answers.
        texts: List of pairs of strings, each a text and its answer, as
            `zoo.data.pieces.normal` gives them.

    Returns:
        `(hits, chance, places)`: booleans `(n,)`, of each piece of an answer
        that comes from somewhere; float64 `(n,)`, the share of the text's
        pieces that would have been right; and integers `(n,)`, which text it
        belongs to.

    Example:

    >>> from zoo.data.pieces import Pieces
    >>> letters = Pieces([" a", " b"], length=4)
    >>> weights = np.array([[[0.9, 0.1], [0.2, 0.8]]])
    >>> spans = np.array([[[0, 1], [0, 1]]])
    >>> hits, chance, _ = letters_found(
    ...     weights, spans, letters, letters, [("ab", "ba")]
    ... )
    >>> hits.tolist(), chance.tolist()
    ([True, False], [0.5, 0.5])
    """
    hits, chance, places = [], [], []
    for place, (text, answer) in enumerate(texts):
        read = np.array(source.spans(text))[: weights.shape[2]]
        said = target.spans(answer)[: weights.shape[1]]
        for row, (first, after) in enumerate(said):
            from_ = spans[place, first:after]
            from_ = from_[from_[:, 0] >= 0]
            if not len(from_):
                continue
            right = (read[:, 0] < from_[:, 1].max()) & (
                read[:, 1] > from_[:, 0].min()
            )
            own = weights[place, row, : len(read)]
            heaviest = own == own.max()
            hits.append(bool((right | ~heaviest).all()))
            chance.append(right.mean())
            places.append(place)
    return np.array(hits), np.array(chance), np.array(places)
