"""Which words of two texts a matcher found alike: a grid for each map.

The left text's words are the rows, the right text's the columns. ABCNN shows
the grid of its first block: of the words where it compares them, else of the
windows, each named by its first and last word. MwAN shows its ways side by
side: which words of right each word of left reads.
"""

from keras_attention import pictures
from keras_attention.pictures import LONGEST, shortened


def alignment_figure(answers, left_length):
    """The alignments as a picture, one pair below the other.

    Args:
        answers: List of answers of `SentenceMatching.look`, one at least.
        left_length: Integer. Words that the network takes of a left text.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no pair.
    """
    if not answers:
        raise ValueError("There must be a pair to look at. Received: none")
    figures = [_figure(answer, left_length) for answer in answers]
    return pictures.stacked(figures)


def _figure(answer, left_length):
    maps = answer["attention"]
    left, right = (
        [_marked(word, unknown) for word in words]
        for words, unknown in zip(
            answer["words"], answer.get("unknown", ((), ()))
        )
    )
    grids = {}
    for name, weights in maps.items():
        layer, _, part = name.rpartition("/")
        if weights.ndim == 2 and part not in ("ways", "output"):
            grids.setdefault(layer, {})[part] = weights
    if not grids:
        name = next(name for name in maps if name.endswith("/output"))
        grids = {name: {"windows": maps[name]}}
    found = next(iter(grids.values()))
    rows, columns = left, right
    if "windows" in found:
        more = len(found["windows"]) - left_length
        rows, columns = _windows(left, more), _windows(right, more)
    found = {
        name: weights[: len(rows), : len(columns)]
        for name, weights in found.items()
    }
    if len(found) == 1:
        (weights,) = found.values()
        return pictures.alignment_matrix(weights, rows, columns, _title(answer))
    top = max(weights.max() for weights in found.values())
    return pictures.alignment_grid(
        found, rows, columns, _title(answer), weights_range=(0, top)
    )


def _windows(words, more):
    """Names of the windows of `more + 1` words, those over an end included."""
    names = []
    for last in range(len(words) + more):
        inside = words[max(0, last - more) : last + 1]
        first, final = inside[0], inside[-1]
        names.append(first if len(inside) == 1 else f"{first}..{final}")
    return names


def _marked(word, unknown):
    """A word in brackets, which no word has itself, if it is unknown."""
    return f"[{shortened(word, LONGEST - 2)}]" if word in unknown else word


def _title(answer):
    """The answer; below it, what was not read and what was not known."""
    if "label" in answer:
        lines = [f"{answer['label']} ({100 * answer['probability']:.0f} %)"]
    else:
        lines = [f"score {answer['score']:.3f}"]
    for side, count in zip(("left", "right"), answer.get("cut", ())):
        if count:
            words = "word" if count == 1 else "words"
            lines.append(f"{side}: {count:,} {words} at its end not read")
    if any(answer.get("unknown", ())):
        lines.append("[...]: not in the vocabulary")
    return "\n".join(lines)
