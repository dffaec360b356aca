"""Text in pictures: drawn as it is, in a font that has its signs.

Labels and words may be anything that a file held. All text that reaches
matplotlib goes through `write`, and `unshown` tells what no font can draw.
"""

import functools
import re
import textwrap
import unicodedata
import warnings

INK = "#333333"
NAMED = 5  # signs that a note names
# Fonts whose signs are not what their codes say, or boxes.
ODD_FONTS = re.compile(r"\.?Last ?Resort|cm\w{1,3}10$|.*(NotDef|Blank)")


def write(put, text, family=None, **style):
    """Hands a text to matplotlib: no formula in it, no sign that steers.

    Args:
        put: What takes the text, such as `ax.set_title`; or a function of a
            list of texts.
        text: String, which may have several lines; or a list of strings.
        family: String, a matplotlib font family; `None` is the default.
        **style: Of the text, for matplotlib.

    Returns:
        What `put` returns.
    """
    if isinstance(text, str):
        every = text = _lines_printable(text)
    else:
        text = [printable(each) for each in text]
        every = "".join(text)
    style = {"color": INK, **style}
    families = list(_fonts(every, family)[0])
    return put(text, parse_math=False, family=families, **style)


def printable(text, sign="·"):
    r"""A text in which a sign stands for each that cannot be printed.

    Args:
        text: String.
        sign: String.

    Returns:
        String.

    Example:

    >>> printable("tab\tbed")
    'tab·bed'
    """
    return "".join(each if each.isprintable() else sign for each in text)


def _lines_printable(text):
    return "\n".join(map(printable, text.split("\n")))


def width(text):
    """How many letters wide a text is drawn; an ideograph is as wide as two.

    Args:
        text: String.

    Returns:
        Integer.

    Example:

    >>> width("film"), width("电影")
    (4, 4)
    """
    return sum(
        2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def shortened(text, length):
    """A text of at most so many letters, the last an ellipsis if it was longer.

    Args:
        text: String.
        length: Positive integer, as `width` counts.

    Returns:
        String.

    Example:

    >>> shortened("attention", 5)
    'atte…'
    """
    if width(text) <= length:
        return text
    kept = text[: length - 1]
    while width(kept) > length - 1:
        kept = kept[:-1]
    return f"{kept}…"


def drawn_width(text, **style):
    """How many inches wide a text is drawn, on screen's resolution.

    Args:
        text: String, of one line.
        **style: As in `write`.

    Returns:
        Float.

    Example:

    >>> drawn_width("WWW", fontsize=11) > drawn_width("iii", fontsize=11)
    True
    """
    figure, renderer = _scratch()
    line = write(functools.partial(figure.text, 0, 0), text, **style)
    with warnings.catch_warnings():
        # A sign that its font lacks is a box, which the picture says.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        wide = float(line.get_window_extent(renderer).width) / figure.dpi
    line.remove()
    return wide


def wrapped(text, inches, letter, lines, **style):
    """A text in lines that are drawn no wider than so many inches.

    Args:
        text: String. It may have several lines.
        inches: Positive float.
        letter: Positive float. How many inches most letters take at most; of
            wider ones fewer go in a line.
        lines: Positive integer. The most lines; what does not fit is cut, and
            ends in an ellipsis.
        **style: As in `write`.

    Returns:
        List of strings.
    """
    # An ideograph takes the room of two letters.
    letters = inches / letter * len(text) / max(1, width(text))
    while True:
        found = [
            part
            for line in text.splitlines()
            for part in textwrap.wrap(
                printable(line),
                max(1, int(letters)),
                max_lines=lines,
                placeholder="…",
            )
        ][:lines]
        widest = max((drawn_width(x, **style) for x in found), default=0)
        if widest <= inches or letters < 2:
            return found
        letters = min(letters - 1, letters * inches / widest)


def unshown(text, family=None):
    """What of a text the pictures of this machine cannot show rightly.

    Args:
        text: String.
        family: As in `write`.

    Returns:
        A sentence for the reader, or `None` if all is shown.
    """
    import matplotlib

    missing = _fonts(_lines_printable(text), family)[1]
    notes = []
    if missing:
        names = ", ".join(f"U+{code:04X}" for code in missing[:NAMED])
        more = len(missing) - NAMED
        more = f" and {more} more signs" if more > 0 else ""
        notes.append(f"No font here has {names}{more}: drawn as boxes.")
    # Since 3.11 matplotlib lays out scripts that run from right to left.
    version = tuple(map(int, re.findall(r"\d+", matplotlib.__version__)[:2]))
    if version < (3, 11) and _right_to_left(text):
        notes.append("Right-to-left words are drawn from left to right.")
    return " ".join(notes) or None


def _right_to_left(text):
    return any(unicodedata.bidirectional(each) in ("R", "AL") for each in text)


def _fonts(text, family):
    """Font families that have the signs of a text, and codes that none has."""
    import matplotlib
    from matplotlib import font_manager

    families = (
        list(matplotlib.rcParams["font.family"]) if family is None else [family]
    )
    missing = {ord(each) for each in text if not each.isspace()}
    for name in families:
        properties = font_manager.FontProperties(family=[name])
        missing -= _signs(font_manager.findfont(properties))
    if missing:
        for name, path in _others():
            found = missing & _signs(path)
            if found:
                families.append(name)
                missing -= found
            if not missing:
                break
    return families, sorted(missing)


@functools.lru_cache
def _scratch():
    """A figure that is never shown, and what would draw it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=110)
    return figure, FigureCanvasAgg(figure).get_renderer()


@functools.lru_cache
def _others():
    """Names and paths of this machine's fonts, upright ones first."""
    from matplotlib import font_manager

    fonts = {}
    for font in font_manager.fontManager.ttflist:
        if ODD_FONTS.match(font.name) is None:
            plain = font.style == "normal" and font.weight in (400, "normal")
            rank = (not plain, font.name)
            fonts[font.name] = min(
                fonts.get(font.name, (rank, font.fname)), (rank, font.fname)
            )
    return [(name, path) for name, (_, path) in sorted(fonts.items())]


@functools.lru_cache
def _signs(path):
    """The codes of the signs that a font file has."""
    from matplotlib import font_manager

    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (RuntimeError, OSError):  # of bitmaps only, or not a font's file
        return frozenset()
