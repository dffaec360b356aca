"""Curves of a training: each quantity in a panel, beside its twin."""

import keras
import numpy as np
import pytest

from keras_attention import pictures

pytest.importorskip("matplotlib")


def panels(figure):
    """Title -> the curves: the values, and how they are drawn."""
    return {
        ax.get_title(): [
            (line.get_ydata().tolist(), line.get_linestyle())
            for line in ax.lines
        ]
        for ax in figure.axes
        if ax.axison
    }


def test_a_quantity_and_its_twin_share_a_panel():
    history = {"loss": [2, 1], "accuracy": [0.5, 0.6], "val_loss": [3, 2.5]}
    figure = pictures.training_curves(history, "two epochs")
    assert panels(figure) == {
        "loss": [([2, 1], "-"), ([3, 2.5], "--")],
        "accuracy": [([0.5, 0.6], "-")],
    }
    for ax in figure.axes:
        assert ax.lines[0].get_xdata().tolist() == [1, 2]
        assert ax.get_xlabel() == "epoch"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "training",
        "validation",
    ]
    first, second = figure.axes[0].lines
    assert first.get_color() != second.get_color()
    assert figure.get_suptitle() == "two epochs"


def test_the_forms_of_a_history_are_taken_alike():
    log = {"loss": [2.0, 1.0], "val_loss": [3.0, 2.5]}
    kept = keras.callbacks.History()
    kept.history = log
    rows = [
        {"epoch": 1, "note": "warm", "loss": np.float32(2), "val_loss": 3.0},
        {"epoch": 2, "loss": 1.0, "val_loss": 2.5},
    ]
    expected = panels(pictures.training_curves(log))
    assert panels(pictures.training_curves(kept)) == expected
    assert panels(pictures.training_curves(rows)) == expected


def test_what_is_not_finite_is_a_gap_and_is_counted():
    log = [{"loss": 1.0}, {"loss": float("nan")}, {"auc": 0.5}, {"loss": 2.0}]
    found = panels(pictures.training_curves(log))
    (values, _), *_ = found["loss\npoints that are not finite: 2"]
    np.testing.assert_array_equal(values, [1, np.nan, np.nan, 2])
    assert "auc\npoints that are not finite: 3" in found


def test_a_quantity_of_the_validation_data_alone_is_dashed():
    found = panels(pictures.training_curves({"val_map": [0.5, 0.6]}))
    assert found == {"val_map": [([0.5, 0.6], "--")]}


def test_panels_are_wrapped():
    log = {f"metric_{i}": [1.0, 2.0] for i in range(5)}
    figure = pictures.training_curves(log, columns=2)
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (3, 2)
    assert len(panels(figure)) == 5


def test_names_of_strangers_are_drawn_as_they_are():
    figure = pictures.training_curves({"$\\frac{$\0": [1.0]}, "$a_b$")
    title = figure.axes[0].title
    assert title.get_text() == "$\\frac{$·" and not title.get_parse_math()
    assert not figure.findobj(lambda x: x is figure._suptitle)[
        0
    ].get_parse_math()


@pytest.mark.parametrize("history", [{}, [], {"loss": []}, [{"epoch": 1}]])
def test_refuses_a_history_without_numbers(history):
    with pytest.raises(ValueError, match="a number of one epoch at least"):
        pictures.training_curves(history)


@pytest.mark.parametrize("columns", [0, True, 1.5])
def test_refuses_columns_that_are_no_number(columns):
    with pytest.raises(ValueError, match="Received: columns"):
        pictures.training_curves({"loss": [1.0]}, columns=columns)
