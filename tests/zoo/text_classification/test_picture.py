"""Words on the colour of their weight: on the terminal, as a page, drawn."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from keras_attention import lettering, pictures
from zoo.text_classification.picture import (
    SPANS,
    words_figure,
    words_html,
    words_page,
)

FLAT = {
    "label": "good",
    "probability": 0.934,
    "words": [("a", 0.1), ("lovely", 0.6), ("film", 0.3)],
}
SENTENCES = {
    "label": "bad",
    "probability": 0.51,
    "words": [
        {"weight": 0.8, "words": [("awful", 0.75), ("film", 0.25)]},
        {"weight": 0.2, "words": [("lovely", 1.0)]},
    ],
}
EMPTY = {"label": "bad", "probability": 0.5, "words": []}


def styles(answers):
    """Word -> its background, as `(r, g, b)`."""
    console = Console(
        file=io.StringIO(), width=200, force_terminal=True, legacy_windows=False
    )
    return {
        segment.text: tuple(segment.style.bgcolor.triplet)
        for segment in console.render(words_page(answers))
        if segment.style and segment.style.bgcolor
    }


def printed(answers, **options):
    console = Console(file=io.StringIO(), width=60, record=True)
    console.print(words_page(answers))
    return console.export_html(**options) if options else console.export_text()


def test_a_word_is_as_strong_as_its_weight():
    found = styles([FLAT])
    assert found["lovely"] == (255, 176, 0)
    assert found["film"] == (255, 216, 128)  # half the way from white
    assert found["a"][2] > found["film"][2] > found["lovely"][2]


def test_a_word_counts_by_the_root_of_its_sentences_weight():
    found = styles([SENTENCES])
    strongest = np.sqrt(0.8) * 0.75
    strength = np.sqrt(0.2) * 1.0 / strongest
    assert found["awful"] == (255, 176, 0)
    assert found["lovely"][2] == round(255 * (1 - strength))
    assert found["0.80"][2] == round(255 * 0.2)


def test_says_the_answer_and_the_words_of_most_weight():
    lines = printed([FLAT, SENTENCES]).splitlines()
    assert [line.rstrip() for line in lines] == [
        "good (93 %)",
        "a lovely film",
        "most weight: lovely 60 %, film 30 %, a 10 %",
        "",
        "bad (51 %)",
        "0.80  awful film",
        "0.20  lovely",
        "most weight: awful 60 %, film 20 %, lovely 20 %",
        "",
    ]


def test_a_text_without_words_says_so():
    assert "no words" in printed([EMPTY])
    assert "no words" in texts_of(words_figure([EMPTY]))


def test_a_page_holds_any_word_as_it_is():
    word = "<b>é\u6f22😀"
    page = printed([{**FLAT, "words": [(word, 1.0)]}], inline_styles=True)
    assert "&lt;b&gt;é\u6f22😀" in page
    assert "background-color: #ffb000" in page


def test_signs_that_steer_a_terminal_are_not_printed():
    text = printed([{**FLAT, "words": [("\x1b[31mred", 1.0)]}])
    assert "\x1b" not in text and "·[31mred" in text


def texts_of(figure):
    (ax,) = figure.axes
    return [text.get_text() for text in ax.texts]


def boxes_of(figure):
    (ax,) = figure.axes
    return [tuple(patch.get_facecolor()[:3]) for patch in ax.patches]


def test_the_figure_shows_every_word_in_its_colour():
    figure = words_figure([FLAT, SENTENCES])
    shown = texts_of(figure)
    assert shown[:5] == [
        "good (93 %)",
        "a",
        "lovely",
        "film",
        "most weight: lovely 60 %, film 30 %, a 10 %",
    ]
    assert {"0.80", "awful", "0.20"} <= set(shown)
    amber = np.array((255, 176, 0)) / 255
    np.testing.assert_allclose(boxes_of(figure)[1], amber)
    assert shown[-2:] == ["weight 0", "the greatest of its text"]


def test_words_of_the_figure_stand_apart_within_its_width():
    words = [(f"word{place}" * (1 + place % 3), 0.01) for place in range(100)]
    words.append(("endless" * 40, 0.0))
    figure = words_figure([{**FLAT, "words": words}])
    (ax,) = figure.axes
    ends = {}
    for text in ax.texts:
        x, y = text.get_position()
        assert x > ends.get(y, 0), text.get_text()
        ends[y] = x + len(text.get_text())
    assert max(ends.values()) <= ax.get_xlim()[1]
    assert max(ends) < ax.get_ylim()[0]
    assert len(ends) > 10


def test_the_figure_is_written_and_takes_dollars_as_they_are(tmp_path):
    odd = {**SENTENCES, "label": "$\\bad$"}
    path = pictures.save_figure(words_figure([odd, FLAT]), tmp_path / "a.png")
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_refuses_to_draw_nothing():
    for draw in (words_figure, words_html):
        with pytest.raises(ValueError, match="text"):
            draw([])


def spans(page):
    """Triples `(color, weight, word)` of all views of a page."""
    found = r'<span style="background:(#\w+)" title="([^"]*)">([^<]*)</span>'
    return re.findall(found, page)


def test_the_page_has_the_answer_and_the_shares_of_the_whole_text():
    answer = {**SENTENCES, "probabilities": {"bad": 0.51, "good": 0.49}}
    page = words_html([answer, FLAT])
    assert "<h2>bad (51 %)</h2>" in page and "49.0 %" in page
    assert spans(page) == [
        ("#ffb000", "0.6", "awful"),
        ("#ffe5aa", "0.2", "film"),
        ("#ffe5aa", "0.2", "lovely"),
        ("#ffb000", "0.8", "awful"),
        ("#ffb000", "0.8", "film"),
        ("#ffebbf", "0.2", "lovely"),
        ("#fff2d4", "0.1", "a"),
        ("#ffb000", "0.6", "lovely"),
        ("#ffd880", "0.3", "film"),
    ]
    assert ">words</label>" in page and ">sentences</label>" in page
    assert "most weight: awful 60 %, film 20 %, lovely 20 %" in page


def test_the_page_has_how_much_each_head_reads_each_word():
    heads = np.zeros((2, 5, 5))  # of which two places are padding
    heads[0, :3, 2], heads[1, :2, 0], heads[1, 2, 1] = 0.3, 0.6, 0.3
    heads[:, 3:] = heads[..., 3:] = 9
    maps = {"pool": np.ones(5), "encoder": heads, "long": heads[:, :, :2]}
    page = words_html([{**FLAT, "attention": maps}])
    assert re.findall(r">([^<]*)</label>", page) == [
        "words",
        "encoder head 1",
        "encoder head 2",
    ]
    read = [(word, float(weight)) for _, weight, word in spans(page)[3:]]
    assert read == [
        ("a", 0),
        ("lovely", 0),
        ("film", 0.3),
        ("a", 0.4),
        ("lovely", 0.1),
        ("film", 0),
    ]


def test_of_many_texts_the_page_has_fewer_heads():
    heads = {"encoder": np.ones((2, 400, 400))}
    words = [("a", 0.0025)] * 400
    texts = [{**FLAT, "words": words, "attention": heads}] * (SPANS // 400)
    page = words_html(texts)
    assert "encoder head 1" not in page
    assert "encoder head 2" in page


def test_the_page_tells_what_was_not_read_and_of_no_word():
    for keep in ("last", "first"):
        page = words_html([CUT, EMPTY], keep)
        assert f"(the {'first' if keep == 'last' else 'last'} 4,800" in page
        assert "[zorbly]" in page and "not in the vocabulary (2)" in page
        assert "no words" in page


CUT = {
    **FLAT,
    "words": [("a", 0.1), ("zorbly", 0.6), ("电影", 0.3)],
    "unknown": ["zorbly", "电影"],
    "cut": 4800,
}


def test_unknown_words_and_what_was_cut_are_told_without_colour():
    for keep, line in (
        ("last", "(the first 4,800 words were not read) ..."),
        ("first", "... (the last 4,800 words were not read)"),
    ):
        console = Console(file=io.StringIO(), width=60, record=True)
        console.print(words_page([CUT, FLAT], keep))
        page = console.export_html(clear=False)
        lines = [each.rstrip() for each in console.export_text().splitlines()]
        start = ["good (93 %)", line][: 2 if keep == "last" else 1]
        end = [line] if keep == "first" else []
        assert lines[: 4 + len(start) + len(end) - 1] == [
            *start,
            "a [zorbly] [电影]",
            *end,
            "most weight: [zorbly] 60 %, [电影] 30 %, a 10 %",
            "[...]: not in the vocabulary (2)",
        ]
        assert sum("not read" in each for each in lines) == 1
        assert line in page and "[zorbly]" in page
        shown = texts_of(words_figure([CUT, FLAT], keep))
        assert line in shown and "[zorbly]" in shown and "[电影]" in shown
        assert "[...]: not in the vocabulary (2)" in shown
        above = shown.index(line) < shown.index("a")
        assert above == (keep == "last")


def test_a_figure_says_which_signs_no_font_has(monkeypatch):
    monkeypatch.setattr(lettering, "_others", list)
    assert any(
        "U+5F71, U+7535" in each for each in texts_of(words_figure([CUT]))
    )
    assert not any("U+" in each for each in texts_of(words_figure([FLAT])))


def test_wide_signs_stand_apart():
    figure = words_figure([{**FLAT, "words": [("电影" * 4, 0.5), ("a", 0.5)]}])
    (ax,) = figure.axes
    first, second = (
        next(each for each in ax.texts if each.get_text() == word)
        for word in ("电影" * 4, "a")
    )
    assert second.get_position()[0] == first.get_position()[0] + 17


def test_figures_of_many_texts_of_one_word_or_none_are_drawn(tmp_path):
    answers = [EMPTY, {**FLAT, "words": [("a" * 500, 1.0)]}] * 30
    figure = words_figure(answers)
    (ax,) = figure.axes
    assert len(ax.texts) == 30 * 2 + 30 * 3 + 2  # of the legend
    assert ax.get_ylim()[0] > max(each.get_position()[1] for each in ax.texts)
    assert pictures.save_figure(figure, tmp_path / "many.png", dpi=20)
