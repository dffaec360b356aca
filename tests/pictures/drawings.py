"""A drawing by every public picture function, of data made by rule.

`python -m tests.pictures.drawings` draws the golden copies anew; look at each
before it is committed.
"""

import pathlib

import numpy as np

from keras_attention import pictures

GOLDEN = pathlib.Path(__file__).parent / "golden"
DPI = 80
# Whatever a user's matplotlibrc says; and the font that matplotlib brings.
STYLE = {"font.family": ["DejaVu Sans"], "font.monospace": ["DejaVu Sans Mono"]}
WORDS = "the red star left of a small blue disc shines".split()


def drawings():
    """Name -> a function that makes the figure."""
    return {
        "alignment_grid": alignment_grid,
        "alignment_matrix": alignment_matrix,
        "attention_grid": attention_grid,
        "channel_gates": channel_gates,
        "channel_gates_of_one": channel_gates_of_one,
        "draw_strips": draw_strips,
        "heat_map": heat_map,
        "region_outlines": region_outlines,
        "region_strips": region_strips,
        "stacked": stacked,
        "training_curves": training_curves,
        "word_weights": word_weights,
    }


def alignment_matrix():
    rows, columns = ["is", "a", "disc", "small"], WORDS
    scores = np.eye(4, 10, 5) + 0.3 * random((4, 10))
    return pictures.alignment_matrix(
        softmax(4 * scores),
        rows,
        columns,
        "Is a disc small?",
        roles=("reads", "is read"),
    )


def alignment_grid():
    scores = np.stack([np.eye(6, k=k) for k in (-1, 0, 1, 2, 3)])
    return pictures.alignment_grid(
        softmax(3 * scores),
        WORDS[:6],
        WORDS[:6],
        "Five heads",
        columns_per_row=3,
        roles=("reads", "is read"),
    )


def attention_grid():
    images = [scene((24, 32)), scene((24, 16))]
    maps = {
        "early": [spot((6, 8), 0.25, 0.3), spot((6, 4), 0.7, 0.5)],
        "late": [spot((3, 4), 0.7, 0.6), spot((3, 2), 0.2, 0.8)],
    }
    gates = {"channels": 0.2 + 0.6 * random((2, 12))}
    return pictures.attention_grid(images, maps, gates, ["wide", "narrow"])


def channel_gates():
    gates = random((3, 20)) * [[0.4], [0.7], [1.0]]
    labels = ["a disc", "a star", "both"]
    return pictures.channel_gates(gates, labels, sort=True, title="Gates")


def channel_gates_of_one():
    return pictures.channel_gates(2 * random((1, 1, 1, 16)), ["a disc"])


def draw_strips():
    words = WORDS[:7]
    places = np.linspace(0.15, 0.85, len(words))
    weights = [spot((6, 8), x, 1 - x) for x in places]
    boxes = [None, None, (-0.6, 0.1, 0.0, 0.8), *[None] * 4]
    image = scene((48, 64))
    return pictures.draw_strips(
        image, words, weights, boxes, " ".join(words), columns=4
    )


def heat_map():
    return pictures.heat_map(
        scene((24, 40)), spot((6, 10), 0.7, 0.3), "where it looked"
    )


def region_outlines():
    turned = [[0.3, -0.2, 0.4], [0.2, 0.3, -0.3]]
    half = [[0.5, 0, -0.4], [0, 0.5, 0.3]]
    return pictures.region_outlines(
        scene((32, 48)),
        [turned, half],
        align_corners=False,
        size=(16, 16),
        labels=["1", "2"],
        path=True,
        upwards=True,
        title="Two glimpses",
    )


def region_strips():
    from keras_attention.pictures.region_strips import RegionStrips
    from keras_attention.pictures.strips import page_of_strips

    boxes = [(-0.8, -0.8, -0.1, -0.1), (0.1, -0.2, 0.9, 0.8), (-0.7, 0.2, 0, 1)]
    words = ["red", "and", "blue"]
    strips = RegionStrips(scene((48, 64)), words, softmax(3 * np.eye(3)), boxes)
    return page_of_strips([strips], ["red and blue"])


def stacked():
    return pictures.stacked([alignment_matrix(), channel_gates_of_one()])


def training_curves():
    epochs = np.arange(1.0, 9.0)
    loss = 2 / epochs
    loss[5] = np.nan
    return pictures.training_curves(
        {
            "loss": loss.tolist(),
            "accuracy": (1 - 0.6 / epochs).tolist(),
            "val_loss": (2 / epochs + 0.05 * epochs).tolist(),
            "learning_rate": (1e-4 * epochs[::-1]).tolist(),
        },
        "Eight epochs",
    )


def word_weights():
    words = 3 * WORDS
    weights = softmax(3 * random(len(words)))
    return pictures.word_weights(words, weights, "red star (84 %)")


def scene(size):
    """A red disc and a blue bar before a ramp of greys."""
    y, x = np.mgrid[0.5 : size[0], 0.5 : size[1]]
    y, x = y / size[0], x / size[1]
    image = np.repeat((90 + 90 * x * y)[..., None], 3, axis=-1)
    image[(x - 0.3) ** 2 + (y - 0.35) ** 2 < 0.03] = 220, 60, 40
    image[(abs(x - 0.75) < 0.12) & (abs(y - 0.6) < 0.2)] = 40, 80, 200
    return image.astype("uint8")


def spot(size, x, y):
    """A map with its weight around a place, given in shares of its sides."""
    rows, columns = np.mgrid[0.5 : size[0], 0.5 : size[1]]
    away = (columns / size[1] - x) ** 2 + (rows / size[0] - y) ** 2
    heat = np.exp(-away / 0.03)
    return heat / heat.sum()


def softmax(scores):
    shares = np.exp(scores)
    return shares / shares.sum(-1, keepdims=True)


def random(shape):
    """The same numbers with any version of NumPy."""
    count = int(np.prod(shape))
    return (np.arange(1, count + 1) * 0.6180339887 % 1).reshape(shape)


def pixels(make):
    """What a drawing looks like: `(height, width, 3)` bytes."""
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with style.context(["default", STYLE]):
        figure = make()
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def main():
    """Draws all golden copies."""
    from PIL import Image

    GOLDEN.mkdir(exist_ok=True)
    for name, make in drawings().items():
        picture = Image.fromarray(pixels(make))
        picture.save(GOLDEN / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
