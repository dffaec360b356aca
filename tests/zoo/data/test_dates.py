"""Dates by rule: each spelling means its date, and says where from."""

import datetime
import re

import numpy as np
import pytest

from zoo.data import dates as data
from zoo.data.dates import DAY, MONTH, PARTS, SPELLINGS, YEAR, dates, spell


def read(text):
    """A date from a spelling, by other means than it was made."""
    text = text.lower()
    year = re.search(r"\d{4}", text).group()
    rest = text.replace(year, " ", 1)
    months = [m.lower() for m in data.MONTHS]
    named = [
        n for n, m in enumerate(months, 1) if re.search(rf"\b{m[:3]}", rest)
    ]
    named = [
        n for n in named if months[n - 1] in rest or months[n - 1][:3] in rest
    ]
    figures = list(map(int, re.findall(r"\d+", rest)))
    words = {data._word(day): day for day in range(1, 32)}
    spelled = [w for w in sorted(words, key=len, reverse=True) if w in rest]
    if named:
        day = words[spelled[0]] if spelled and not figures else figures[0]
        return datetime.date(int(year), named[-1], day)
    first, second = figures
    if text.startswith(year):
        return datetime.date(int(year), first, second)
    return datetime.date(int(year), second, first)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_spelling_tells_the_date_and_where(spelling):
    for ordinal in range(400):
        date = datetime.date(1999, 12, 20) + datetime.timedelta(ordinal)
        text, spans = spell(date, spelling)
        assert read(text) == date, text
        assert set(spans) == {YEAR, MONTH, DAY}
        told = {part: text[slice(*span)] for part, span in spans.items()}
        assert told[YEAR] == str(date.year)
        assert told[MONTH] in (
            *(data.MONTHS[date.month - 1], data.MONTHS[date.month - 1][:3]),
            *(str(date.month), f"{date.month:02}"),
        )
        number = re.match(r"\d+", told[DAY])
        word = data._word(date.day) == told[DAY]
        assert word or int(number.group()) == date.day


def test_the_words_and_endings_of_days():
    shown = {1: "st", 2: "nd", 3: "rd", 4: "th", 11: "th", 13: "th", 21: "st"}
    assert {day: data._ending(day) for day in shown} == shown
    assert [data._word(day) for day in (1, 12, 20, 21, 29, 30, 31)] == [
        *("first", "twelfth", "twentieth", "twenty-first", "twenty-ninth"),
        *("thirtieth", "thirty-first"),
    ]
    assert len({data._word(day) for day in range(1, 32)}) == 31


def test_draws_are_seeded_and_parts_share_no_date():
    made = {part: dates(*arguments) for part, arguments in PARTS.items()}
    for part, (count, _) in PARTS.items():
        assert len(made[part].spelled) == len(set(made[part].iso)) == count
        for text, iso in zip(made[part].spelled[:500], made[part].iso):
            assert read(text).isoformat() == iso
    assert not {*made["train"].iso} & {*made["test"].iso}
    data.dates.cache_clear()
    assert dates(50, 1).spelled == dates(50, 1).spelled
    assert dates(50, 1).spelled != dates(50, 3).spelled
    # Both parts are of all years.
    for part in made.values():
        decades = {iso[:3] for iso in part.iso}
        assert len(decades) == 20


def test_spans_lead_to_what_each_letter_is_told_by():
    made = dates(200, 4)
    assert made.spans.shape == (200, 10, 2)
    hyphens = made.spans[:, [4, 7]]
    assert (hyphens == -1).all()
    for text, iso, spans in zip(made.spelled, made.iso, made.spans):
        assert text[slice(*spans[0])] == iso[:4]
        for part, end in ((0, 4), (5, 7), (8, 10)):
            assert (spans[part:end] == spans[part]).all()


@pytest.mark.parametrize("count", [0, -1, 40_000])
def test_refuses_more_dates_than_there_are(count):
    with pytest.raises(ValueError, match=f"count={count}"):
        dates(count, 1)


def test_spellings_are_all_used_and_some_without_capitals():
    made = dates(2000, 1)
    assert any(text.islower() for text in made.spelled)
    assert any(text != text.lower() for text in made.spelled)
    signs = {re.sub(r"[A-Za-z0-9]+", "x", text) for text in made.spelled}
    assert len(signs) >= 9
    assert np.mean([len(text) for text in made.spelled]) < 30
