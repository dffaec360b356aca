"""Several figures as one: each whole, in their order."""

import numpy as np
from matplotlib.figure import Figure

from keras_attention.pictures.stacking import DPI, stacked


def test_one_figure_comes_back_as_it_is():
    figure = Figure((1, 1))
    assert stacked([figure]) is figure


def test_figures_stand_one_below_the_other_each_in_its_size():
    red = Figure((2, 1), facecolor="#ff0000")
    blue = Figure((1, 2), facecolor="#0000ff")
    page = _pixels(stacked([red, blue]))
    assert page.shape == (3 * DPI, 2 * DPI, 3)
    assert (page[:DPI] == (255, 0, 0)).all()
    assert (page[DPI:, :DPI] == (0, 0, 255)).all()
    assert (page[DPI:, DPI:] == 255).all()


def _pixels(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
