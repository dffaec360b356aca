"""The picture of where a classifier looked: which maps, in which row."""

import numpy as np
import pytest

from tests.numbers import randomize
from tests.zoo.tiny import tiny_data
from zoo.image_classification.picture import where_it_looked
from zoo.image_classification.task import ImageClassification


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
    task = ImageClassification.untrained(recipe, ["red", "green", "blue"])
    randomize(task.model)  # untrained, CBAM's maps are even
    images = tiny_data(count).images
    answers = task.look(list(images))
    figure = where_it_looked(task.preprocess(images), answers, **options)
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
