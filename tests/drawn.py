"""What a figure shows, as pixels."""

import numpy as np


def inside(ax):
    """What is drawn inside the axes: `(height, width, 3)`, 0 to 255."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(ax.figure.figure)  # the whole of a part
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    box = ax.get_window_extent()
    height = len(pixels)
    top, bottom = height - box.y1, height - box.y0
    rows = slice(int(np.ceil(top)) + 1, int(bottom) - 1)
    columns = slice(int(np.ceil(box.x0)) + 1, int(box.x1) - 1)
    return pixels[rows, columns]


def colours(name):
    """The coldest and the hottest colour of a colormap, 0 to 255."""
    import matplotlib

    return 255 * np.array(matplotlib.colormaps[name]([0.0, 1.0]))[:, :3]


def bar(figure):
    """The numbers beside the bar of colours, the last axes of a figure."""
    axes = figure.axes[-1].child_axes or figure.axes
    ticks = axes[-1].get_yticklabels()
    return [tick.get_text() for tick in ticks]
