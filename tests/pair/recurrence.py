"""A GRU in NumPy, for the layers of MwAN."""

import numpy as np

from tests.numbers import arrays, sigmoid


def both_ways(layer, prefix, x):
    """The states of both directions, side by side. `(T, D)`."""
    forward = gru(layer, f"{prefix}forward_gru", x)
    backward = gru(layer, f"{prefix}backward_gru", x[::-1])[::-1]
    return np.concatenate([forward, backward], axis=1)


def gru(layer, path, x):
    """Keras's GRU (`reset_after`), step by step."""
    W, U, (b, c) = arrays(
        layer,
        *(
            f"{path}/gru_cell/{part}"
            for part in ("kernel", "recurrent_kernel", "bias")
        ),
    )
    n = U.shape[0]
    z_, r_, h_ = slice(0, n), slice(n, 2 * n), slice(2 * n, 3 * n)
    h, states = np.zeros(n), []
    for x_t in x:
        given, state = x_t @ W + b, h @ U + c
        z = sigmoid(given[z_] + state[z_])
        r = sigmoid(given[r_] + state[r_])
        h = z * h + (1 - z) * np.tanh(given[h_] + r * state[h_])
        states.append(h)
    return np.array(states)


def softmax(x):
    shares = np.exp(x - x.max())
    return shares / shares.sum()
