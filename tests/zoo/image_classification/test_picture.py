"""The picture of where a classifier looked: which maps, in which row."""

import numpy as np
import pytest

from tests.drawn import colours, inside
from tests.numbers import randomize
from tests.zoo.tiny import tiny_data
from zoo.image_classification.picture import where_it_looked
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image
from zoo.outputs.label import Label


def picture(attention, count=2, **options):
    recipe = {
        "builder": "attention_resnet",
        "builder_args": {
            "input_shape": [16, 16, 3],
            "attention": attention,
            "filters": [8, 16],
            "blocks": 2,
        },
    }
    task = ImageClassification.untrained(
        recipe, Image((16, 16), 3), Label(["red", "green", "blue"])
    )
    randomize(task.model)  # untrained, CBAM's maps are even
    images = tiny_data(count).images
    answers = task.look(list(images))
    figure = where_it_looked(
        task.input.arrays(images)["image"], answers, **options
    )
    rows = len(figure.axes) // count
    return answers, np.reshape(figure.axes, (rows, count))


def words(grid):
    return [row[0].get_ylabel().split("\n")[0] for row in grid]


@pytest.mark.parametrize(
    "attention, rows",
    [
        ("cbam", ["stage 1, block 2", "stage 2, block 2", "stage 2, block 2"]),
        ("bam", ["stage 1"]),
        ("se", ["stage 2, block 2"]),
        ("sk", ["stage 2, block 2"]),
    ],
)
def test_shows_the_last_layer_of_each_stage(attention, rows):
    _, grid = picture(attention)
    assert words(grid) == ["what it read", *rows]


def test_a_row_of_maps_has_one_range_and_every_map_its_image():
    answers, grid = picture("cbam")
    for row, layer in ((1, "stage_1_block_2"), (2, "stage_2_block_2")):
        maps = np.stack(
            [a["attention"][f"{layer}_attention/spatial"] for a in answers]
        )
        for ax, expected in zip(grid[row], maps):
            drawn = ax.images[-1]
            np.testing.assert_array_equal(drawn.get_array(), expected[..., 0])
            assert drawn.get_clim() == (maps.min(), maps.max())
        assert len({(one.min(), one.max()) for one in maps}) == 2


def test_bars_are_the_gates_of_the_last_layer():
    answers, grid = picture("se")
    for ax, answer in zip(grid[-1], answers):
        heights = [bar.get_height() for bar in ax.patches]
        gates = answer["attention"]["stage_2_block_2_attention"]
        np.testing.assert_allclose(heights, gates.ravel())


def test_shows_the_latest_maps_where_there_are_many():
    _, grid = picture("cbam", maps=1)
    assert words(grid) == ["what it read"] + 2 * ["stage 2, block 2"]


def test_the_line_above_is_the_answer_or_what_is_given():
    answers, grid = picture("cbam")
    share = f"{100 * answers[0]['probability']:.0f} %"
    assert grid[0, 0].get_title() == f"{answers[0]['label']} ({share})"
    _, grid = picture("cbam", titles=["one", "two"])
    assert [ax.get_title() for ax in grid[0]] == ["one", "two"]


def test_refuses_to_draw_nothing():
    with pytest.raises(ValueError, match="image"):
        where_it_looked(np.zeros((0, 8, 8, 3)), [])


@pytest.mark.parametrize("shape", [(6, 12), (12, 6), (8, 8)])
@pytest.mark.parametrize("count", [1, 8, 11])
def test_each_map_lies_on_its_own_image_the_right_way_up(shape, count):
    corners = [
        ((0, 0), (0, -1), (-1, 0), (-1, -1))[i % 4] for i in range(count)
    ]
    answers = []
    for corner in corners:
        weights = np.zeros((2, 3, 1))
        weights[corner] = 1
        maps = {"stage_1_block_1_attention/spatial": weights}
        answers.append(
            {"label": f"of {len(answers)}", "probability": 1, "attention": maps}
        )
    images = np.zeros((count, *shape, 3))
    figure = where_it_looked(images, answers)
    shown = {ax.get_title(): ax for ax in figure.axes if ax.get_title()}
    assert list(shown) == [f"of {i} (100 %)" for i in range(count)]
    across = min(8, count)
    _, hottest = colours("plasma")
    for place, ax in enumerate(shown.values()):
        below = figure.axes[figure.axes.index(ax) + across]
        np.testing.assert_array_equal(
            below.images[1].get_array(),
            answers[place]["attention"]["stage_1_block_1_attention/spatial"][
                ..., 0
            ],
        )
        height, width = shape
        for image in below.images:
            assert list(image.get_extent()) == [0, width, height, 0]
    y, x = corners[-1]
    drawn = inside(below)
    hot = np.abs(drawn - hottest).sum(-1)
    centre = np.unravel_index(hot.argmin(), hot.shape)
    assert (centre[0] * 2 >= len(drawn)) == (y == -1)
    assert (centre[1] * 2 >= drawn.shape[1]) == (x == -1)
    assert drawn.shape[1] / drawn.shape[0] == pytest.approx(
        shape[1] / shape[0], rel=0.1
    )


def test_long_labels_do_not_meet_and_dollars_are_dollars():
    answers, _ = picture("se")
    for answer in answers:
        answer["label"] = "$\\frac{$ a label that goes on and on\x1b"
    figure = where_it_looked(np.zeros((2, 8, 8, 3)), answers)
    figure.canvas.draw()
    boxes = [ax.title.get_window_extent() for ax in figure.axes[:2]]
    assert boxes[0].x1 <= boxes[1].x0
    assert figure.axes[0].get_title().startswith("$\\frac{$ a l")
