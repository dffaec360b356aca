"""Where a classifier looked in a text: its words on the colour of their weight.

A word's colour is its weight, from white to amber, the text's strongest word in
full. Where a model reads by sentences it is the word's weight times the root of
the sentence's, as in Yang et al. (2016, section 3.6): words of a sentence that
does not matter stay pale. In front of a sentence stands its own weight.
"""

import math

from keras_attention.pictures import INK, printable, shortened

AMBER = (255, 176, 0)
COLUMNS = 84  # characters in a line of the figure
MARGIN = 6  # of which a sentence's weight takes some
FONT_SIZE = 9
MOST = 5  # words named below a text


def words_page(answers):
    """The texts for the terminal, or for `rich`'s HTML.

    Args:
        answers: List of answers of `TextClassification.look`.

    Returns:
        What `rich.console.Console.print` takes.
    """
    from rich.console import Group
    from rich.text import Text

    lines = []
    for answer in answers:
        lines.append(Text(_title(answer), style="bold"))
        for weight, words in _sentences(answer):
            line = Text()
            if weight is not None:
                line.append(f"{weight:.2f}", _style(weight))
                line.append("  ")
            for word, _, strength in words:
                line.append(shortened(word, COLUMNS), _style(strength))
                line.append(" ")
            lines.append(line)
        lines += [Text(_most(answer), style="italic"), Text()]
    return Group(*lines)


def words_figure(answers):
    """The texts as a picture.

    Letters that matplotlib's own font lacks are drawn as boxes; `words_page`
    has them all.

    Args:
        answers: List of answers of `TextClassification.look`.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it.

    Raises:
        ValueError: If there is no text.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    if not answers:
        raise ValueError("There must be a text to look at. Received: none")
    placed, height = _layout(answers)
    wide, high = COLUMNS * FONT_SIZE * 0.62 / 72, height * FONT_SIZE * 1.7 / 72
    figure = Figure((wide, high), dpi=110)
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, COLUMNS), ylim=(height, 0))
    ax.set_axis_off()
    for x, y, text, strength, weight in placed:
        if strength:
            box = Rectangle(
                (x - 0.3, y + 0.08),
                len(text) + 0.6,
                0.84,
                color=_color(strength),
                linewidth=0,
            )
            ax.add_patch(box)
        ax.text(
            x,
            y + 0.5,
            text,
            family="monospace",
            size=FONT_SIZE,
            weight=weight,
            color=INK,
            va="center",
            parse_math=False,
        )
    return figure


def _sentences(answer):
    """Pairs of a sentence's weight, or None, and its words.

    A word is `(word, share of the whole text, strength of its colour)`.
    """
    sentences = answer["words"]
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
                    printable(word),
                    _own(sentence) * weight,
                    math.sqrt(_own(sentence)) * weight / (strongest or 1),
                )
                for word, weight in sentence["words"]
            ],
        )
        for sentence in sentences
    ]


def _own(sentence):
    return 1.0 if sentence["weight"] is None else sentence["weight"]


def _layout(answers):
    """Pieces `(x, y, text, strength, font weight)`, and the lines they take."""
    placed, y = [], 0.5
    for answer in answers:
        placed.append((1, y, _title(answer), 0, "bold"))
        y += 1.2
        for weight, words in _sentences(answer):
            left = x = 1 if weight is None else 1 + MARGIN
            if weight is not None:
                placed.append((1, y, f"{weight:.2f}", weight, "normal"))
            for word, _, strength in words:
                word = shortened(word, COLUMNS - left - 1)
                if x > left and x + len(word) > COLUMNS - 1:
                    x, y = left, y + 1
                placed.append((x, y, word, strength, "normal"))
                x += len(word) + 1
            y += 1
        most = shortened(_most(answer), COLUMNS - 2)
        placed.append((1, y + 0.2, most, 0, "normal"))
        y += 2
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
        f"{shortened(word, COLUMNS // MOST)} {100 * share:.0f} %"
        for word, share, _ in words[:MOST]
    )
    return f"most weight: {', '.join(most)}"


def _style(strength):
    return f"{INK} on {_color(strength)}"


def _color(strength):
    """White to amber, as `#rrggbb`."""
    strength = min(1.0, max(0.0, strength))
    mixed = (round(255 + (part - 255) * strength) for part in AMBER)
    return "#" + "".join(f"{part:02x}" for part in mixed)
