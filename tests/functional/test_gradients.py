"""A gradient inside a forward pass, against the gradient written out."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional.gradients import gradient_inside
from tests.numbers import (
    DTYPES,
    SLACK,
    as_float32,
    close,
    gradients,
    numpy,
    tensor,
)

BACKEND = keras.backend.backend()


@keras.saving.register_keras_serializable(package="tests")
class Slope(keras.layers.Layer):
    """Its output is the gradient of what a layer inside says of its inputs."""

    def __init__(self, inner, returns="gradient", **kwargs):
        super().__init__(**kwargs)
        self.inner = inner
        self.returns = returns

    def build(self, input_shape):
        if not self.inner.built:
            self.inner.build(input_shape)

    def call(self, inputs):
        def function(x):
            return ops.square(self.inner(x, training=False))

        if self.returns == "output":
            return function(inputs)
        both = gradient_inside(function, inputs)
        return both if self.returns == "both" else both[1]


def dense(policy="float32"):
    return keras.Sequential(
        [
            keras.layers.Dense(5, activation="tanh", dtype=policy),
            keras.layers.BatchNormalization(dtype=policy),
            keras.layers.Dropout(0.5, dtype=policy),
            keras.layers.Dense(2, dtype=policy),
        ]
    )


def written_out(inner, x):
    """`sum of square(inner(x))` by the chain rule: the value, the gradient."""
    first, norm, _, last = inner.layers
    kernel, bias = map(numpy, (first.kernel, first.bias))
    gamma, beta, mean, variance = map(
        numpy,
        (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance),
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    hidden = np.tanh(x @ kernel + bias)
    seen = scale * (hidden - mean) + beta
    answer = seen @ numpy(last.kernel) + numpy(last.bias)
    slope = 2 * answer @ numpy(last.kernel).T * scale * (1 - hidden**2)
    return answer**2, slope @ kernel.T


def data(count=6):
    return np.random.default_rng(0).normal(size=(count, 3)).astype("float32")


def built(policy="float32", **options):
    layer = Slope(dense(policy), dtype=policy, **options)
    layer.build((None, 3))
    rng = np.random.default_rng(1)
    for weight in layer.inner.weights:
        values = rng.uniform(0.2, 0.8, weight.shape)
        if "seed" not in weight.path:
            weight.assign(values)
    return layer


@pytest.mark.parametrize("dtype", DTYPES)
def test_equals_the_gradient_written_out(dtype):
    held, exact = tensor(data(), dtype)
    kernel = np.array([[1.0, -2.0], [0.5, 0.0], [-1.0, 3.0]], "float32")

    def function(x):
        return ops.square(ops.matmul(x, ops.cast(kernel, dtype)))

    output, gradient = gradient_inside(function, held)
    assert keras.backend.standardize_dtype(gradient.dtype) == dtype
    assert tuple(gradient.shape) == (6, 3) and tuple(output.shape) == (6, 2)
    product = exact @ kernel
    close(as_float32(output), product**2, 0, 40 * SLACK[dtype])
    slope = 2 * product @ kernel.T
    close(as_float32(gradient), slope, 0, 60 * SLACK[dtype])


def test_equals_the_gradient_through_layers():
    layer = built(returns="both")
    output, gradient = layer(data())
    expected, slope = written_out(layer.inner, data())
    close(output, expected)
    close(gradient, slope)
    assert np.abs(slope).min() > 1e-3


def test_the_sum_is_over_all_that_the_function_returns():
    """And so the gradient of a sample is its own: no mean, no other."""
    layer = built()
    whole = numpy(layer(data()))
    close(layer(data()[:1]), whole[:1])
    scalar = gradient_inside(lambda x: ops.sum(x**3), ops.ones((2, 3)))
    assert tuple(scalar[0].shape) == ()
    close(scalar[1], np.full((2, 3), 3.0))


def test_what_does_not_depend_on_the_inputs_has_none():
    for function, expected in (
        (lambda x: ops.ones((2,)), [0, 0, 0]),
        (lambda x: ops.stop_gradient(x) * 2, [0, 0, 0]),
        (lambda x: x[:, 0], [1, 0, 0]),
    ):
        _, gradient = gradient_inside(function, ops.ones((2, 3)))
        np.testing.assert_array_equal(numpy(gradient), [expected] * 2)


def test_the_gradient_is_a_constant_and_the_output_is_not():
    def total(x, weight):
        output, gradient = gradient_inside(lambda y: weight * y**3, x)
        return ops.sum(output) + ops.sum(gradient)

    numbers, value = data(), 2.0
    _, slope = gradient_inside(lambda y: value * y**3, numbers)
    close(slope, 3 * value * numbers**2)
    to_inputs, to_weight = gradients(total, numbers, np.float32(value))
    close(to_inputs, 3 * value * numbers**2)
    close(to_weight, (numbers**3).sum())


def test_inside_a_functional_model():
    inputs = keras.Input((3,))
    layer = built()
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 3)
    _, slope = written_out(layer.inner, data())
    close(model(data()), slope)
    for batch_size in (2, 6):
        close(model.predict(data(), batch_size=batch_size, verbose=0), slope)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_in_mixed_precision(policy):
    full, layer = built(), built(policy)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    found = model(data())
    dtype = keras.backend.standardize_dtype(found.dtype)
    assert dtype == layer.compute_dtype
    slope = written_out(full.inner, data())[1]
    size = np.abs(slope).max()
    close(as_float32(found), slope, 0, 5 * SLACK[dtype] * size)


@pytest.mark.parametrize(
    "compiled", [False, pytest.param(True, id="jit_compile")]
)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # so it must be
def test_in_fit_the_statistics_are_left_alone(compiled, policy):
    """And weights move by what comes after the gradient, which is constant."""
    if compiled and BACKEND == "torch":
        pytest.skip("torch.compile does not take a gradient inside a graph")
    layer = built(policy)
    inputs = keras.Input((3,))
    slope = layer(inputs)
    weigh = keras.layers.Dense(1, use_bias=False, dtype="float32")
    model = keras.Model(inputs, weigh(slope))
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=compiled)
    before = [np.array(numpy(w)) for w in layer.weights]
    kernel = np.array(numpy(weigh.kernel))
    seen = as_float32(layer(data()))
    target = np.ones((6, 1), "float32")
    model.train_on_batch(data(), target)
    for old, weight in zip(before, layer.weights):
        np.testing.assert_array_equal(numpy(weight), old)
    step = 0.01 * 2 / 6 * seen.T @ (seen @ kernel - target)
    size = np.abs(step).max()
    loose = 1e-4 if policy == "float32" else 1e-2
    close(kernel - numpy(weigh.kernel), step, 0, loose * size)
    model.fit(data(), target, epochs=2, verbose=0)


@pytest.mark.parametrize("compiled", [False, True])
def test_in_fit_the_output_trains_what_is_inside(compiled):
    if compiled and BACKEND == "torch":
        pytest.skip("torch.compile does not take a gradient inside a graph")
    layer = built(returns="both")
    inputs = keras.Input((3,))
    output, slope = layer(inputs)
    model = keras.Model(inputs, [output, slope])
    plain = built(returns="output")
    twin = keras.Model(inputs, plain(inputs))
    target = np.ones((6, 2), "float32")
    model.compile(
        keras.optimizers.SGD(0.01),
        ["mse", "mse"],
        loss_weights=[1.0, 5.0],
        jit_compile=compiled,
    )
    twin.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    model.fit(data(), [target, data()], epochs=3, verbose=0)
    twin.fit(data(), target, epochs=3, verbose=0)
    start = built().get_weights()
    moved = 0
    for one, other, old in zip(
        layer.get_weights(), plain.get_weights(), start, strict=True
    ):
        close(one, other)  # as if there were no gradient to match
        moved += np.abs(one - old).max() > 1e-3
    assert moved >= 4


def test_saved_and_reloaded(tmp_path):
    inputs = keras.Input((3,))
    layer = Slope(keras.layers.Dense(2), name="slope")
    model = keras.Model(inputs, layer(inputs))
    expected = numpy(model(data()))
    # Its recipe is the test's own matter; the weights are what counts here.
    model.save_weights(tmp_path / "model.weights.h5")
    twin = keras.Model(
        inputs, Slope(keras.layers.Dense(2), name="slope")(inputs)
    )
    twin.load_weights(tmp_path / "model.weights.h5")
    close(twin(data()), expected)


def test_unknown_sizes_and_integers():
    class Places(keras.layers.Layer):
        def call(self, inputs):
            return gradient_inside(lambda x: ops.exp(x), inputs)[1]

    inputs = keras.Input((None, None))
    model = keras.Model(inputs, Places()(inputs))
    assert model.output_shape == (None, None, None)
    array = np.ones((2, 4, 5), "float32")
    close(model(array), np.exp(array))
    with pytest.raises(ValueError, match="dtype int32"):
        gradient_inside(ops.exp, np.ones((2, 3), "int32"))


def test_refuses_a_symbol_outside_of_a_layer():
    with pytest.raises(ValueError, match="in the `call` of a layer.*Received"):
        gradient_inside(ops.exp, keras.Input((3,)))


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch alone has such modes")
def test_without_recording_there_is_a_gradient_still_and_no_more():
    import torch

    with torch.no_grad():
        output, gradient = gradient_inside(ops.exp, torch.ones(3))
    close(gradient, np.exp(np.ones(3)))
    assert not output.requires_grad and not gradient.requires_grad
    inputs = torch.ones(3)
    gradient_inside(ops.exp, inputs)
    assert not inputs.requires_grad, "the caller's tensor is left as it was"
