"""Dates in many spellings, and in the one of ISO 8601; made by rule.

From which part of the spelling each letter of the answer comes is known.
"""

import dataclasses
import datetime
import functools

import numpy as np

VERSION = "1.0.0"

# How many dates, and the seed of their draw. No date of one part is in another.
PARTS = {"train": (20_000, 1), "test": (1000, 2)}

FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
LENGTH = 10  # letters of an answer

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
DAYS = (
    *("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    *("Saturday", "Sunday"),
)
_ONES = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh"),
    *("eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth"),
    *("fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth"),
    *("nineteenth", "twentieth"),
)

# Of a spelling {d}, {m} and {y} are day, month and year. Figures alone come day
# first, as a dot or a slash has it here, or year first; never month first, so
# that each spelling has one meaning.
SPELLINGS = (
    "{day} {month} {year}",
    "{day} {short} {year}",
    "{nth} {month} {year}",
    "{nth} of {month}, {year}",
    "the {word} of {month}, {year}",
    "{month} {day}, {year}",
    "{month} {nth}, {year}",
    "{short} {day}, {year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {nth}, {year}",
    "{weekday} the {nth} of {month} {year}",
    "{day}.{number}.{year}",
    "{day2}/{number2}/{year}",
    "{day}-{short}-{year}",
    "{year}/{number2}/{day2}",
    "{year}, {month} {day}",
    "in {year}, on the {word} of {month}",
)
# Which part of a date a field tells, by the place of its first letter in ISO.
YEAR, MONTH, DAY = 0, 5, 8
_TELLS = {
    **dict.fromkeys(("year",), YEAR),
    **dict.fromkeys(("month", "short", "number", "number2"), MONTH),
    **dict.fromkeys(("day", "day2", "nth", "word"), DAY),
    "weekday": None,
}


@dataclasses.dataclass
class Dates:
    """Spelled dates, and what they mean.

    Args:
        spelled: List of strings.
        iso: List of strings, `"YYYY-MM-DD"`.
        spans: int16 array `(N, 10, 2)`: from which letter, and up to which, of
            the spelling each letter of the answer comes; a hyphen comes from
            none, -1.
    """

    spelled: list
    iso: list
    spans: np.ndarray


@functools.lru_cache(maxsize=4)
def dates(count, seed):
    """Draws dates and spells each in one of `SPELLINGS`.

    Args:
        count: Positive integer, up to 30,000.
        seed: Integer. Odd and even seeds share no date.

    Returns:
        `Dates`.

    Raises:
        ValueError: If there are not as many.
    """
    total = (LAST - FIRST).days + 1
    own = np.arange(total)
    own = own[_scattered(own) == seed % 2]
    if not 0 < count <= len(own):
        raise ValueError(
            f"`count` must be positive, and {len(own)} at most: so many dates "
            f"there are. Received: count={count}"
        )
    rng = np.random.default_rng(seed)
    places = rng.permutation(own)[:count]
    ways = rng.integers(len(SPELLINGS), size=count)
    cases = rng.integers(3, size=count)
    made = Dates([], [], np.full((count, LENGTH, 2), -1, "int16"))
    for row, (place, way, case) in enumerate(zip(places, ways, cases)):
        date = FIRST + datetime.timedelta(days=int(place))
        text, spans = spell(date, SPELLINGS[way])
        if case == 1:
            text = text.lower()
        made.spelled.append(text)
        made.iso.append(date.isoformat())
        for first, length in ((YEAR, 4), (MONTH, 2), (DAY, 2)):
            made.spans[row, first : first + length] = spans[first]
    return made


def spell(date, spelling):
    """One date in one spelling.

    Args:
        date: `datetime.date`.
        spelling: One of `SPELLINGS`.

    Returns:
        `(text, spans)`: the text, and a dict from `YEAR`, `MONTH` and `DAY` to
        the span of the text that tells it.

    Example:

    >>> spell(datetime.date(2021, 5, 3), "{nth} of {month}, {year}")
    ('3rd of May, 2021', {8: (0, 3), 5: (7, 10), 0: (12, 16)})
    """
    fields = {
        "year": str(date.year),
        "month": MONTHS[date.month - 1],
        "short": MONTHS[date.month - 1][:3],
        "number": str(date.month),
        "number2": f"{date.month:02}",
        "day": str(date.day),
        "day2": f"{date.day:02}",
        "nth": f"{date.day}{_ending(date.day)}",
        "word": _word(date.day),
        "weekday": DAYS[date.weekday()],
    }
    text, spans = "", {}
    for part in spelling.replace("}", "{").split("{"):
        if part in fields:
            start = len(text)
            text += fields[part]
            if (told := _TELLS[part]) is not None:
                spans[told] = (start, len(text))
        else:
            text += part
    return text, spans


def _ending(day):
    if 11 <= day <= 13:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _word(day):
    if day <= 20:
        return _ONES[day - 1]
    if day == 30:
        return "thirtieth"
    return f"{'twenty' if day < 30 else 'thirty'}-{_ONES[day % 10 - 1]}"


def _scattered(places):
    """One of two parts for each date, neighbours being in either."""
    mixed = (places.astype("uint32") * np.uint32(2654435761)) >> np.uint32(16)
    return (mixed & 1).astype(int)
