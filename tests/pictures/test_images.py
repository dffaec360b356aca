"""A map over an image: what is hot is where the weight is."""

import keras
import numpy as np
import pytest

from keras_attention import SEBlock, attention_maps, pictures
from tests.drawn import bar, colours, inside

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("place", [(0, 0), (1, 3), (3, 2)])
@pytest.mark.parametrize("shape", [(32, 32, 3), (8, 8, 1), (8, 12)])
def test_the_hottest_colour_is_where_the_weight_is(place, shape):
    weights = np.zeros((4, 4))
    weights[place] = 1
    figure = pictures.heat_map(np.full(shape, 99), weights, alpha=1)
    drawn = inside(figure.axes[0])
    _, hottest = colours("plasma")
    distance = np.abs(drawn - hottest).sum(-1)
    y, x = np.unravel_index(distance.argmin(), distance.shape)
    assert distance.min() < 12
    assert (y * 4 // len(drawn), x * 4 // drawn.shape[1]) == place


def test_the_map_covers_the_whole_image_and_is_smooth():
    ramp = np.linspace(0, 1, 4)[None].repeat(4, 0)
    figure = pictures.heat_map(np.zeros((8, 8)), ramp, alpha=1)
    drawn = inside(figure.axes[0])
    coldest, hottest = colours("plasma")
    assert np.abs(drawn[5:-5, 5] - coldest).max() < 12
    assert np.abs(drawn[5:-5, -5] - hottest).max() < 12
    steps = np.abs(np.diff(drawn[len(drawn) // 2], axis=0)).max()
    assert steps < 12


@pytest.mark.parametrize("place", [(0, 0), (1, 3), (3, 2)])
def test_the_image_stands_under_the_map_as_it_is(place):
    image = np.zeros((4, 4))
    image[place] = 255
    figure = pictures.heat_map(image, np.eye(4), alpha=0)
    drawn = inside(figure.axes[0])[..., 0]
    y, x = np.argwhere(drawn > 200).mean(0)
    assert (y * 4 // len(drawn), x * 4 // drawn.shape[1]) == place


def test_colours_are_spread_over_the_range_that_is_given():
    figure = pictures.heat_map(
        np.zeros((8, 8)), np.ones((2, 2)), alpha=1, weights_range=(0, 1)
    )
    _, hottest = colours("plasma")
    assert np.abs(inside(figure.axes[0]) - hottest).max() < 2


def test_small_images_are_crisp():
    checks = np.indices((8, 8)).sum(0) % 2
    figure = pictures.heat_map(checks, np.eye(2), alpha=0, value_range=(0, 1))
    levels, counts = np.unique(
        inside(figure.axes[0])[..., 0], return_counts=True
    )
    assert counts[(levels < 56) | (levels > 250)].sum() > 0.97 * counts.sum()


def test_the_range_of_the_image_is_taken_as_told():
    grey = np.full((8, 8), 0.5)
    bright = pictures.heat_map(grey, np.eye(2), alpha=0, value_range=(0, 1))
    dark = pictures.heat_map(grey, np.eye(2), alpha=0)
    assert inside(bright.axes[0]).mean() > 140
    assert inside(dark.axes[0]).mean() < 60
    uint8 = pictures.heat_map(np.full((8, 8), 255, "uint8"), np.eye(2), alpha=0)
    assert inside(uint8.axes[0]).mean() > 250


def test_the_bar_says_the_range():
    weights = np.linspace(0.25, 0.75, 16).reshape(4, 4, 1)
    assert bar(pictures.heat_map(np.zeros((8, 8)), weights)) == [
        "0.25",
        "0.50",
        "0.75",
    ]
    given = pictures.heat_map(
        np.zeros((8, 8)), weights, weights_range=(0, 2), title="here"
    )
    assert bar(given) == ["0.0", "1.0", "2.0"]
    assert given.axes[0].get_title() == "here"
    assert len(bar(pictures.heat_map(np.zeros((8, 8)), np.ones((2, 2))))) == 3


def test_draws_into_axes_that_are_given():
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert pictures.heat_map(np.zeros((8, 8)), np.eye(2), ax=left) is figure
    assert pictures.channel_gates(np.ones((1, 3)), ax=right) is figure
    assert len(left.images) == 2 and len(right.patches) == 3


def test_no_global_figure_is_made():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pictures.heat_map(np.zeros((8, 8)), np.eye(2))
    pictures.channel_gates(np.ones((2, 3)))
    assert not pyplot.get_fignums()


def test_the_grid_has_a_row_for_each_image_and_a_column_for_each_map():
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits

    images = load_digits().images[:3, ..., None] * 255 / 16
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(6, 3, name="conv")(image)
    model = keras.Model(image, SEBlock(ratio=2, name="se")(x))
    gates = attention_maps(model, images)["se"]
    maps = np.zeros((3, 4, 4, 1))
    maps[1, 2, 3] = maps[2] = 1
    figure = pictures.attention_grid(
        images, {"early": maps, "late": maps / 2}, {"se": gates}, list("abc")
    )
    axes = np.reshape(figure.axes[:16], (4, 4))
    assert [ax.get_title() for ax in axes[0]] == [
        "image",
        "early",
        "late",
        "se",
    ]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["a", "b", "c", ""]
    # One range of colours a column: no weight is cold, full weight is hot.
    coldest, hottest = (inside(axes[row, 1]).mean((0, 1)) for row in (0, 2))
    assert coldest[0] < 100 and hottest[0] > 150
    assert inside(axes[1, 1])[..., 0].max() > 150
    heights = [bar.get_height() for bar in axes[1, 3].patches]
    np.testing.assert_allclose(heights, gates[1].ravel(), rtol=1e-6)


@pytest.mark.parametrize("shape", [(6, 18), (18, 6), (4, 4), (1, 40)])
def test_each_map_of_a_grid_lies_on_its_own_image_the_right_way_up(shape):
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    maps = np.zeros((4, 2, 3))
    for weights, corner in zip(maps, corners):
        weights[corner] = 1
    figure = pictures.attention_grid(
        np.zeros((4, *shape)), {"map": maps}, alpha=1
    )
    _, hottest = colours("plasma")
    height, width = shape
    for row, (y, x) in enumerate(corners):
        ax = figure.axes[2 * row + 1]
        image, over = ax.images
        assert image.get_array().shape[:2] == shape
        assert image.get_extent() == over.get_extent()
        assert list(over.get_extent()) == [0, width, height, 0]
        drawn = inside(ax)
        assert np.abs(drawn[y, x] - hottest).sum() < 12
        box = ax.get_window_extent()
        assert box.width / box.height == pytest.approx(width / height, rel=0.02)
    assert max(figure.get_size_inches()) < 15


def test_images_of_a_grid_may_be_of_any_sizes():
    shapes = [(6, 18), (90, 30), (8, 8)]
    images = [np.zeros(shape) for shape in shapes]
    figure = pictures.attention_grid(images, {"map": np.ones((3, 2, 2))})
    figure.draw_without_rendering()
    for row, (height, width) in enumerate(shapes):
        for ax in figure.axes[2 * row : 2 * row + 2]:
            box = ax.get_window_extent()
            assert box.width / box.height == pytest.approx(
                width / height, rel=0.03
            )
            assert box.height / figure.dpi == pytest.approx(1.7, rel=0.15)


def test_a_large_image_is_smooth_where_it_is_drawn_smaller():
    """A fine grid is grey, not what single pixels of it happen to be."""
    stripes = np.tile([[0, 255]], (500, 500))
    figure = pictures.heat_map(stripes, np.zeros((2, 2)), alpha=0)
    drawn = inside(figure.axes[0])
    assert np.ptp(drawn[5:-5, 5:-5]) < 60


@pytest.mark.parametrize(
    ("image", "weights", "arguments", "message"),
    [
        (np.zeros((8, 8, 4)), np.eye(2), {}, r"\(8, 8, 4\)"),
        (np.zeros((1, 8, 8, 3)), np.eye(2), {}, r"\(1, 8, 8, 3\)"),
        (np.zeros((0, 8)), np.eye(2), {}, r"\(0, 8\)"),
        (np.zeros((8, 8)), np.ones(4), {}, r"weights of shape \(4,\)"),
        (np.zeros((8, 8)), np.ones((4, 4, 2)), {}, r"\(4, 4, 2\)"),
        (np.zeros((8, 8)), [[np.nan, 1]], {}, "must be finite"),
        (np.full((8, 8), np.inf), np.eye(2), {}, "must be finite"),
        (np.full((8, 8), "a"), np.eye(2), {}, "real numbers"),
        (np.full((8, 8), 256), np.eye(2), {}, "from 256 to 256"),
        (np.full((8, 8), 2), np.eye(2), {"value_range": (0, 1)}, "to 2"),
        (np.zeros((8, 8)), np.eye(2), {"value_range": (1, 0)}, "lower"),
        (np.zeros((8, 8)), np.eye(2), {"weights_range": (1, 1)}, "lower"),
        (np.zeros((8, 8)), np.eye(2), {"alpha": 1.5}, "alpha=1.5"),
        (np.zeros((8, 8)), np.eye(2), {"colormap": "hot pink"}, "hot pink"),
    ],
)
def test_refuses_what_it_cannot_draw(image, weights, arguments, message):
    with pytest.raises(ValueError, match=message):
        pictures.heat_map(image, weights, **arguments)


def test_refuses_a_grid_that_does_not_fit():
    images, maps = np.zeros((2, 8, 8)), {"a": np.zeros((2, 4, 4))}
    for wrong in (
        {"maps": {}},
        {"maps": {"a": np.zeros((3, 4, 4))}},
        {"maps": maps, "titles": ["one"]},
        {"maps": maps, "gates": {"g": np.zeros((1, 5))}},
    ):
        with pytest.raises(ValueError, match="Received: 2 images"):
            pictures.attention_grid(images, **wrong)
    with pytest.raises(ValueError, match="Received: 0 images"):
        pictures.attention_grid(images[:0], {})
    with pytest.raises(ValueError, match="alpha=-1"):
        pictures.attention_grid(images, maps, alpha=-1)


@pytest.mark.parametrize("size", [(8, 40), (40, 8), (8, 8)])
@pytest.mark.parametrize("own", [True, False])
def test_the_bar_is_as_high_as_the_image(size, own):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ax = None
    if not own:
        ax = Figure((5, 3), layout="constrained").add_subplot()
    figure = pictures.heat_map(np.zeros(size), np.eye(2), "title", ax)
    FigureCanvasAgg(figure).draw()
    ax = figure.axes[0]
    image, colors = (
        each.get_window_extent() for each in (ax, ax.child_axes[0])
    )
    assert image.height / image.width == pytest.approx(size[0] / size[1], 0.02)
    np.testing.assert_allclose([image.y0, image.y1], [colors.y0, colors.y1])
    inches = colors.width / figure.dpi
    assert 0.04 < inches < 0.14 and colors.x0 > image.x1
    labels = ax.child_axes[0].get_tightbbox()
    assert labels.x1 <= figure.bbox.x1 and labels.y1 <= figure.bbox.y1 + 1


def test_many_images_stand_in_blocks_side_by_side():
    images = np.arange(11)[:, None, None] * np.full((4, 4), 20)
    maps = {"late": np.arange(44.0).reshape(11, 2, 2)}
    gates = {"gates": np.full((11, 3), 0.5)}
    titles = [f"image {i}" for i in range(11)]
    figure = pictures.attention_grid(images, maps, gates, titles)
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (6 + 1, 2 * 3)
    shown = {
        (place.rowspan.start, place.colspan.start): ax
        for ax in figure.axes
        if ax.axison
        for place in [ax.get_subplotspec()]
    }
    for index in range(11):
        block, row = divmod(index, 6)
        image, late, bars = (shown[row, 3 * block + i] for i in range(3))
        assert image.get_ylabel() == titles[index]
        assert image.images[0].get_array()[0, 0, 0] == pytest.approx(
            index * 20 / 255
        )
        assert late.images[1].get_array()[0, 0] == 4 * index
        assert late.images[1].get_clim() == (0, 43)
        assert bars.get_xlabel() == ("channel" if index in (5, 10) else "")
        assert image.get_title() == ("image" if row == 0 else "")
    assert len(shown) == 11 * 3 + 1  # and a bar for the maps
