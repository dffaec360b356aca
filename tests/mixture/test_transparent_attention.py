"""TransparentAttention against the paper's equations, in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import TransparentAttention, attention_maps
from tests.contract import check_mixture_layer
from tests.numbers import arrays, as_float32, close, numpy, randomize

RNG = np.random.default_rng(1)
LAYERS = [RNG.normal(size=(2, 4, 6)).astype("float32") for _ in range(3)]


@pytest.mark.slow
def test_contract(tmp_path):
    check_mixture_layer(
        TransparentAttention,
        inits=[
            {"num_outputs": 2},
            {"num_outputs": 3, "dropout": 0.2, "seed": 1},
        ],
        shapes={"inputs": [(3, 5, 8)] * 4},
        output=[[(3, 5, 8)] * 2, [(3, 5, 8)] * 3],
        weights=[(3, 4, 2), (3, 4, 3)],  # repeated by the contract
        folder=tmp_path,
        branches=lambda layer, inputs: np.stack(inputs),
        sum_axis=1,
        free_axes=(1,),
    )


def test_equals_the_equations_of_the_paper():
    layer = TransparentAttention(num_outputs=2)
    layer.build([x.shape for x in LAYERS])
    randomize(layer)
    outputs, weights = layer(LAYERS, return_attention_scores=True)
    (W,) = arrays(layer, "logits")
    assert W.shape == (3, 2)
    for j in range(2):
        s = np.exp(W[:, j]) / np.exp(W[:, j]).sum()
        close(weights[:, j], s)
        close(outputs[j], sum(s_i * h for s_i, h in zip(s, LAYERS)))


def test_starts_with_the_mean_of_all_layers():
    for mix in TransparentAttention(num_outputs=2)(LAYERS):
        close(mix, np.mean(LAYERS, axis=0))


def test_drops_logits_not_weights_and_in_training_only():
    layer = TransparentAttention(num_outputs=400, dropout=0.5, seed=2)
    layer.build([x.shape for x in LAYERS])
    layer.logits.assign(np.full((3, 400), 1.5))
    _, calm = layer(LAYERS, return_attention_scores=True)
    close(calm, np.full((3, 400), 1 / 3))
    _, weights = layer(LAYERS, return_attention_scores=True, training=True)
    weights = numpy(weights)
    close(weights.sum(axis=0), np.ones(400))
    # A logit is 0 or twice 1.5, so no weight is zero.
    kept = np.exp(3.0)
    expected = {
        x / (a + b + c)
        for a in (1, kept)
        for b in (1, kept)
        for c in (1, kept)
        for x in (a, b, c)
    }
    distance = np.abs(weights[..., None] - np.array([*expected])).min(axis=-1)
    assert distance.max() < 1e-5
    assert len(np.unique(weights.round(4))) == len(
        np.unique(np.round([*expected], 4))
    )
    again = numpy(layer(LAYERS, return_attention_scores=True, training=True)[1])
    assert (again != weights).any()


def test_every_layer_has_a_short_way_to_the_loss():
    """Ten saturated layers: the first one learns only where it is mixed in."""
    inputs = keras.Input((4, 6))
    x, all_layers = inputs, [inputs]
    for number in range(10):
        x = keras.layers.Dense(
            6,
            "tanh",
            kernel_initializer=keras.initializers.RandomNormal(
                stddev=4.0, seed=number
            ),
            name=f"layer_{number}",
        )(x)
        all_layers.append(x)
    (mix,) = TransparentAttention(num_outputs=1)(all_layers)
    steps = {}
    for name, output in (("last", x), ("mix", mix)):
        model = keras.Model(inputs, output)
        kernel = model.get_layer("layer_0").kernel
        before = numpy(kernel).copy()
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(LAYERS[0], LAYERS[1], epochs=1, verbose=0)
        steps[name] = np.abs(numpy(kernel) - before).max()
        kernel.assign(before)
    assert steps["mix"] > 10 * steps["last"]


def test_hands_on_the_mask_that_an_input_carries():
    token_ids = keras.Input((4,), dtype="int32")
    words = keras.layers.Embedding(9, 6, mask_zero=True)(token_ids)
    above = keras.layers.Dense(6)(words)
    mixes = TransparentAttention(num_outputs=2)([words, above])
    model = keras.Model(
        token_ids, [keras.layers.GlobalAveragePooling1D()(x) for x in mixes]
    )
    ids = np.array([[3, 5, 0, 0]])
    padded = keras.Model(token_ids, mixes)(ids)
    for pooled, mix in zip(model(ids), padded):
        close(pooled, numpy(mix)[:, :2].mean(axis=1))


def test_shows_its_weights_for_every_sample():
    inputs = [keras.Input((4, 6)) for _ in LAYERS]
    layer = TransparentAttention(num_outputs=2, name="mix")
    model = keras.Model(inputs, layer(inputs))
    randomize(layer)
    _, weights = layer(LAYERS, return_attention_scores=True)
    for batch_size in (1, 2, 32):
        maps = attention_maps(model, LAYERS, batch_size=batch_size)
        assert list(maps) == ["mix"] and maps["mix"].shape == (2, 3, 2)
        close(maps["mix"], np.stack([numpy(weights)] * 2))


@pytest.mark.parametrize(
    "inputs, message",
    [
        (LAYERS[0], "list of tensors of one shape"),
        ([], "list of tensors"),
        ([LAYERS[0], LAYERS[1][:, :3]], r"one shape.*\(2, 3, 6\)"),
    ],
)
def test_refuses_what_cannot_be_mixed(inputs, message):
    with pytest.raises(ValueError, match=message):
        TransparentAttention(num_outputs=2)(inputs)


def test_refuses_later_inputs_that_would_be_broadcast_or_cut_apart():
    layer = TransparentAttention(num_outputs=2)
    layer(LAYERS)
    with pytest.raises(ValueError, match=r"of one shape.*\(2, 1, 6\)"):
        layer([LAYERS[0], LAYERS[1][:, :1], LAYERS[2]])
    # Its batch is as large as the list was long.
    with pytest.raises(ValueError, match=r"list of tensors.*\(3, 4, 6\)"):
        layer(np.ones((3, 4, 6), "float32"))


def test_mixes_layers_of_which_a_graph_does_not_know_all_sizes():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("only TensorFlow's graphs have unknown sizes")
    import tensorflow as tf

    layer = TransparentAttention(num_outputs=1)
    layer(LAYERS[:2])
    signature = [tf.TensorSpec((None, None, 6)), tf.TensorSpec((None, 4, 6))]
    mixed = tf.function(lambda a, b: layer([a, b])[0], signature)
    close(mixed(*LAYERS[:2]), (LAYERS[0] + LAYERS[1]) / 2)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_the_softmax_is_in_float32_from_logits_in_float32(dtype):
    layer = TransparentAttention(num_outputs=1, dtype=dtype)
    layer.build([x.shape for x in LAYERS])
    # Half precision has no number between 1 and 1.0009, or 1 and 1.007.
    logits = np.array([[300.3], [300.1], [0.0]])
    layer.logits.assign(logits)
    _, weights = layer(LAYERS, return_attention_scores=True)
    expected = np.exp(logits - 300.3) / np.exp(logits - 300.3).sum()
    close(as_float32(weights), expected, atol=4e-3)


def test_one_layer_alone_is_given_back_without_a_warning(recwarn):
    (mix,) = TransparentAttention(num_outputs=1)(LAYERS[:1])
    close(mix, LAYERS[0])
    assert not [each for each in recwarn if "softmax" in str(each.message)]


def test_takes_as_many_layers_as_it_was_built_for():
    layer = TransparentAttention(num_outputs=2)
    layer(LAYERS)
    with pytest.raises(ValueError, match="built for, 3. Received: 2 inputs"):
        layer(LAYERS[:2])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_outputs": 0}, "num_outputs=0"),
        ({"num_outputs": 2, "dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_refuses_what_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        TransparentAttention(**options)
