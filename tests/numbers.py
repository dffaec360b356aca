"""NumPy for the tests: what the papers' equations are written with."""

import keras
import numpy as np

# What the dtypes of a computation lose.
SLACK = {"float32": 1e-6, "float16": 1e-3, "bfloat16": 1e-2}
DTYPES = sorted(SLACK)


def arrays(layer, *names):
    """A layer's weights as arrays, by the ends of their paths."""
    found = {w.path.split("/", 1)[1]: np.array(numpy(w)) for w in layer.weights}
    return [found[name] for name in names]


def randomize(layer, seed=0):
    """Gives every weight a value of its own; variances stay positive."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        value = rng.normal(0, 0.5, weight.shape)
        if weight.path.endswith("moving_variance"):
            value = rng.uniform(0.5, 2, weight.shape)
        weight.assign(value.astype("float32"))


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def tensor(array, dtype):
    """In a dtype, and the numbers that it then holds."""
    held = keras.ops.convert_to_tensor(array, dtype=dtype)
    return held, as_float32(held)


def as_float32(result):
    return numpy(keras.ops.cast(result, "float32"))


def close(actual, expected, rtol=1e-4, atol=1e-5):
    np.testing.assert_allclose(
        numpy(actual), numpy(expected), rtol=rtol, atol=atol
    )


def gradients(function, *arrays):
    """Of a scalar function, on any backend."""
    backend = keras.backend.backend()
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        return [numpy(g) for g in tape.gradient(value, tensors)]
    if backend == "jax":
        import jax

        return [
            numpy(g)
            for g in jax.grad(function, tuple(range(len(arrays))))(*tensors)
        ]
    tensors = [tensor.requires_grad_() for tensor in tensors]
    function(*tensors).backward()
    return [numpy(tensor.grad) for tensor in tensors]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


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


def convolve(image, kernel, dilation=1, groups=1):
    """Each place sees its surroundings, zeros beyond the edge. `(H, W, C)`."""
    height, width, channels = image.shape
    side, _, seen, filters = kernel.shape
    reach = dilation * (side - 1) // 2
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)))
    output = np.zeros((height, width, filters))
    made = filters // groups
    for y, x in np.ndindex(height, width):
        for i, j in np.ndindex(side, side):
            place = padded[y + i * dilation, x + j * dilation]
            for g in range(groups):
                part = place[g * seen : (g + 1) * seen]
                out = slice(g * made, (g + 1) * made)
                output[y, x, out] += part @ kernel[i, j, :, out]
    return output


def normalize(x, gamma, beta, mean, variance, training=False):
    """Batch normalisation over all axes but the last."""
    if training:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes)
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta
