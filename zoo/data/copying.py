"""The copying task: figures, a long silence, and the figures again.

What must be said stands at the beginning, and is asked for at the end, so a
reader must remember it for as long as the silence. By Hochreiter and
Schmidhuber (1997); with ten figures of eight kinds, as here, by Arjovsky et al.
(2016, section 4.1).
"""

import dataclasses

import numpy as np

VERSION = "1.0.0"
FIGURES, KINDS = 10, 8  # how many figures there are to copy, from 1 to 8
BLANK, MARK = ".", ":"  # what is silent, and what asks
PARTS = {"train": (20_000, 1), "test": (1000, 2)}  # how many, of which seed
BLANKS = {"copying_50": 50, "copying_100": 100, "copying_200": 200}


@dataclasses.dataclass
class Copying:
    """What is read, and what is to be said.

    Args:
        read: List of strings, the figures, blanks and the mark.
        said: List of strings, the figures.
        spans: int16 array `(N, 10, 2)`: from which letter, and up to which, of
            what is read each figure comes.
    """

    read: list
    said: list
    spans: np.ndarray


def copying(count, seed=0, blanks=50):
    """Draws figures to copy.

    Args:
        count: Positive integer. How many texts.
        seed: Integer of at least 0. Seed of the draw.
        blanks: Positive integer. How long the mark comes after the last figure.

    Returns:
        `Copying`.

    Raises:
        ValueError: If a number is too small.

    Example:

    >>> made = copying(1, seed=0, blanks=5)
    >>> made.read, made.said
    (['7653311127....:'], ['7653311127'])
    """
    if count < 1 or blanks < 1:
        raise ValueError(
            "`count` and `blanks` must be positive. "
            f"Received: count={count}, blanks={blanks}"
        )
    drawn = np.random.default_rng(seed).integers(1, KINDS + 1, (count, FIGURES))
    said = ["".join(map(str, row)) for row in drawn]
    places = np.arange(FIGURES, dtype="int16")
    spans = np.stack([places, places + 1], axis=-1)
    return Copying(
        [text + BLANK * (blanks - 1) + MARK for text in said],
        said,
        np.repeat(spans[None], count, axis=0),
    )


def chance(blanks):
    """The mean loss of who knows the task but remembers nothing, in nats.

    As papers tell it, over all steps of a sequence: `FIGURES + blanks` that are
    read, and as many as there are figures that are said.

    Args:
        blanks: As in `copying`.

    Returns:
        Float.

    Example:

    >>> round(chance(50), 3)
    0.297
    """
    return FIGURES * float(np.log(KINDS)) / (blanks + 2 * FIGURES)
