"""Where a classifier looked in a text: its words on the colour of their weight.

A word's colour is its weight, from white to amber, the text's strongest word in
full. Where a model reads by sentences it is the word's weight times the root of
the sentence's, as in Yang et al. (2016, section 3.6): words of a sentence that
does not matter stay pale. In front of a sentence stands its own weight.

A word that is not in the vocabulary stands in brackets: the model reads all
such words alike. What was not read, the text being too long, is counted where
it is missing.
"""

import math

import numpy as np

from keras_attention.lettering import INK, printable, shortened, width
from keras_attention.pictures import text_page
from keras_attention.pictures.words import LINE, strength_color, text_figure

MARGIN = 6  # characters of a line, of which a sentence's weight takes some
MOST = 5  # words named below a text
HEADS = 48  # of all layers, on a page of HTML; the last ones
SPANS = 100_000  # coloured words of all heads, or a page would be too large


def words_page(answers, keep="first"):
    """The texts for the terminal.

    Args:
        answers: List of answers of `TextClassification.look`.
        keep: `"first"` or `"last"`. Which words of a long text were read.

    Returns:
        What `rich.console.Console.print` takes.
    """
    from rich.console import Group
    from rich.text import Text

    lines = []
    for answer in answers:
        lines.append(Text(_title(answer), style="bold"))
        before, after = _unread(answer, keep)
        lines += [Text(line, style="italic") for line in before]
        for weight, words in _sentences(answer):
            line = Text()
            if weight is not None:
                line.append(f"{weight:.2f}", _style(weight))
                line.append("  ")
            for word, _, strength in words:
                line.append(shortened(word, LINE), _style(strength))
                line.append(" ")
            lines.append(line)
        notes = [*after, _most(answer), *_unknown(answer)]
        lines += [Text(line, style="italic") for line in notes] + [Text()]
    return Group(*lines)


def words_figure(answers, keep="first"):
    """The texts as a picture.

    Letters that no font of this machine has are drawn as boxes, and a line at
    the end says so; `words_page` has them all.

    Args:
        answers: List of answers of `TextClassification.look`.
        keep: As in `words_page`.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no text.
    """
    if not answers:
        raise ValueError("There must be a text to look at. Received: none")
    placed, height = _layout(answers, keep)
    return text_figure(placed, height, ("weight 0", "the greatest of its text"))


def words_html(answers, keep="first"):
    """The texts as a page of HTML, `keras_attention.pictures.text_page`.

    A word's colour is its share of the whole text. More maps can be chosen: the
    weights of sentences, and of the last heads of the network how much each
    word is read by them, the mean over all words that read.

    Args:
        answers: List of answers of `TextClassification.look`.
        keep: As in `words_page`.

    Returns:
        A string.

    Raises:
        ValueError: If there is no text.
    """
    if not answers:
        raise ValueError("There must be a text to look at. Received: none")
    count = sum(
        len(words) for answer in answers for _, words in _sentences(answer)
    )
    heads = min(HEADS, SPANS // max(1, count))
    return text_page([_shown(answer, keep, heads) for answer in answers])


def _shown(answer, keep, heads):
    """An answer as `text_page` takes a text."""
    sentences = _sentences(answer)
    lines = [[word for word, _, _ in words] for _, words in sentences]
    before, after = _unread(answer, keep)
    text = {
        "title": _title(answer),
        "probabilities": answer.get("probabilities"),
        "notes": [*before, *after, _most(answer), *_unknown(answer)],
    }
    flat = [word for _, words in sentences for word in words]
    if not flat:  # a page shows no empty text
        return {**text, "words": ["·"], "weights": np.zeros(1)}
    weights = {"words": np.array([share for _, share, _ in flat])}
    if sentences[0][0] is not None:
        weights["sentences"] = np.repeat(
            [weight for weight, _ in sentences], [len(line) for line in lines]
        )
    weights |= dict(_heads(answer, len(flat))[-heads:] if heads else ())
    return {**text, "words": lines, "weights": weights}


def _heads(answer, count):
    """Pairs of a head's name and how much each word is read by it."""
    return [
        (f"{name} head {number}", head[:count, :count].mean(axis=0))
        for name, weights in answer.get("attention", {}).items()
        if np.ndim(weights) == 3 and weights.shape[2] >= count
        for number, head in enumerate(weights, start=1)
    ]


def _sentences(answer):
    """Pairs of a sentence's weight, or None, and its words.

    A word is `(word, share of the whole text, strength of its colour)`.
    """
    sentences, unknown = answer["words"], set(answer.get("unknown", ()))
    if sentences and isinstance(sentences[0], tuple):
        sentences = [{"weight": None, "words": sentences}]
    strongest = max(
        (
            math.sqrt(_own(sentence)) * weight
            for sentence in sentences
            for _, weight in sentence["words"]
        ),
        default=0,
    )
    return [
        (
            sentence["weight"],
            [
                (
                    _marked(word, unknown),
                    _own(sentence) * weight,
                    math.sqrt(_own(sentence)) * weight / (strongest or 1),
                )
                for word, weight in sentence["words"]
            ],
        )
        for sentence in sentences
    ]


def _marked(word, unknown):
    """A word in brackets, which no word has itself, if it is unknown."""
    shown = shortened(printable(word), LINE - MARGIN - 4)
    return f"[{shown}]" if word in unknown else shown


def _unknown(answer):
    """The line that says what brackets are, if there are any."""
    count = len(answer.get("unknown", ()))
    return [f"[...]: not in the vocabulary ({count:,})"] if count else []


def _unread(answer, keep):
    """Lines before and after the words, for those that were not read."""
    count = answer.get("cut", 0)
    if not count:
        return [], []
    words = f"{count:,} word was" if count == 1 else f"{count:,} words were"
    if keep == "last":
        return [f"(the first {words} not read) ..."], []
    return [], [f"... (the last {words} not read)"]


def _own(sentence):
    return 1.0 if sentence["weight"] is None else sentence["weight"]


def _layout(answers, keep):
    """Pieces `(x, y, text, strength, font weight)`, and the lines they take."""
    placed, y = [], 0.5
    for answer in answers:
        title = shortened(_title(answer), LINE - 2)
        placed.append((1, y, title, 0, "bold"))
        y += 1.2
        before, after = _unread(answer, keep)
        for line in before:
            placed.append((1, y, line, 0, "normal"))
            y += 1
        for weight, words in _sentences(answer):
            left = x = 1 if weight is None else 1 + MARGIN
            if weight is not None:
                placed.append((1, y, f"{weight:.2f}", weight, "normal"))
            for word, _, strength in words:
                word = shortened(word, LINE - left - 1)
                if x > left and x + width(word) > LINE - 1:
                    x, y = left, y + 1
                placed.append((x, y, word, strength, "normal"))
                x += width(word) + 1
            y += 1
        for line in (*after, _most(answer), *_unknown(answer)):
            line = shortened(line, LINE - 2)
            placed.append((1, y + 0.2, line, 0, "normal"))
            y += 1
        y += 1
    return placed, y


def _title(answer):
    return f"{answer['label']} ({100 * answer['probability']:.0f} %)"


def _most(answer):
    """The words that have most of the weight, for those who see no colour."""
    words = [word for _, words in _sentences(answer) for word in words]
    if not words:
        return "no words"
    words.sort(key=lambda word: -word[1])
    most = (
        f"{_brief(word)} {100 * share:.0f} %" for word, share, _ in words[:MOST]
    )
    return f"most weight: {', '.join(most)}"


def _brief(word):
    """A word as `_marked` gives it, short enough for a line of several."""
    if word.startswith("["):
        return f"[{shortened(word[1:-1], LINE // MOST - 2)}]"
    return shortened(word, LINE // MOST)


def _style(strength):
    return f"{INK} on {strength_color(strength)}"
