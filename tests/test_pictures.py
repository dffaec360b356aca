"""Pictures: what is hot is where the weight is, and bad input draws nothing."""

import keras
import numpy as np
import pytest

from keras_attention import SEBlock, attention_maps, pictures
from tests.drawn import colours, inside

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


@pytest.mark.filterwarnings("error")
def test_a_picture_of_any_length_is_written(tmp_path):
    figure = pictures.heat_map(np.zeros((8, 8)), np.eye(4))
    figure.set_size_inches(0.5, 600)
    figure.set_layout_engine("none")
    path = pictures.save_figure(figure, tmp_path / "long.png")
    assert path.stat().st_size


@pytest.mark.parametrize("shape", [(2, 5), (2, 1, 1, 5), (2, 5, 1, 1)])
def test_gates_are_steps_over_the_channels(shape):
    gates = np.array([[0.1, 0.9, 0.5, 0.3, 0.2], [0.2, 0.8, 1.0, 0.1, 0.3]])
    figure = pictures.channel_gates(gates.reshape(shape), labels=["a", "b"])
    drawn = [steps.get_data().values for steps in figure.axes[0].patches]
    np.testing.assert_allclose(drawn, gates)
    legend = figure.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["a", "b"]


def test_sorted_gates_keep_one_order_for_all_images():
    gates = np.array([[0.1, 0.9, 0.5], [0.3, 0.4, 1.0]])
    figure = pictures.channel_gates(gates, sort=True, title="SE")
    drawn = [steps.get_data().values for steps in figure.axes[0].patches]
    np.testing.assert_allclose(drawn, gates[:, [2, 1, 0]])
    assert "most open first" in figure.axes[0].get_xlabel()
    assert figure.axes[0].get_title() == "SE"


def test_the_axis_of_gates_ends_at_what_they_may_be():
    assert pictures.channel_gates([[0.2, 0.4]]).axes[0].get_ylim() == (0, 1)
    assert pictures.channel_gates([[0.2, 1.4]]).axes[0].get_ylim() == (0, 2)


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


def test_refuses_gates_that_are_no_gates():
    for wrong, message in (
        (np.ones(4), r"shape \(4,\)"),
        (np.ones((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.ones((0, 4)), r"shape \(0, 4\)"),
        (-np.ones((2, 4)), "from -1"),
    ):
        with pytest.raises(ValueError, match=message):
            pictures.channel_gates(wrong)
    with pytest.raises(ValueError, match="each of the 2"):
        pictures.channel_gates(np.ones((2, 4)), labels=["one"])


def test_an_alignment_draws_each_weight_between_its_words():
    weights = np.linspace(-0.5, 0.25, 6).reshape(2, 3)
    figure = pictures.alignment_matrix(
        weights, ["who", "wrote"], ["austen", "wrote", "emma"], title="why"
    )
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), weights)
    assert labels(ax) == (["who", "wrote"], ["austen", "wrote", "emma"])
    assert list(ax.get_xticks()) == [0, 1, 2]
    assert list(ax.get_yticks()) == [0, 1]
    assert ax.get_title() == "why"
    assert bar(figure) == ["-0.50", "-0.12", "0.25"]


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (3, 0)])
def test_the_hottest_cell_is_crisp_and_in_its_row_from_the_top(place):
    weights = np.zeros((4, 3))
    weights[place] = 1
    figure = pictures.alignment_matrix(weights, list("abcd"), list("xyz"))
    drawn = inside(figure.axes[0])
    coldest, hottest = colours("plasma")
    hot = np.abs(drawn - hottest).sum(-1) < 12
    cold = np.abs(drawn - coldest).sum(-1) < 12
    y, x = np.argwhere(hot).mean(0)
    assert (y * 4 // len(drawn), x * 3 // drawn.shape[1]) == place
    assert (hot | cold).mean() > 0.97
    assert 0.06 < hot.mean() < 0.11


def test_words_of_an_alignment_are_drawn_as_they_are_or_not_at_all(tmp_path):
    words = ["$x_1$", "a$b", "a\0b\n", "internationalization", "x" * 18, "😀"]
    shown = ["$x_1$", "a$b", "a·b·", "internationalizat…", "x" * 18, "😀"]
    figure = pictures.alignment_matrix(
        np.eye(6), words, words, title="$5 or $6"
    )
    ax = figure.axes[0]
    assert labels(ax) == (shown, shown)
    pictures.save_figure(figure, tmp_path / "words.png")
    texts = [*ax.get_yticklabels(), *ax.get_xticklabels(), ax.title]
    assert not any(text.get_parse_math() for text in texts)


@pytest.mark.parametrize("shape", [(1, 1), (5, 4), (12, 30), (40, 23), (2, 60)])
def test_the_figure_grows_so_that_no_words_of_an_alignment_meet(shape):
    rows, columns = (
        [f"{index}{'w' * (index % 14)}" for index in range(count)]
        for count in shape
    )
    title = "who wrote the book, and for how much, and when was it published"
    figure = pictures.alignment_matrix(np.ones(shape), rows, columns, title)
    ax = figure.axes[0]
    inside(ax)
    everything = [*ax.get_yticklabels(), *ax.get_xticklabels(), ax.title]
    everything += figure.axes[1].get_yticklabels()
    check_apart(figure, everything)


def test_an_alignment_is_drawn_into_axes_that_are_given():
    from matplotlib.figure import Figure

    figure = Figure()
    left, right = figure.subplots(1, 2)
    drawn = pictures.alignment_matrix(
        [[0.25, 0.5]], ["a"], ["b", "c"], "here", right, "viridis", (0, 1)
    )
    assert drawn is figure and not left.images
    assert right.images[0].get_clim() == (0, 1)
    assert right.images[0].get_cmap().name == "viridis"
    assert right.get_title() == "here" and len(figure.axes) == 3


def test_alignments_side_by_side_share_words_scale_and_bar():
    maps = {f"head {head}": np.full((2, 3), head) for head in range(5)}
    maps["head 3"][0, 2] = 9
    figure = pictures.alignment_grid(
        maps, ["a", "b"], ["c", "d", "e"], title="all", columns_per_row=2
    )
    *panels, _ = figure.axes
    assert [ax.get_title() for ax in panels] == list(maps)
    for ax, (name, weights) in zip(panels, maps.items()):
        np.testing.assert_array_equal(ax.images[0].get_array(), weights)
        assert ax.images[0].get_clim() == (0, 9)
        rows = [] if name in ("head 1", "head 3") else ["a", "b"]
        assert labels(ax) == (rows, ["c", "d", "e"])
    assert bar(figure) == ["0.0", "4.5", "9.0"]
    assert figure.get_suptitle() == "all"
    corners = [ax.get_subplotspec().rowspan.start for ax in panels]
    assert corners == [0, 0, 1, 1, 2]
    given = pictures.alignment_grid(
        maps, ["a", "b"], ["c", "d", "e"], weights_range=(0, 10)
    )
    assert bar(given) == ["0", "5", "10"]


@pytest.mark.parametrize("count", [1, 4, 6])
def test_no_words_of_alignments_side_by_side_meet(count):
    rows, columns = [f"row{i}" * 3 for i in range(9)], ["column"] * 8
    maps = {f"layer_of_number_{i}": np.ones((9, 8)) for i in range(count)}
    figure = pictures.alignment_grid(maps, rows, columns, title="All of them")
    inside(figure.axes[0])
    *panels, scale = figure.axes
    everything = [*figure.texts, *scale.get_yticklabels()]
    for ax in panels:
        everything += [*ax.get_yticklabels(), *ax.get_xticklabels(), ax.title]
    check_apart(figure, everything)


@pytest.mark.parametrize(
    ("weights", "arguments", "message"),
    [
        (np.ones((3, 2)), {}, r"shape \(3, 2\), 2 rows and 3 columns"),
        (np.ones(6), {}, r"weights of shape \(6,\)"),
        (np.ones((2, 2, 3)), {}, r"\(2, 2, 3\)"),
        (np.ones((0, 3)), {"rows": []}, r"\(0, 3\)"),
        (np.full((2, 3), np.nan), {}, "must be finite"),
        (np.full((2, 3), "a"), {}, "real numbers"),
        (np.ones((2, 3)), {"weights_range": (1, 1)}, "lower"),
        (np.ones((2, 3)), {"colormap": "hot pink"}, "hot pink"),
    ],
)
def test_refuses_alignments_that_it_cannot_draw(weights, arguments, message):
    arguments = {"rows": ["a", "b"], "columns": ["c", "d", "e"]} | arguments
    with pytest.raises(ValueError, match=message):
        pictures.alignment_matrix(weights, **arguments)
    with pytest.raises(ValueError, match=message):
        pictures.alignment_grid({"one": weights}, **arguments)


def test_refuses_a_grid_of_no_alignments_or_no_columns():
    with pytest.raises(ValueError, match="maps={}"):
        pictures.alignment_grid({}, ["a"], ["b"])
    for wrong in (0, 2.0):
        with pytest.raises(ValueError, match=f"columns_per_row={wrong}"):
            pictures.alignment_grid(
                {"one": [[1]]}, ["a"], ["b"], columns_per_row=wrong
            )


def test_a_picture_is_written_whole_and_replaces_the_old(tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "looked.png"
    path.write_text("old")
    figure = pictures.heat_map(np.zeros((8, 8)), np.eye(2))
    assert pictures.save_figure(figure, str(path)) == path
    with image.open(path) as drawn:
        assert drawn.size[0] > 300
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_written_on_failure(tmp_path, monkeypatch):
    figure = pictures.heat_map(np.zeros((8, 8)), np.eye(2))
    for name in ("looked.doc", "looked", "missing/looked.png"):
        with pytest.raises(ValueError, match="`path` must"):
            pictures.save_figure(figure, tmp_path / name)
    with pytest.raises(ValueError, match="must be a matplotlib figure"):
        pictures.save_figure(np.zeros((8, 8)), tmp_path / "looked.png")

    def half(file, **_):
        file.write(b"half")
        raise OSError("disk full")

    old = tmp_path / "old.png"
    old.write_text("old")
    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        pictures.save_figure(figure, old)
    assert list(tmp_path.iterdir()) == [old] and old.read_text() == "old"


def labels(ax):
    """The words at the rows and at the columns."""
    return tuple(
        [tick.get_text() for tick in ticks]
        for ticks in (ax.get_yticklabels(), ax.get_xticklabels())
    )


def check_apart(figure, texts):
    """No text lies over another, or outside the figure; it is drawn."""
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for index, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:index])


def bar(figure):
    ticks = figure.axes[-1].get_yticklabels()
    return [tick.get_text() for tick in ticks]
