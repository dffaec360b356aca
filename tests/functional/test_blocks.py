"""Blocks of queries give the numbers and gradients of all at once."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional import default_block_size, over_query_blocks
from tests.numbers import close, numpy


def attend(query, mask, key, absent):
    assert absent is None
    scores = ops.matmul(query, ops.swapaxes(key, 1, 2))
    shown = scores if mask is None else ops.where(mask, scores, 0.0)
    return ops.matmul(ops.tanh(shown), key)


@pytest.mark.parametrize("block_size", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_function_on_all(block_size, masked):
    rng = np.random.default_rng(0)
    query = rng.normal(size=(2, 7, 4)).astype("float32")
    key = rng.normal(size=(2, 5, 4)).astype("float32")
    mask = rng.random((2, 7, 5)) < 0.5 if masked else None
    parts = over_query_blocks(attend, block_size, [query, mask], [key, None])
    close(parts, attend(query, mask, key, None))
    whole = over_query_blocks(attend, None, [query, mask], [key, None])
    close(whole, attend(query, mask, key, None), 0, 0)


class Both(keras.layers.Layer):
    """The inputs as queries and as keys, through a kernel of its own."""

    def __init__(self, block_size):
        super().__init__()
        self.block_size = block_size
        self.kernel = self.add_weight(shape=(4, 4))

    def call(self, inputs):
        kernel = ops.convert_to_tensor(self.kernel)
        return over_query_blocks(
            lambda query, key, kernel: attend(
                ops.matmul(query, kernel), None, key, None
            ),
            self.block_size,
            [inputs],
            [ops.matmul(inputs, kernel), kernel],
        )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_gradients_are_those_of_all_at_once(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("compiling takes PyTorch half a minute")
    rng = np.random.default_rng(1)
    data = rng.normal(size=(2, 7, 4)).astype("float32")
    start, after = rng.normal(size=(4, 4)), []
    for block_size in (None, 3):
        inputs = keras.Input((7, 4))
        layer = Both(block_size)
        model = keras.Model(inputs, layer(inputs))
        layer.kernel.assign(start)
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
        model.train_on_batch(data, np.ones_like(data))
        after.append(numpy(layer.kernel))
    assert np.abs(after[0] - start).max() > 0.01
    close(after[1], after[0])


def test_takes_all_at_once_where_that_is_cheap_or_lengths_are_unknown():
    assert default_block_size(128, 128, 32) is None
    assert default_block_size(None, 8192, 32) is None
    assert default_block_size(8192, None, 32) is None
    assert default_block_size(8192, 8192, 32) == 4
    assert default_block_size(2, 10**7, 64) == 1
