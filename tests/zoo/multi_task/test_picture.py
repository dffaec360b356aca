"""The picture of which expert each task read."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from tests.drawn import colours, inside
from tests.zoo.multi_task.tiny import TARGETS, rows_of, tiny_multi, tiny_table
from zoo.multi_task import picture
from zoo.multi_task.picture import experts_figure

PAY = {"label": "low", "probability": 0.756}


def answered(weights, **other):
    weights = np.asarray(weights, "float32")
    answer = {"pay": PAY, "rent": {"value": 1234.56}}
    return {**answer, "attention": {"experts": weights}, **other}


def grids(answers, targets, monkeypatch):
    """The grid of each row, before they become one page."""
    found = []

    def stacked(figures):
        found.extend(figures)
        return figures[0]

    monkeypatch.setattr(picture.pictures, "stacked", stacked)
    experts_figure(answers, targets)
    return [figure.axes[0] for figure in found]


def test_a_grid_shows_the_weights_of_each_task_and_expert(monkeypatch):
    weights = [[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]
    (ax,) = grids([answered(weights)], ["pay", "rent"], monkeypatch)
    (image,) = ax.images
    np.testing.assert_allclose(image.get_array(), weights)
    assert [x.get_text() for x in ax.get_yticklabels()] == ["pay", "rent"]
    assert [x.get_text() for x in ax.get_xticklabels()] == [
        "expert 1",
        "expert 2",
        "expert 3",
    ]
    assert ax.get_title() == "pay: low (76 %)\nrent: 1235"


def test_the_expert_that_is_read_most_is_the_hottest():
    figure = experts_figure([answered([[0.0, 1.0], [0.9, 0.1]])], ["pay"] * 2)
    drawn = inside(figure.axes[0])
    _, hottest = colours(figure.axes[0].images[0].get_cmap().name)
    hot = np.abs(drawn - hottest).sum(-1)
    y, x = np.unravel_index(hot.argmin(), hot.shape)
    assert y < len(drawn) / 2 and x >= drawn.shape[1] // 2


def test_all_rows_have_one_range_of_colours(monkeypatch):
    answers = [answered([[0.2, 0.3]]), answered([[0.9, 0.1]])]
    drawn = grids(answers, ["pay"], monkeypatch)
    assert len(drawn) == 2
    for ax in drawn:
        low, high = ax.images[0].get_clim()
        assert (low, high) == (0, pytest.approx(0.9))


def test_long_and_foreign_names_are_cut_and_harmless(monkeypatch):
    name = "a target with a name that goes on and on $\\frac{$ \x1b[31m"
    answer = {name: PAY, "attention": {"experts": np.ones((1, 2))}}
    (ax,) = grids([answer], [name], monkeypatch)
    assert len(ax.get_title()) < 50 and "\x1b" not in ax.get_title()
    ax.figure.canvas.draw()


def test_a_task_draws_what_it_looked_at():
    task = tiny_multi()
    rows = rows_of(tiny_table(3))
    figure = task.picture(rows, task.look(rows))
    assert isinstance(figure, Figure)
    (row,) = rows[1:2]
    one = task.picture([row], task.look([row]))
    names = [label.get_text() for label in one.axes[0].get_yticklabels()]
    assert names == TARGETS


def test_refuses_to_draw_nothing():
    with pytest.raises(ValueError, match="a row to look at"):
        experts_figure([], ["pay"])
