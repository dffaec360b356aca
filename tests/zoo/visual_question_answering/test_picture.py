"""The picture of where a network looked: heat, frames, answers, titles."""

import numpy as np
import PIL.Image
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tests.drawn import colours, inside
from tests.numbers import randomize
from tests.zoo.visual_question_answering.tiny import (
    SLA,
    raws_of,
    tiny_answerer,
    tiny_questions,
)
from zoo.visual_question_answering.picture import where_it_looked

GRID = (2, 4)
SHARES = {"red": 0.756, "green": 0.2, "blue": 0.03, "teal": 0.01, "gray": 0.004}


def asked(question="what is it?", shape=(30, 80, 3), **changes):
    pixels = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    return {"image": pixels, "question": question, **changes}


def answered(weights, **maps):
    maps["attention"] = np.asarray(weights, "float32")
    return {
        "label": "red",
        "probability": 0.756,
        "probabilities": SHARES,
        "attention": maps,
    }


def one_hot(place, looks=None):
    weights = np.zeros((looks or 1, 8))
    weights[:, place] = 1
    return weights if looks else weights[0]


def frames(ax):
    return [x for x in ax.patches if isinstance(x, Rectangle)]


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(_is_text))


def _is_text(artist):
    return hasattr(artist, "get_text") and bool(artist.get_text())


def test_the_picture_is_the_users_and_stands_beside_its_heat():
    raw = asked()
    figure = where_it_looked([raw], [answered(one_hot(6))], GRID)
    plain, heat, *_ = figure.axes
    np.testing.assert_allclose(
        plain.images[0].get_array(), raw["image"] / 255, atol=1e-6
    )
    grey, weights = heat.images
    assert grey.get_array().shape == (30, 80, 3)
    assert np.ptp(grey.get_array(), axis=-1).max() < 1e-6
    np.testing.assert_array_equal(weights.get_array(), one_hot(6).reshape(GRID))
    assert tuple(weights.get_extent()) == (0, 80, 30, 0)
    assert heat.get_title() == "where it looked"


@pytest.mark.parametrize("place", [0, 3, 6])
def test_it_is_hot_where_the_network_looked_and_a_frame_is_around_it(place):
    raw = asked()
    raw["image"][:] = 128
    figure = where_it_looked([raw], [answered(one_hot(place))], GRID)
    heat = figure.axes[1]
    (frame,) = frames(heat)
    row, column = divmod(place, 4)
    assert frame.get_bbox().bounds == (20 * column, 15 * row, 20, 15)
    drawn = inside(heat)
    _, hottest = colours(heat.images[1].get_cmap().name)
    high, wide = (side / cells for side, cells in zip(drawn.shape, GRID))
    centres = np.array(
        [
            [
                drawn[int((y + 0.5) * high), int((x + 0.5) * wide)]
                for x in range(4)
            ]
            for y in range(2)
        ]
    )
    near = np.abs(centres - hottest).sum(axis=-1)
    assert near.argmin() == place
    assert np.sort(near.ravel())[1] > 2 * near.min()


def test_each_look_has_a_panel_and_all_have_one_range_of_colours():
    weights = np.stack([one_hot(1), np.full(8, 1 / 8), 0.5 * one_hot(2)])
    figure = where_it_looked([asked()], [answered(weights)], GRID)
    panels = figure.axes[1:4]
    assert [ax.get_title() for ax in panels] == [
        "look 1 of 3",
        "look 2 of 3",
        "look 3 of 3",
    ]
    for ax, values in zip(panels, weights):
        np.testing.assert_array_equal(
            ax.images[1].get_array(), values.reshape(GRID)
        )
        assert ax.images[1].get_clim() == (0, 1)
    scale = figure.axes[4]
    ticks = [tick.get_text() for tick in scale.get_yticklabels()]
    assert scale.get_title() == "weight" and ticks == ["0.0", "0.5", "1.0"]


def test_a_question_with_fewer_looks_leaves_panels_empty():
    figure = where_it_looked(
        [asked("one?"), asked("two?")],
        [answered(one_hot(0)), answered(one_hot(0, 2))],
        GRID,
    )
    first, second = figure.axes[:5], figure.axes[5:]
    assert len(first[2].images) == 0 and not first[2].axison
    assert len(second[2].images) == 2


@pytest.mark.parametrize("question", ["W" * 999, "WWWWWWW " * 99])
def test_a_wide_question_stays_on_the_page(question):
    figure = where_it_looked([asked(question)], [answered(one_hot(0))], GRID)
    figure.draw_without_rendering()
    (text,) = [x for x in figure.findobj(_is_text) if "W" in x.get_text()]
    box = text.get_window_extent()
    assert 0 < box.x0 and box.x1 < figure.bbox.width
    lines = text.get_text().split("\n")
    assert len(lines) == 2 and lines[1].endswith("…")


def test_the_question_and_the_answers_are_told():
    question = "what is it, and is it where it was before, or is it elsewhere?"
    figure = where_it_looked([asked(question)], [answered(one_hot(0))], GRID)
    (title,) = [sub.get_suptitle() for sub in figure.subfigs]
    assert title.replace("\n", " ") == question and "\n" in title
    bars = figure.axes[-1]
    names = [label.get_text() for label in bars.get_yticklabels()]
    assert names == ["red", "green", "blue", "teal"]
    widths = [bar.get_width() for bar in bars.patches]
    np.testing.assert_allclose(widths, [0.756, 0.2, 0.03, 0.01])
    assert [text.get_text() for text in bars.texts] == [
        "76 %",
        "20 %",
        "3 %",
        "1 %",
    ]


def test_what_strangers_wrote_is_cut_and_harmless():
    name = "an answer that goes on and on $\\frac{$ \x1b[31m"
    answer = answered(one_hot(0))
    answer["probabilities"] = {name: 0.9, "no": 0.1}
    question = "$\\frac{$ \x1b[31m " + 60 * "word "
    figure = where_it_looked([asked(question)], [answer], GRID)
    figure.canvas.draw()
    assert "\x1b" not in words(figure)
    label = figure.axes[-1].get_yticklabels()[0].get_text()
    assert len(label) == 14 and label.endswith("…")
    assert len(figure.subfigs[0].get_suptitle()) < 130
    where_it_looked([asked("")], [answer], GRID).canvas.draw()


@pytest.mark.parametrize("shape", [(9, 300, 3), (300, 9, 3), (40, 40)])
def test_pictures_of_any_shape_are_drawn(shape):
    figure = where_it_looked([asked(shape=shape)], [answered(one_hot(3))], GRID)
    figure.canvas.draw()
    assert figure.get_figheight() < 6
    box = figure.axes[0].get_window_extent()
    assert box.width > 5 and box.height > 5


def test_even_weights_are_drawn():
    for weights in (np.full(8, 1 / 8), np.zeros(8)):
        figure = where_it_looked([asked()], [answered(weights)], GRID)
        figure.canvas.draw()
        assert figure.axes[1].images[1].get_clim()[0] == 0


def test_maps_of_something_else_are_left_out():
    more = {"words": np.ones(5), "heads": np.ones((2, 3, 8))}
    figure = where_it_looked([asked()], [answered(one_hot(3), **more)], GRID)
    assert figure.axes[1].get_title() == "where it looked"
    only = answered(one_hot(3))
    only["attention"] = more
    with pytest.raises(ValueError, match="a map over the picture.*'words'"):
        where_it_looked([asked()], [only], GRID)


def test_a_task_draws_what_it_looked_at(tmp_path):
    task = tiny_answerer(SLA)
    randomize(task.model)
    raws = raws_of(tiny_questions(2), 3)
    path = tmp_path / "large.png"
    PIL.Image.fromarray(raws[0]["image"]).resize((240, 160)).save(path)
    raws[0]["image"] = path
    figure = task.picture(raws, task.look(raws))
    assert isinstance(figure, Figure) and len(figure.subfigs) == 3
    # At the user's own resolution, not at the network's.
    assert figure.axes[0].images[0].get_array().shape == (160, 240, 3)


def test_a_large_photograph_is_reduced_and_its_map_covers_it():
    raw = asked(shape=(300, 1200, 3))
    figure = where_it_looked([raw], [answered(one_hot(6))], GRID)
    plain, heat, *_ = figure.axes
    assert plain.images[0].get_array().shape == (128, 512, 3)
    for image in heat.images:
        assert tuple(image.get_extent()) == (0, 512, 128, 0)
    (frame,) = frames(heat)
    assert frame.get_bbox().bounds == (256, 64, 128, 64)


def test_refuses_to_draw_nothing():
    with pytest.raises(ValueError, match="a question to look at"):
        where_it_looked([], [], GRID)
