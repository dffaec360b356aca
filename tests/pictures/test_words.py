"""A text as a picture: each word on the colour of its weight."""

import numpy as np
import pytest

from keras_attention import pictures
from tests.drawn import inside

pytest.importorskip("matplotlib")
from matplotlib.colors import to_hex  # noqa: E402


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def colors(figure):
    """Those behind the words; the last patch is the frame of the legend."""
    patches = figure.axes[0].patches
    return [to_hex(patch.get_facecolor()) for patch in patches[:-1]]


def test_a_word_stands_on_the_colour_of_its_weight():
    figure = pictures.word_weights(
        ["a", "lovely", "film"], [0, 0.6, 0.3], "4 %"
    )
    assert texts(figure) == [
        "4 %",
        "a",
        "lovely",
        "film",
        "weight 0.00",
        "0.60",
    ]
    assert colors(figure) == ["#ffb000", "#ffd880"]  # half the way from white
    ax = figure.axes[0]
    for patch, word in zip(ax.patches[:-1], ax.texts[2:4]):
        left, middle = patch.get_x(), patch.get_y() + 0.5 * patch.get_height()
        assert left < word.get_position()[0] < left + patch.get_width()
        assert middle == pytest.approx(word.get_position()[1])


def test_white_and_amber_are_the_ends_of_a_range_that_is_given():
    figure = pictures.word_weights(
        ["a", "b", "c"], [[0.2], [0.5], [0.9]], weights_range=(0.25, 0.75)
    )
    assert colors(figure) == ["#ffd880", "#ffb000"]
    assert texts(figure)[-2:] == ["weight 0.25", "0.75"]


def test_the_legend_goes_from_white_to_amber():
    ax = pictures.word_weights(["a"], [1.0]).axes[0]
    x0, x1, y1, y0 = ax.images[0].get_extent()
    drawn = inside(ax)
    row = drawn[int(len(drawn) * (y0 + y1) / 2 / ax.get_ylim()[0])]
    unit = len(row) / ax.get_xlim()[1]
    first, last = row[int(x0 * unit) + 3], row[int(x1 * unit) - 4]
    assert np.abs(first - (255, 255, 255)).max() < 12
    assert np.abs(last - (255, 176, 0)).max() < 12


def test_lines_are_wrapped_within_the_figure():
    words = [f"word{i}" * (1 + i % 3) for i in range(60)] + ["endless" * 40]
    ax = pictures.word_weights(words, np.ones(61), "title " * 40).axes[0]
    ends = {}
    for text in ax.texts:
        x, y = text.get_position()
        assert x > ends.get(y, 0), text.get_text()
        ends[y] = x + len(text.get_text())
    assert max(ends.values()) <= ax.get_xlim()[1]
    assert max(ends) < ax.get_ylim()[0] and len(ends) > 8


def test_words_of_strangers_are_drawn_as_they_are(tmp_path):
    figure = pictures.word_weights(["$x_1$", "a\0b", "<b>"], [1, 2, 3], "$5_a")
    assert texts(figure)[:4] == ["$5_a", "$x_1$", "a·b", "<b>"]
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)
    pictures.save_figure(figure, tmp_path / "words.png")


@pytest.mark.parametrize(
    "words, weights, message",
    [
        ([], [], "0 words"),
        (["a", "b"], [1.0], r"2 words, weights of shape \(1,\)"),
        (["a"], [[1.0, 2.0]], r"shape \(1, 2\)"),
        (["a"], [np.nan], "must be finite"),
        (["a"], [-0.5], "a weight of -0.5"),
    ],
)
def test_refuses_weights_that_are_not_those_of_words(words, weights, message):
    with pytest.raises(ValueError, match=message):
        pictures.word_weights(words, weights)


def test_refuses_an_empty_range():
    with pytest.raises(ValueError, match="the lower number first"):
        pictures.word_weights(["a"], [1.0], weights_range=(1, 1))
