"""Several figures as one."""

import warnings

import numpy as np

from keras_attention.pictures.drawing import in_notebooks

DPI = 160  # as `save_figure` writes them


def stacked(figures):
    """Several figures as one, each below the other as it would be drawn alone.

    Args:
        figures: List of `matplotlib.figure.Figure`, one at least.

    Returns:
        A `matplotlib.figure.Figure`; the only one, if there is but one.
    """
    if len(figures) == 1:
        return figures[0]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = []
    for figure in figures:
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        with warnings.catch_warnings():
            # A sign that its font lacks is a box, which the picture says.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            canvas.draw()
        drawn.append(np.asarray(canvas.buffer_rgba()))
    high = sum(len(picture) for picture in drawn)
    wide = max(picture.shape[1] for picture in drawn)
    page = np.full((high, wide, 4), 255, "uint8")
    top = 0
    for picture in drawn:
        page[top : top + len(picture), : picture.shape[1]] = picture
        top += len(picture)
    whole = Figure((wide / DPI, high / DPI), dpi=DPI)
    ax = whole.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.imshow(page, interpolation="nearest", aspect="auto")
    return in_notebooks(whole)
