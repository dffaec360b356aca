"""Alignments: each weight is between its words, and no words meet."""

import numpy as np
import pytest

from keras_attention import pictures
from tests.drawn import bar, colours, inside

pytest.importorskip("matplotlib")


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


def test_roles_say_who_reads_whom():
    roles = ("$reads", "is read")
    figure = pictures.alignment_matrix(
        np.eye(2, 3), list("ab"), list("xyz"), roles=roles
    )
    ax = figure.axes[0]
    assert (ax.get_ylabel(), ax.get_xlabel()) == roles
    assert ax.xaxis.get_label_position() == "top"
    assert not ax.yaxis.label.get_parse_math()
    grid = pictures.alignment_grid(
        {"one": np.eye(2), "two": np.eye(2), "three": np.eye(2)},
        list("ab"),
        list("xy"),
        columns_per_row=2,
        roles=roles,
    )
    found = [(ax.get_ylabel(), ax.get_xlabel()) for ax in grid.axes[:3]]
    assert found == [roles, ("", roles[1]), roles]


@pytest.mark.parametrize("roles", ["ab", ("a",), ("a", "b", "c")])
def test_roles_are_a_pair(roles):
    for draw in (pictures.alignment_matrix, pictures.alignment_grid):
        weights = (
            np.eye(2) if draw is pictures.alignment_matrix else {"a": np.eye(2)}
        )
        with pytest.raises(ValueError, match="Received: roles="):
            draw(weights, list("ab"), list("xy"), roles=roles)


def test_heads_are_taken_as_a_layer_gives_them():
    heads = 2 * np.arange(12.0).reshape(2, 2, 3)
    figure = pictures.alignment_grid(heads, list("ab"), list("xyz"))
    assert [ax.get_title() for ax in figure.axes[:2]] == ["head 1", "head 2"]
    for ax, head in zip(figure.axes, heads):
        np.testing.assert_array_equal(ax.images[0].get_array(), head)
    assert bar(figure) == ["0", "11", "22"]
