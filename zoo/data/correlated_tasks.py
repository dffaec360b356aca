"""Two tasks on the same inputs, as alike as one asks for; made by rule here."""

import numpy as np

from zoo.data.table_data import TableData

NOISE = 0.1  # standard deviation of what no model can know
WAVES = 5


def correlated_tasks(
    count, correlation=0.5, seed=0, draw=0, features=100, scale=0.3
):
    """The synthetic tasks of Ma et al. (2018, section 3.2).

    Each task is a bent function of a direction in the inputs:

        w[1] = scale * u[1]
        w[2] = scale * (p u[1] + sqrt(1 - p^2) u[2])
        y[k] = w[k] . x + sum_i sin(a[i] w[k] . x + b[i]) + noise

    with `u` orthonormal, `x` drawn from a standard normal distribution, and
    `p` the cosine of the two directions. The labels' own correlation grows with
    it: for 1 they are one function, with noise of their own.

    Args:
        count: Positive integer. How many rows.
        correlation: Float in [0, 1], `p`.
        seed: Integer. Seed of the world: directions and waves.
        draw: Integer. Seed of the rows; other rows of the same world have
            another.
        features: Integer of at least 2. Numbers in a row.
        scale: Positive float, the length of a direction.

    Returns:
        `TableData` with the columns `x_1`, ..., and the targets `task_1` and
        `task_2`.

    Raises:
        ValueError: If an argument is out of range.

    Departures: the waves, `a` from 1 to 5 in order and `b` drawn evenly from a
    circle, are ours.
    """
    if not 0 <= correlation <= 1:
        raise ValueError(
            "`correlation` must be in [0, 1], the cosine of two directions. "
            f"Received: correlation={correlation}"
        )
    if features < 2 or count < 1:
        raise ValueError(
            "There must be a row, and two features for two directions. "
            f"Received: count={count}, features={features}"
        )
    world = np.random.default_rng((seed, 0))
    first, second = np.linalg.qr(world.normal(size=(features, 2)))[0].T
    directions = scale * np.stack(
        [
            first,
            correlation * first + np.sqrt(1 - correlation**2) * second,
        ],
        axis=1,
    )
    rates = np.arange(1, WAVES + 1)
    phases = world.uniform(0, 2 * np.pi, WAVES)

    rows = np.random.default_rng((seed, 1, draw))
    x = rows.normal(size=(count, features))
    along = x @ directions
    waves = np.sin(along[..., None] * rates + phases).sum(axis=-1)
    y = along + waves + rows.normal(scale=NOISE, size=along.shape)
    columns = {f"x_{n}": x[:, n - 1] for n in range(1, features + 1)}
    columns |= {f"task_{n}": y[:, n - 1] for n in (1, 2)}
    return TableData(
        columns,
        ["task_1", "task_2"],
        "correlated_tasks",
        f"{count} of world {seed}, draw {draw}, correlation {correlation}",
        "1",
    )
