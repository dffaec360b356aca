"""Every picture looks as its golden copy, which somebody has looked at.

What another version of matplotlib or FreeType draws a pixel further is let
pass: compared are means of squares of 8 by 8 pixels. A colour, a word, a line
or a bar more or less is not.
"""

import numpy as np
import pytest

from keras_attention import pictures
from tests.pictures.drawings import GOLDEN, drawings, pixels

pytest.importorskip("matplotlib")
from PIL import Image  # noqa: E402

SQUARE = 8  # pixels
MOST = 24  # of 255, by which any square may differ
MEAN = 0.8  # and all squares on average


def squares(picture):
    """The mean of each square, and of its parts at the edges: `(h, w, 3)`."""
    picture = np.asarray(picture, "float64")
    height, width, _ = picture.shape
    rows, columns = np.arange(0, height, SQUARE), np.arange(0, width, SQUARE)
    sums = np.add.reduceat(np.add.reduceat(picture, rows, 0), columns, 1)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return sums / counts[..., None]


@pytest.mark.parametrize("name", drawings())
def test_it_looks_as_its_golden_copy(name):
    drawn = pixels(drawings()[name])
    with Image.open(GOLDEN / f"{name}.png") as golden:
        golden = np.asarray(golden.convert("RGB"))
    assert drawn.shape == golden.shape
    apart = np.abs(squares(drawn) - squares(golden))
    assert apart.max() < MOST and apart.mean() < MEAN, (
        f"{name}: {apart.max():.1f} in one square, {apart.mean():.2f} in all. "
        "If it is meant, draw it by `python -m tests.pictures.drawings`, look "
        "at it, and commit it."
    )


@pytest.mark.parametrize("name", drawings())
def test_a_notebook_shows_it(name):
    assert callable(drawings()[name]()._repr_png_)


def test_every_picture_function_has_a_golden_copy():
    made = {
        name
        for name in dir(pictures)
        if name.islower() and callable(getattr(pictures, name))
    }
    no_picture = {
        "beside",
        "check_format",
        "noted",
        "printable",
        "read_region",
        "save_figure",
        "shortened",
        "text_page",
    }
    assert made - no_picture <= set(drawings())
    assert {path.stem for path in GOLDEN.iterdir()} == set(drawings())
