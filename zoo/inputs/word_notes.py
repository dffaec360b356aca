"""What all inputs of words share: hard texts, and what was not understood."""

import warnings

import numpy as np

from zoo.data.texts import one_line
from zoo.data.tokens import SPECIAL

MOSTLY = 0.5  # from this share of unknown words on, a reader is warned
SAMPLE = 1000  # examples of a data set whose words are looked up
MANY = 0.05  # from this share of unknown words on, a vocabulary is extended
LARGEST = 10_000  # words of a data set that are learned

# Ours: what taking texts apart goes wrong on.
HARD_TEXTS = [
    "",
    " ...\t!?\n",
    "I LIKED it!<br /><br />Well... most of it; the end (not so) much.",
    "No plot?! No-one's fault.\tThe cast is good,\nthe music is not.",
    "Très beau, ÉCRIT par un génie \u2014 \U0001f600 10/10\u00a0points\u2026",
    "one word " * 300,
]


def extreme_texts(vocabulary):
    """Texts: empty, longer than is read, all unknown, and of one word."""
    words = vocabulary[:50]
    sentence = " ".join((words * 100)[:100])
    return [
        "",
        f"{sentence}. " * 20,
        " ".join(f"unheard{place} ." for place in range(20)),
        words[0],
    ]


def said(vocabulary, rows):
    """The text of some ids, a row of them being a sentence."""
    words = ["", "unheard-of", *vocabulary]
    return ". ".join(
        " ".join(
            words[place] if place < len(words) else f"unheard{place}"
            for place in row
        )
        for row in rows
    )


def warn_of_unknown_raws(tokens, raws, unknown):
    """Warns if there are inputs of which most words are unknown.

    Args:
        tokens: `Tokens` or `PairTokens`.
        raws: List of what they take.
        unknown: List of the unknown words of each.
    """
    mostly = [
        raw
        for raw, words in zip(raws, unknown)
        if _flat(words) and _unknown_share(tokens, [raw]) > MOSTLY
    ]
    if mostly:
        _warn(
            tokens,
            mostly,
            f"{len(mostly)} of {len(raws)} inputs",
            "do not rely on the answers",
        )


def warn_of_unknown_data(tokens, data):
    """Warns if most words of a data set are unknown.

    Args:
        tokens: `Tokens` or `PairTokens`.
        data: `zoo.data.examples.Examples`.
    """
    raws = data.raws[:: 1 + len(data) // SAMPLE]
    if _unknown_share(tokens, raws) > MOSTLY:
        _warn(
            tokens,
            raws,
            f"the data {data.name!r} ({data.split})",
            "train a model on such texts, or check their language",
        )


def adapted(tokens, data, vocabulary=None):
    """The vocabulary of a copy that learns from other data.

    Args:
        tokens: `Tokens` or `PairTokens`.
        data: `zoo.data.examples.Examples`.
        vocabulary: `"keep"`, as it is; `"extend"`, the data's words, the most
            frequent of them, behind it; `"new"`, these alone; or `None`,
            extended where more than `MANY` of the words are unknown.

    Returns:
        `(vocabulary, said)`: a list of words, that of `tokens` itself if it
        stays; and what a user should know of it, a string, or `""`.
    """
    own = tokens.vocabulary
    share = _unknown_share(tokens, data.raws[:: 1 + len(data) // SAMPLE])
    if vocabulary is None:
        vocabulary = "extend" if share > MANY else "keep"
    if vocabulary == "keep":
        what = "kept"
        made = own
    else:
        learned = type(tokens).learn(data.raws, LARGEST, **tokens.config())
        if vocabulary == "new":
            made = learned.vocabulary
            known = sum(map(tokens.knows, made))
            what = f"left for {len(made):,} words, {known:,} of them its own"
        else:
            more = [x for x in learned.vocabulary if not tokens.knows(x)]
            made = [*own, *more] if more else own
            what = f"extended by {len(more):,} words"
    if made is own and share <= MANY:
        return own, ""
    return made, (
        f"vocabulary: {share:.1%} of the words of {data.name!r} are not in the "
        f"model's {len(own):,}, which are {what}"
    )


def rows_of(vocabulary, before):
    """Where the ids of a vocabulary were in another one.

    Args:
        vocabulary: List of words.
        before: List of words.

    Returns:
        Integers `(len(SPECIAL) + len(vocabulary),)`: for each id that of the
        same word before, -1 where there was none.
    """
    places = {word: place for place, word in enumerate(before, len(SPECIAL))}
    found = [places.get(word, -1) for word in vocabulary]
    return np.array([*range(len(SPECIAL)), *found])


def check_no_augmentation(augment):
    """Raises ValueError unless `augment` is empty."""
    if augment:
        raise ValueError(
            "Text augmentation is not supported; leave `augment` empty. "
            f"Received: augment={list(augment)!r}"
        )


def check_cells(columns, where):
    """Raises ValueError if a cell of a table of texts is empty.

    Args:
        columns: Dict from column to a list of strings.
        where: Function of a row's place: where it stands, in words.
    """
    for name, cells in columns.items():
        for place, cell in enumerate(cells):
            if not cell.strip():
                raise ValueError(
                    "Each cell that is asked about must hold a text. "
                    f"Received: {cell!r} in the column {name!r}, {where(place)}"
                )


def shown_text(text, cut, unknown, keep="first"):
    """The beginning of a text, and what of it was not read or not known.

    Args:
        text: String.
        cut: Integer. How many words were not read.
        unknown: List of words.
        keep: `"first"` or `"last"`. Which words were read.

    Returns:
        String of one line.
    """
    return beginning(text) + unread(cut, unknown, keep)


def beginning(text):
    """The beginning of a text, on one line."""
    import textwrap

    shown = one_line(text)
    start = textwrap.shorten(shown, 60, placeholder=" ...")
    if start == "...":  # its first word is longer than that
        start = f"{shown.strip()[:56]} ..."
    return start or '""'


def unread(cut, unknown, keep="first", part="word"):
    """That words were beyond the length, or not in the vocabulary."""
    notes = []
    if cut:
        end = "beginning" if keep == "last" else "end"
        words = part if cut == 1 else f"{part}s"
        notes.append(f"{cut:,} {words} at its {end} not read")
    if unknown:
        words = ", ".join(_shortened(word, 20) for word in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        notes.append(f"not in the vocabulary: {words}{more}")
    return f" [{'; '.join(notes)}]" if notes else ""


def _unknown_share(tokens, raws):
    """Of all words that are read, the share not in the vocabulary."""
    known = [
        tokens.knows(word) for raw in raws for word in _flat(tokens.words(raw))
    ]
    return known.count(False) / max(1, len(known))


def _warn(tokens, raws, subject, advice):
    share = 100 * _unknown_share(tokens, raws)
    words = _flat([tokens.unknown(raw) for raw in raws])
    example = _shortened(words[0], 30)
    warnings.warn(
        f"Most words of {subject} are not in the model's vocabulary "
        f"({share:.0f} %, such as {example!r}): {advice}.",
        stacklevel=2,
    )


def _flat(words):
    """The words of nested lists and tuples, in order."""
    if isinstance(words, str):
        return [words]
    return [word for part in words for word in _flat(part)]


def _shortened(word, length):
    return word if len(word) <= length else f"{word[: length - 1]}…"
