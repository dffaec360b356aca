"""Text in pictures: as it is, whatever it is; or the picture says so."""

import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.text import Text

from keras_attention import lettering, pictures

NASTY = {
    "a formula": "$\\frac{$",
    "two dollars": "$5 or $6",
    "half a formula": "\\$ $x_1$ ^_{}",
    "escape": "a\x1b[31mb\x9b2Jc",
    "turned round": "cat\u202egod\u2066",
    "half a pair": "cat\ud800",
    "null": "cat\x00\x7f",
    "underscore": "_hidden",
    "nothing": "",
}
EYE = np.eye(2)
PIXELS = np.zeros((2, 4, 4))
DOORS = {
    "heat_map": lambda text: pictures.heat_map(PIXELS[0], EYE, text),
    "attention_grid": lambda text: pictures.attention_grid(
        PIXELS, {text: PIXELS}, {f"{text} ": np.eye(2, 3)}, [text, text]
    ),
    "channel_gates": lambda text: pictures.channel_gates(
        np.eye(2, 3), [text, "b"], title=text
    ),
    "alignment_matrix": lambda text: pictures.alignment_matrix(
        EYE, [text, "b"], [text, "b"], text
    ),
    "alignment_grid": lambda text: pictures.alignment_grid(
        {text: EYE}, [text, "b"], [text, "b"], text
    ),
}


def texts_of(figure):
    return figure.findobj(Text)


@pytest.fixture
def no_fonts(monkeypatch):
    """A machine with matplotlib's own font only."""
    monkeypatch.setattr(lettering, "_others", list)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
@pytest.mark.parametrize("draw", DOORS.values(), ids=DOORS)
def test_any_text_is_drawn_as_it_is(draw, text):
    figure = draw(text)
    figure.canvas.draw()
    shown = [each for each in texts_of(figure) if each.get_text()]
    for each in shown:
        assert each.get_text().replace("\n", "").isprintable()
        if "$" in each.get_text():
            assert not each.get_parse_math()
    count = sum(each.get_text() == lettering.printable(text) for each in shown)
    assert count or not text.strip()


def test_a_font_that_has_the_signs_is_found():
    families = {
        font.name: font.fname for font in font_manager.fontManager.ttflist
    }
    own = lettering._signs(families["DejaVu Sans"])
    stix = lettering._signs(families["STIXGeneral"])
    sign = next(
        chr(code) for code in sorted(stix - own) if chr(code).isprintable()
    )
    figure = pictures.heat_map(PIXELS[0], EYE, title=f"a{sign}")
    (title,) = [each for each in texts_of(figure) if sign in each.get_text()]
    files = [
        font_manager.findfont(font_manager.FontProperties(family=[name]))
        for name in title.get_fontfamily()
    ]
    assert any(ord(sign) in lettering._signs(file) for file in files)
    assert lettering.unshown(sign) is None
    figure.canvas.draw()  # a sign that is missing warns, which is an error here


def test_what_is_no_font_of_letters_is_not_taken():
    names = [name for name, _ in lettering._others()]
    assert "STIXGeneral" in names
    assert not {"cmsy10", "cmex10", "cmr10", "Last Resort High-Efficiency"} & {
        *names
    }
    assert lettering._signs(__file__) == frozenset()


@pytest.mark.parametrize("draw", DOORS.values(), ids=DOORS)
def test_a_picture_says_which_signs_no_font_has(draw, no_fonts, tmp_path):
    figure = draw("电影 film")
    note = figure.get_supxlabel()
    assert "U+5F71, U+7535" in note.replace("\n", " ")
    assert "drawn as" in note
    pictures.save_figure(figure, tmp_path / "boxes.png")
    assert draw("film").get_supxlabel() == ""


def test_of_many_signs_five_are_named(no_fonts):
    assert lettering.unshown("一二三四五六七 film") == (
        "No font here has U+4E00, U+4E03, U+4E09, U+4E8C, U+4E94 and 2 more "
        "signs: drawn as boxes."
    )


def test_in_axes_that_are_given_a_warning_says_it(no_fonts):
    ax = matplotlib.figure.Figure().add_subplot()
    with pytest.warns(UserWarning, match="U\\+7535"):
        pictures.heat_map(PIXELS[0], EYE, title="电", ax=ax)


@pytest.mark.parametrize("version, said", [("3.10.8", True), ("3.11.0", False)])
def test_old_matplotlib_draws_right_to_left_words_wrong(
    monkeypatch, version, said
):
    monkeypatch.setattr(matplotlib, "__version__", version)
    note = lettering.unshown("\u05e1\u05e8\u05d8") or ""  # DejaVu has Hebrew
    assert ("from left to right" in note) == said
    assert lettering.unshown("film") is None


def test_ideographs_are_as_wide_as_two_letters():
    assert lettering.width("电影ab") == 6
    assert lettering.shortened("电影电影", 6) == "电影…"
    assert lettering.shortened("电影电影", 8) == "电影电影"


@pytest.mark.parametrize("word", ["W" * 30, "i" * 30, "a", "", "W W"])
@pytest.mark.parametrize("inches", [0.3, 3.0])
def test_wrapped_lines_are_no_wider_than_told(word, inches):
    text = f"{word} " * 5
    lines = lettering.wrapped(text, inches, 0.1, 4, fontsize=11)
    widths = [lettering.drawn_width(line, fontsize=11) for line in lines]
    assert max(widths, default=0) <= inches and len(lines) <= 4
    said = "".join(lines).replace(" ", "")
    assert text.replace(" ", "").startswith(said.rstrip("…"))
    assert said.endswith("…") == (said != text.replace(" ", ""))


def test_a_width_is_that_of_the_text_as_it_is_drawn():
    figure = matplotlib.figure.Figure((8, 1), dpi=110)
    line = lettering.write(
        lambda *args, **style: figure.text(0, 0, *args, **style),
        "$A wide$ title",
        fontsize=14,
        fontweight="bold",
    )
    figure.draw_without_rendering()
    found = lettering.drawn_width(
        "$A wide$ title", fontsize=14, fontweight="bold"
    )
    assert found == pytest.approx(line.get_window_extent().width / 110)
    # Signs that no font has are boxes, which warn when they are drawn only.
    assert lettering.drawn_width("\U000e0041\u0378") > 0
