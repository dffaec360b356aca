"""Position encodings against the papers' equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import LearnedPositionEncoding, SinusoidalPositionEncoding
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy


@pytest.fixture(params=["sinusoidal", "learned"])
def layer(request):
    if request.param == "sinusoidal":
        return SinusoidalPositionEncoding()
    return LearnedPositionEncoding(max_length=8)


def test_contract_of_the_sinusoidal(tmp_path):
    check_layer(
        SinusoidalPositionEncoding,
        inits=[{}, {"max_wavelength": 100}],
        shapes={"inputs": (3, 5, 8)},
        output=(3, 5, 8),
        weights=None,
        folder=tmp_path,
        free_axes=(1,),
    )


def test_contract_of_the_learned(tmp_path):
    check_layer(
        LearnedPositionEncoding,
        inits=[{"max_length": 9}],
        shapes={"inputs": (3, 5, 8)},
        output=(3, 5, 8),
        weights=None,
        folder=tmp_path,
        free_axes=(1,),
    )


@pytest.mark.parametrize("max_wavelength", [10000, 50.0])
def test_sines_and_cosines_take_turns_as_in_the_paper(max_wavelength):
    inputs = np.random.default_rng(0).normal(size=(2, 30, 6))
    output = numpy(SinusoidalPositionEncoding(max_wavelength)(inputs))
    for t, i in np.ndindex(30, 3):
        angle = t / max_wavelength ** (2 * i / 6)
        close(output[:, t, 2 * i], inputs[:, t, 2 * i] + np.sin(angle))
        close(output[:, t, 2 * i + 1], inputs[:, t, 2 * i + 1] + np.cos(angle))


def test_far_positions_are_exact_to_a_thousandth():
    encoding = SinusoidalPositionEncoding()(np.zeros((1, 8192, 8)))
    t, speeds = np.arange(8192)[:, None], 10000 ** -(np.arange(0, 8, 2) / 8)
    close(encoding[0, :, 0::2], np.sin(t * speeds), rtol=0, atol=1e-3)
    close(encoding[0, :, 1::2], np.cos(t * speeds), rtol=0, atol=1e-3)


def test_half_precision_knows_far_positions_apart():
    layer = SinusoidalPositionEncoding(dtype="float16")
    half = numpy(layer(np.zeros((1, 3000, 8)))).astype("float32")
    exact = SinusoidalPositionEncoding()(np.zeros((1, 3000, 8)))
    close(half, exact, rtol=0, atol=1e-3)


def test_a_step_away_is_the_same_turn_everywhere():
    waves = numpy(SinusoidalPositionEncoding()(np.zeros((1, 40, 8))))[0]
    products = waves @ waves.T
    for distance in (0, 1, 7):
        diagonal = np.diagonal(products, distance)
        close(diagonal, np.full(40 - distance, diagonal[0]), atol=1e-4)


def test_learned_vectors_are_added_by_their_positions():
    inputs = np.random.default_rng(1).normal(size=(2, 5, 4))
    layer = LearnedPositionEncoding(max_length=8)
    layer.build(inputs.shape)
    (vectors,) = arrays(layer, "embeddings")
    assert vectors.shape == (8, 4)
    output = numpy(layer(inputs))
    for t in range(5):
        close(output[:, t], inputs[:, t] + vectors[t])
    close(layer(np.zeros((1, 8, 4)))[0], vectors)


def test_learned_vectors_start_as_small_noise():
    layer = LearnedPositionEncoding(max_length=100)
    layer.build((None, None, 64))
    (vectors,) = arrays(layer, "embeddings")
    assert 0.018 < vectors.std() < 0.022


def test_a_start_is_the_position_of_the_first(layer):
    inputs = np.random.default_rng(2).normal(size=(2, 6, 4))
    whole = numpy(layer(inputs))
    for start in (2, np.int64(2), np.array(2), keras.ops.convert_to_tensor(2)):
        close(layer(inputs[:, 2:5], start=start), whole[:, 2:5])


def test_no_position_is_before_the_first(layer):
    for start in (-1, np.int64(-1), np.array(-1)):
        with pytest.raises(ValueError, match="start=.*-1"):
            layer(np.ones((1, 3, 4)), start=start)


def test_a_start_is_a_whole_number(layer):
    for start in (1.5, np.array([0, 1])):
        with pytest.raises(ValueError, match="`start` must be an integer"):
            layer(np.ones((1, 3, 4)), start=start)


def test_integers_are_encoded_as_the_same_floats(layer):
    ids = np.arange(12).reshape(1, 3, 4)
    floats = layer(ids.astype("float32"))
    close(layer(ids), floats)
    assert layer(keras.Input((3, 4), dtype="int32")).dtype == "float32"


def test_a_start_may_count_up_inside_a_loop(layer):
    inputs = np.random.default_rng(3).normal(size=(2, 6, 4)).astype("float32")
    whole = numpy(layer(inputs))

    def step(i, output):
        one = keras.ops.slice(inputs, (0, i, 0), (2, 1, 4))
        one = layer(one, start=i)
        return i + 1, keras.ops.slice_update(output, (0, i, 0), one)

    _, output = keras.ops.while_loop(
        lambda i, output: i < 6,
        step,
        (keras.ops.convert_to_tensor(0), keras.ops.zeros((2, 6, 4))),
    )
    close(output, whole)


def test_hands_on_the_mask_an_embedding_carries(layer):
    embedding = keras.layers.Embedding(9, 4, mask_zero=True)
    pool = keras.layers.GlobalAveragePooling1D()
    padded, short = np.array([[3, 4, 5, 0, 0]]), np.array([[3, 4, 5]])
    close(pool(layer(embedding(padded))), pool(layer(embedding(short))))
    words = keras.Input((None,), dtype="int32")
    model = keras.Model(words, pool(layer(embedding(words))))
    close(model(padded), model(short))


def test_a_sequence_beyond_the_longest_is_refused():
    layer = LearnedPositionEncoding(max_length=8)
    layer(np.ones((1, 8, 4)))
    with pytest.raises(ValueError, match="max_length=8, start=0"):
        layer(np.ones((1, 9, 4)))
    for start in (6, np.int64(6), np.array(6)):
        with pytest.raises(ValueError, match="max_length=8, start=.*6"):
            layer(np.ones((1, 3, 4)), start=start)
    with pytest.raises(ValueError, match="max_length=8, start=9"):
        layer(keras.Input((None, 4)), start=9)


def test_refuses_bad_arguments_and_inputs():
    with pytest.raises(ValueError, match="max_wavelength=0"):
        SinusoidalPositionEncoding(max_wavelength=0)
    with pytest.raises(ValueError, match="max_length=0"):
        LearnedPositionEncoding(max_length=0)
    with pytest.raises(ValueError, match="even"):
        SinusoidalPositionEncoding()(np.ones((1, 3, 5)))
    for layer in (SinusoidalPositionEncoding(), LearnedPositionEncoding(8)):
        with pytest.raises(ValueError, match=r"inputs_shape=\(2, 4\)"):
            layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="known D"):
        LearnedPositionEncoding(8)(keras.Input((3, None)))
