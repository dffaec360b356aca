"""What all pictures share: what is drawn of which numbers, and what is not."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_attention.pictures.drawing import (
    as_finite,
    as_map,
    check_range,
    color_bar,
    color_scale,
    find_colormap,
    in_notebooks,
    new_figure,
)
from tests.drawn import bar, colours


def test_a_figure_has_its_size_in_inches():
    assert new_figure(3, 2).get_size_inches().tolist() == [3, 2]


def test_a_notebook_shows_a_figure_as_it_is():
    figure = in_notebooks(new_figure(1.5, 0.5))
    with Image.open(io.BytesIO(figure._repr_png_())) as image:
        assert image.format == "PNG" and image.size == (165, 55)
    figure.text(0.1, 0.1, "\U00013000")  # of which the font has no sign
    assert figure._repr_png_()


def test_a_map_is_two_axes_of_finite_numbers():
    weights = np.arange(6, dtype="int8").reshape(2, 3, 1)
    values = as_map(weights)
    assert values.dtype == "float64" and values.shape == (2, 3)
    np.testing.assert_array_equal(values, weights[..., 0])
    for shape in ((2, 3, 2), (3,), (0, 3)):
        with pytest.raises(ValueError, match="one value for each place"):
            as_map(np.zeros(shape))


@pytest.mark.parametrize(
    "array, message",
    [
        (np.array([1.0, np.nan, np.inf]), "2 values NaN or infinite"),
        (np.array([1j]), "complex128"),
        (np.array(["a"]), "must hold real numbers"),
    ],
)
def test_what_has_no_colour_is_refused_by_name(array, message):
    with pytest.raises(ValueError, match=message) as error:
        as_finite("gates", array)
    assert "`gates`" in str(error.value)


def test_a_range_has_its_lower_end_first():
    assert check_range("value_range", (0, 255)) == (0, 255)
    for pair in ((1, 1), (2, 1), (0, np.nan)):
        with pytest.raises(ValueError, match="value_range="):
            check_range("value_range", pair)


def test_colours_span_the_map_or_the_range_that_is_given():
    cold, hot = colours("plasma")
    values = np.array([[1.0, 3.0]])
    own = color_scale("plasma", values)
    np.testing.assert_allclose(
        255 * own.to_rgba(values)[0, :, :3], [cold, hot], atol=1e-3
    )
    given = color_scale("plasma", values, (3, 5))
    ends = given.to_rgba([3.0, 5.0])[:, :3]
    np.testing.assert_allclose(255 * ends, [cold, hot], atol=1e-3)
    for even, ends in ((4.0, (0, 8)), (-2.0, (-4, 0)), (0.0, (0, 1))):
        even = color_scale("plasma", np.full((2, 2), even))
        assert even.get_clim() == ends


def test_a_colormap_is_found_by_its_name():
    assert find_colormap("viridis").name == "viridis"
    with pytest.raises(ValueError, match="colormap='vridis'"):
        find_colormap("vridis")


@pytest.mark.parametrize(
    "low, high, shown",
    [(0, 1, ["0.0", "0.5", "1.0"]), (0.02, 0.04, ["0.020", "0.030", "0.040"])],
)
def test_the_bar_says_both_ends_and_the_middle(low, high, shown):
    figure = Figure()
    ax = figure.subplots()
    color_bar(figure, color_scale("plasma", np.array([low, high])), ax=ax)
    assert bar(figure) == shown
