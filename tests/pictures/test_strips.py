"""Strips: which panel shows which word, and where it lights up."""

import functools

import numpy as np
import pytest
from matplotlib.text import Text

from keras_attention import pictures
from keras_attention.lettering import unshown
from keras_attention.pictures.strips import (
    GAMMA,
    LEAST,
    Strips,
    page_of_strips,
)
from tests.drawn import bar, colours, inside

pytest.importorskip("matplotlib")

draw = functools.partial(pictures.draw_strips, np.zeros((8, 8, 3)))


def maps(shape, *places):
    """A map for each place, which has all the attention."""
    weights = np.zeros((len(places), *shape))
    for index, place in enumerate(places):
        weights[(index, *place)] = 1
    return weights


def lit(ax):
    """Where the panel is brightest, as shares of its height and width."""
    drawn = inside(ax)
    light = drawn.sum(-1)
    y, x = np.argwhere(light > 0.97 * light.max()).mean(0)
    return y / len(drawn), x / drawn.shape[1]


@pytest.mark.parametrize("size", [(32, 32, 3), (20, 60, 3), (60, 20, 1)])
def test_each_panel_lights_up_where_its_word_looked(size):
    words = ["one", "two", "three", "four"]
    places = [(0, 0), (0, 3), (2, 0), (1, 2)]
    figure = pictures.draw_strips(
        np.full(size, 40), words, maps((3, 4), *places), columns=2
    )
    image, *panels, _ = figure.axes
    assert [ax.get_title() for ax in (image, *panels)] == ["", *words]
    for ax, (i, j) in zip(panels, places):
        y, x = lit(ax)
        assert y == pytest.approx((i + 0.5) / 3, abs=0.13), ax.get_title()
        assert x == pytest.approx((j + 0.5) / 4, abs=0.1), ax.get_title()
        height, width = size[:2]
        for drawn in ax.images:
            assert list(drawn.get_extent()) == [0, width, height, 0]
        drawn = inside(ax)
        assert drawn.shape[1] / drawn.shape[0] == pytest.approx(
            width / height, rel=0.1
        )


@pytest.mark.parametrize("place", [(0, 0), (3, 1), (1, 2)])
def test_the_greatest_share_has_the_hottest_colour(place):
    figure = draw(["here"], maps((4, 4), place), alpha=1)
    drawn = inside(figure.axes[1])
    _, hottest = colours("plasma")
    distance = np.abs(drawn - hottest).sum(-1)
    y, x = np.unravel_index(distance.argmin(), distance.shape)
    assert distance.min() < 12
    assert (y * 4 // len(drawn), x * 4 // drawn.shape[1]) == place


def test_the_first_panel_is_the_image_and_the_others_are_dark_and_pale():
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (12, 16, 3), "uint8")
    figure = pictures.draw_strips(image, ["a"], np.ones((1, 2, 2)), alpha=0)
    first, second, _ = figure.axes
    np.testing.assert_array_equal(first.images[0].get_array(), image)
    grey = image @ (0.299, 0.587, 0.114)
    pale = 0.6 * grey[..., None] + 0.4 * image
    under = second.images[0].get_array()
    np.testing.assert_allclose(under, 255 * 0.06 + 0.5 * pale, atol=0.51)
    # Drawn in place, each pixel crisp.
    height, width = inside(first).shape[:2]
    for ax, expected in ((first, image), (second, under)):
        for i, j in [(0, 0), (11, 0), (3, 14)]:
            y, x = (i + 0.5) * height / 12, (j + 0.5) * width / 16
            drawn = inside(ax)[int(y), int(x)]
            np.testing.assert_allclose(drawn, expected[i, j], atol=2)


def test_the_map_is_smooth_and_reaches_the_edges():
    ramp = np.linspace(0, 1, 8)[None, None].repeat(8, 1)
    figure = draw(["ramp"], ramp, alpha=1)
    drawn = inside(figure.axes[1])
    _, hottest = colours("plasma")
    assert np.abs(drawn[3:-3, -3] - hottest).max() < 12
    steps = np.abs(np.diff(drawn[len(drawn) // 2].astype(int), axis=0))
    assert steps.max() < 30


def test_words_share_a_range_from_nothing_to_the_greatest_share():
    weights = np.stack([np.full((2, 2), 0.25), np.diag([0.64, 0.36])])
    figure = draw(["even", "uneven"], weights)
    even, uneven = (ax.images[1] for ax in figure.axes[1:3])
    np.testing.assert_array_equal(even.get_array(), weights[0])
    np.testing.assert_array_equal(uneven.get_array(), weights[1])
    assert even.get_clim() == uneven.get_clim() == (0, 0.64)
    assert bar(figure) == ["0.00", "0.32", "0.64"]
    assert figure.axes[-1].get_ylabel() == "share of attention"
    # A quarter of the greatest share has the middle of the colours.
    assert GAMMA == 0.5 and even.norm(0.16) == pytest.approx(0.5)
    given = draw(["even", "uneven"], weights, weights_range=(0.25, 1))
    assert given.axes[1].images[1].get_clim() == (0.25, 1)
    assert bar(given) == ["0.25", "0.62", "1.00"]


def test_the_more_attention_the_more_of_the_colour_covers_the_image():
    white = np.full((8, 8), 255)
    shares = (0, 0.25, 1)
    weights = np.array(shares)[:, None, None] * np.ones((3, 2, 2))
    figure = pictures.draw_strips(white, list("abc"), weights, alpha=0.8)
    import matplotlib

    for ax, share in zip(figure.axes[1:4], shares):
        level = share**GAMMA
        colour = 255 * np.array(matplotlib.colormaps["plasma"](level)[:3])
        covers = 0.8 * level
        expected = covers * colour + (1 - covers) * 255 * 0.56
        np.testing.assert_allclose(
            inside(ax).mean((0, 1)), expected, atol=2, err_msg=share
        )


def test_the_legend_has_the_colours_of_the_panels_over_grey():
    grey = np.full((8, 8, 3), 127.5)
    figure = draw(["a"], np.ones((1, 2, 2)))
    of_panel = pictures.draw_strips(grey, ["a"], np.ones((1, 2, 2)))
    drawn = inside(figure.axes[-1])
    hot, cold = drawn[1].mean(0), drawn[-2].mean(0)
    panel = inside(of_panel.axes[1]).mean((0, 1))
    np.testing.assert_allclose(hot, panel, atol=12)  # near the end
    np.testing.assert_allclose(cold, 255 * 0.31, atol=4)


@pytest.mark.parametrize(
    ("count", "columns", "rows", "across"),
    [(1, 6, 1, 2), (5, 6, 1, 6), (6, 6, 2, 4), (9, 6, 2, 5), (3, 1, 4, 1)],
)
def test_words_are_wrapped_in_even_rows_in_their_order(
    count, columns, rows, across
):
    words = [f"word {n}" for n in range(count)]
    weights = maps((2, 2), *[(0, 0)] * count)
    figure = draw(words, weights, columns=columns, title="title")
    *panels, _ = figure.axes
    boxes = [ax.get_window_extent() for ax in panels]
    assert len({round(box.x0) for box in boxes}) == across
    assert len({round(box.y0) for box in boxes}) == rows
    order = sorted(
        range(len(boxes)), key=lambda n: (-round(boxes[n].y0), boxes[n].x0)
    )
    assert [panels[n].get_title() for n in order] == ["", *words]
    # As large as an inch and a half, wherever they stand.
    assert {round(box.width / figure.dpi, 2) for box in boxes} == {1.5}


@pytest.mark.parametrize("size", [(10, 300), (300, 10), (30, 40), (64, 64)])
@pytest.mark.parametrize("count", [1, 8])
@pytest.mark.parametrize(
    ("words", "title"),
    [
        (
            ["a large", "residential", "electrification" * 9, "x"],
            "A caption. " * 99,
        ),
        # The widest letters, in words that fit on no line and above no panel.
        (["MMMMMMMMMMMMM", "W" * 99, "%" * 15, "Ж" * 30], "W" * 999),
    ],
)
def test_nothing_meets_or_leaves_the_figure(size, count, words, title):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    weights = maps((2, 3), *[(1, 2)] * count)
    figure = pictures.draw_strips(
        np.zeros(size), (2 * words)[:count], weights, title=title
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    whole = figure.bbox
    found = []
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            found.append(text.get_window_extent(canvas.get_renderer()))
    found += [ax.get_window_extent() for ax in figure.axes]
    for box in found:
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1
        assert whole.y0 <= box.y0 and box.y1 <= whole.y1
    for index, box in enumerate(found):
        for other in found[:index]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, along) < 3


def test_long_words_are_smaller_and_then_cut():
    words = ["star", "intersections", "mediumresidential", "o" * 500]
    figure = draw(words, np.ones((4, 2, 2)))
    titles = [ax.title for ax in figure.axes[1:5]]
    assert [title.get_fontsize() for title in titles[:2]] == [10, 10]
    assert 7 < titles[2].get_fontsize() < 10
    assert titles[2].get_text() == "mediumresidential"
    assert titles[3].get_text() == "o" * 20 + "…"
    narrow = pictures.draw_strips(
        np.zeros((90, 9)), ["intersections"], np.ones((1, 2, 2))
    )
    assert LEAST[0] == 0.6
    assert narrow.axes[1].get_title() == "interse…"


def test_signs_of_strangers_stay_signs():
    words = ["$\\frac{", "a\nb\tc", "\u202eabc", "\ud800", ""]
    figure = draw(words, np.ones((5, 2, 2)), title="$x_\n\u202e$")
    shown = [ax.get_title() for ax in figure.axes[1:6]]
    assert shown == ["$\\frac{", "a·b·c", "·abc", "·", ""]
    assert [text.get_text() for text in figure.texts] == ["$x_", "·$"]
    texts = [*figure.texts, *(ax.title for ax in figure.axes[1:6])]
    assert not any(text.get_parse_math() for text in texts)
    figure.draw_without_rendering()


def test_says_below_the_panels_which_signs_no_font_has():
    sign = "\U000e0101"
    plain, drawn, cut = (
        draw([word], np.ones((1, 2, 2)))
        for word in ("o" * 99, sign + "o" * 99, "o" * 99 + sign)
    )
    assert not plain.texts and not cut.texts
    note = " ".join(text.get_text() for text in drawn.texts)
    assert note == (unshown(sign) or "")
    more = drawn.get_figheight() - plain.get_figheight()
    assert more == pytest.approx(0.15 * len(drawn.texts))
    box, other = (
        figure.axes[0].get_window_extent() for figure in (plain, drawn)
    )
    assert other.height == pytest.approx(box.height)


def test_a_title_takes_four_lines_at_most_and_no_room_of_the_panels():
    one = draw(["a"], np.ones((1, 2, 2)), title="short")
    (line,) = one.texts
    assert line.get_text() == "short" and line.get_ha() == "left"
    long = draw(["a"], np.ones((1, 2, 2)), title="a caption " * 99)
    assert len(long.texts) == 4 and long.texts[-1].get_text().endswith("…")
    wide = draw(["a"], np.ones((1, 2, 2)), title="电影" * 20)
    lines = [t for t in wide.texts if t.get_fontsize() == 11]
    assert [len(line.get_text()) for line in lines] == [20, 20]
    for figure in (one, long):
        box = figure.axes[0].get_window_extent()
        assert box.width / figure.dpi == pytest.approx(1.5)
        lowest = min(text.get_position()[1] for text in figure.texts)
        assert lowest * figure.bbox.height > box.y1


def test_boxes_are_outlined_in_the_panels_of_their_words():
    boxes = [(-1, -1, 0, 0.5), None, np.array([0.5, -0.25, 0.75, 0.25])]
    figure = pictures.draw_strips(
        np.zeros((8, 16)), list("abc"), np.ones((3, 2, 2)), boxes=boxes
    )
    image, *panels, _ = figure.axes
    found = [
        [patch.get_xy()[:4].tolist() for patch in ax.patches]
        for ax in (image, *panels)
    ]
    assert found == [
        [],
        [[[0, 0], [8, 0], [8, 6], [0, 6]]],
        [],
        [[[12, 3], [14, 3], [14, 5], [12, 5]]],
    ]


def test_without_words_the_image_stands_alone():
    figure = draw([], np.zeros((0, 2, 2)), title="nothing")
    (ax,) = figure.axes
    assert len(ax.images) == 1
    even = draw(["a"], np.zeros((1, 2, 2)))
    assert bar(even) == ["0.0", "0.5", "1.0"]
    assert np.ptp(inside(even.axes[1]).reshape(-1, 3), 0).max() == 0


def test_strips_stand_one_below_the_other():
    first = Strips(np.zeros((8, 8)), ["a"], np.ones((1, 2, 2)))
    second = Strips(
        np.ones((8, 16, 3)), ["b", "c"], np.ones((2, 2, 2)), value_range=(0, 1)
    )
    figure = page_of_strips([first, second], ["one", None])
    assert [text.get_text() for text in figure.texts] == ["one"]
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["", "a", "", "", "b", "c", ""]
    upper, lower = figure.axes[:3], figure.axes[3:]
    assert min(ax.get_window_extent().y0 for ax in upper) > max(
        ax.get_window_extent().y1 for ax in lower
    )
    alone = page_of_strips([second], [None])
    for ax, other in zip(lower, alone.axes, strict=True):
        found, expected = ax.get_window_extent(), other.get_window_extent()
        assert (found.width, found.height) == pytest.approx(
            (expected.width, expected.height)
        )
        assert found.x0 == pytest.approx(expected.x0)


def test_no_global_figure_is_made_and_it_is_saved(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure = draw(["a"], np.ones((1, 2, 2)), title="a")
    assert not pyplot.get_fignums()
    for suffix in ("png", "svg", "pdf"):
        path = pictures.save_figure(figure, tmp_path / f"strip.{suffix}")
        assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "weights", "arguments", "message"),
    [
        (["a"], np.eye(2), {}, r"weights of shape \(2, 2\), 1 words"),
        (["a"], np.ones((2, 2, 2)), {}, r"\(2, 2, 2\), 1 words"),
        (["a"], np.ones((1, 0, 2)), {}, r"\(1, 0, 2\)"),
        (["a"], np.ones((1, 2, 2, 2)), {}, r"\(1, 2, 2, 2\)"),
        (["a"], [[[np.nan, 1]]], {}, "must be finite"),
        (["a"], [[[-0.5, 1]]], {}, "not be negative.*-0.5"),
        ([7], np.ones((1, 2, 2)), {}, "strings. Received: 7"),
        (["a"], np.ones((1, 2, 2)), {"columns": 0}, "columns=0"),
        (["a"], np.ones((1, 2, 2)), {"columns": True}, "columns=True"),
        (["a"], np.ones((1, 2, 2)), {"columns": 2.0}, "columns=2.0"),
        (["a"], np.ones((1, 2, 2)), {"alpha": 1.5}, "alpha=1.5"),
        (["a"], np.ones((1, 2, 2)), {"colormap": "hot pink"}, "hot pink"),
        (["a"], np.ones((1, 2, 2)), {"weights_range": (1, 1)}, "lower"),
        (["a"], np.ones((1, 2, 2)), {"boxes": []}, "0 boxes, 1 words"),
        (["a"], np.ones((1, 2, 2)), {"boxes": [(0, 1)]}, r"shape \(2,\)"),
        (["a"], np.ones((1, 2, 2)), {"boxes": [(0, 0, 0, 0)]}, "None for"),
        (["a"], np.ones((1, 2, 2)), {"boxes": [(0, 0, np.nan, 1)]}, "finite"),
        (["a"], np.ones((1, 2, 2)), {"value_range": (1, 0)}, "lower"),
    ],
)
def test_refuses_what_it_cannot_draw(words, weights, arguments, message):
    with pytest.raises(ValueError, match=message):
        draw(words, weights, **arguments)


def test_refuses_what_is_no_image():
    with pytest.raises(ValueError, match=r"\(8, 8, 4\)"):
        pictures.draw_strips(np.zeros((8, 8, 4)), ["a"], np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="from 300 to 300"):
        pictures.draw_strips(np.full((8, 8), 300), ["a"], np.ones((1, 2, 2)))
