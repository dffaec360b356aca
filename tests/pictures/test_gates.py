"""Channel gates: each channel's as it is, in one order."""

import numpy as np
import pytest

from keras_attention import pictures
from tests.drawn import bar

pytest.importorskip("matplotlib")


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


def test_gates_of_many_images_are_rows_of_colours():
    gates = np.linspace(0, 1.5, 28).reshape(7, 4)
    labels = [f"image {i}" for i in range(6)] + ["$x_1$" * 9]
    figure = pictures.channel_gates(gates, labels, sort=True)
    ax = figure.axes[0]
    np.testing.assert_array_equal(ax.images[0].get_array(), gates[:, ::-1])
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown[:6] == labels[:6] and shown[6] == ("$x_1$" * 9)[:23] + "…"
    assert not ax.get_yticklabels()[6].get_parse_math()
    assert ax.get_legend() is None and bar(figure) == ["0.0", "1.0", "2.0"]
    plain = pictures.channel_gates(gates).axes[0].get_yticklabels()
    assert [label.get_text() for label in plain] == list("1234567")
