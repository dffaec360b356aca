"""TransformerEncoder against the paper's equations, written out in NumPy."""

import keras
import numpy as np
import pytest

from keras_attention import TransformerEncoder
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy, randomize, relu


@pytest.mark.slow
def test_contract(tmp_path):
    check_layer(
        TransformerEncoder,
        inits=[
            {"intermediate_dim": 16, "num_heads": 2},
            {
                "intermediate_dim": 12,
                "num_heads": 4,
                "dropout": 0.1,
                "activation": "gelu",
                "layer_norm_epsilon": 1e-6,
                "normalize_first": True,
                "num_key_value_heads": 1,
                "position_encoding": "rotary",
                "rope_max_wavelength": 100,
            },
        ],
        shapes={"inputs": (3, 5, 8)},
        output=(3, 5, 8),
        weights=[(3, 2, 5, 5), (3, 4, 5, 5)],
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1,),
        # The softmax does not see what is added to all of its scores.
        still=("key/bias",),
    )


@pytest.mark.parametrize("position_encoding", ["rotary", "alibi"])
def test_positions_give_the_block_an_order(position_encoding):
    inputs = np.random.default_rng(10).normal(size=(2, 5, 8))
    mask = np.random.default_rng(11).random((2, 4, 5, 5)) < 0.7
    layer = TransformerEncoder(
        16, 4, num_key_value_heads=2, position_encoding=position_encoding
    )
    layer(inputs)
    randomize(layer)
    output, weights = layer(
        inputs, attention_mask=mask, return_attention_scores=True
    )
    added, shares = layer.attention(
        inputs, inputs, attention_mask=mask, return_attention_scores=True
    )
    close(weights, shares)
    x = layer.attention_norm(inputs + numpy(added))
    close(output, layer.feed_forward_norm(x + layer.contract(layer.expand(x))))
    close(layer(inputs, attention_mask=mask), output)
    order = [1, 0, 2, 4, 3]
    moved = numpy(layer(inputs[:, order]))
    assert np.abs(moved - numpy(layer(inputs))[:, order]).max() > 1e-3
    # Further behind in a longer sequence, at the same distances.
    padded = np.concatenate([np.ones((2, 3, 8)), inputs], axis=1)
    kept = np.arange(8)[None].repeat(2, 0) >= 3
    close(layer(padded, mask=kept)[:, 3:], layer(inputs))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_key_value_heads": 3}, "num_key_value_heads=3, num_heads=4"),
        ({"position_encoding": "sinusoidal"}, "position_encoding='sinus"),
        ({"rope_max_wavelength": 0}, "rope_max_wavelength=0"),
    ],
)
def test_refuses_groups_and_positions_that_it_does_not_know(arguments, message):
    with pytest.raises(ValueError, match=message):
        TransformerEncoder(16, 4, **arguments)


def test_refuses_to_rotate_heads_of_an_odd_depth():
    with pytest.raises(ValueError, match="key_dim=3"):
        TransformerEncoder(16, 2, position_encoding="rotary")(
            np.ones((2, 5, 6))
        )


@pytest.mark.parametrize("normalize_first", [False, True])
def test_equals_the_equations_of_the_paper(normalize_first):
    inputs = np.random.default_rng(1).normal(size=(2, 5, 6))
    layer = TransformerEncoder(
        7, 2, layer_norm_epsilon=0.1, normalize_first=normalize_first
    )
    layer.build(inputs.shape)
    randomize(layer)
    output, weights = layer(inputs, return_attention_scores=True)

    def norm(name, x):
        gamma, beta = arrays(layer, f"{name}/gamma", f"{name}/beta")
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred / np.sqrt(variance + 0.1) * gamma + beta

    def feed_forward(x):
        names = ("expand/kernel", "expand/bias")
        W1, b1 = arrays(layer, *names)
        W2, b2 = arrays(layer, "contract/kernel", "contract/bias")
        assert W1.shape == (6, 7) and W2.shape == (7, 6)
        return relu(x @ W1 + b1) @ W2 + b2

    def attention(x):
        parts = ("query", "key", "value", "attention_output")
        names = [f"attention/{part}" for part in parts]
        Wq, Wk, Wv, Wo = arrays(layer, *(f"{name}/kernel" for name in names))
        bq, bk, bv, bo = arrays(layer, *(f"{name}/bias" for name in names))
        result = np.zeros_like(x) + bo
        for n in range(2):
            query, key = x @ Wq[:, n] + bq[n], x @ Wk[:, n] + bk[n]
            scores = np.exp(query @ key.T / np.sqrt(3))
            shares = scores / scores.sum(-1, keepdims=True)
            result += shares @ (x @ Wv[:, n] + bv[n]) @ Wo[n]
        return result, shares

    for sample, shares, result in zip(inputs, numpy(weights), output):
        if normalize_first:
            added, last = attention(norm("attention_norm", sample))
            x = sample + added
            expected = x + feed_forward(norm("feed_forward_norm", x))
        else:
            added, last = attention(sample)
            x = norm("attention_norm", sample + added)
            expected = norm("feed_forward_norm", x + feed_forward(x))
        close(shares[-1], last)
        close(result, expected)


def test_has_the_parameters_of_the_paper():
    layer = TransformerEncoder(2048, 8)
    layer.build((None, None, 512))
    attention = 4 * (512 * 512 + 512)
    feed_forward = 2 * 512 * 2048 + 2048 + 512
    norms = 2 * 2 * 512
    assert layer.count_params() == attention + feed_forward + norms


def test_the_activation_may_be_another():
    inputs = np.random.default_rng(2).normal(size=(1, 3, 4))
    layer = TransformerEncoder(8, 2, activation="tanh")
    layer.build(inputs.shape)
    randomize(layer)
    hidden = numpy(layer.expand(inputs))
    kernel, bias = arrays(layer, "expand/kernel", "expand/bias")
    close(hidden, np.tanh(inputs @ kernel + bias))


@pytest.mark.parametrize("normalize_first", [False, True])
def test_knows_no_order(normalize_first):
    rng = np.random.default_rng(3)
    inputs, order = rng.normal(size=(2, 5, 8)), rng.permutation(5)
    layer = TransformerEncoder(16, 2, normalize_first=normalize_first)
    close(layer(inputs[:, order]), numpy(layer(inputs))[:, order])


@pytest.mark.parametrize("normalize_first", [False, True])
def test_padding_is_not_seen(normalize_first):
    inputs = np.random.default_rng(4).normal(size=(2, 5, 8))
    layer = TransformerEncoder(16, 2, normalize_first=normalize_first)
    layer.build(inputs.shape)
    randomize(layer)
    mask = np.array([[True] * 3 + [False] * 2] * 2)
    output, weights = layer(inputs, mask=mask, return_attention_scores=True)
    short = layer(inputs[:, :3])
    close(output[:, :3], short)
    close(layer(inputs, mask=mask)[:, :3], short)
    assert not numpy(weights)[..., 3:].any()


@pytest.mark.parametrize("normalize_first", [False, True])
def test_takes_the_mask_an_embedding_carries_and_hands_it_on(normalize_first):
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    blocks = [
        TransformerEncoder(16, 2, normalize_first=normalize_first)
        for _ in range(2)
    ]
    pool = keras.layers.GlobalAveragePooling1D()

    def run(words):
        return pool(blocks[1](blocks[0](embedding(words))))

    padded, short = np.array([[3, 4, 5, 0, 0]]), np.array([[3, 4, 5]])
    close(run(padded), run(short))
    words = keras.Input((None,), dtype="int32")
    model = keras.Model(words, run(words))
    close(model(padded), model(short))


@pytest.mark.parametrize("normalize_first", [False, True])
def test_a_mask_of_pairs_adds_to_the_one_that_is_carried(normalize_first):
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    layer = TransformerEncoder(16, 2, normalize_first=normalize_first)
    padded, short = np.array([[3, 4, 5, 0, 0]]), np.array([[3, 4, 5]])
    pairs = np.tril(np.ones((1, 5, 5), "bool"), 1)
    output = layer(embedding(padded), attention_mask=pairs)
    expected = layer(embedding(short), attention_mask=pairs[:, :3, :3])
    close(output[:, :3], expected)
    whole = layer(embedding(short))
    assert np.abs(numpy(whole) - numpy(expected)).max() > 1e-3


def test_a_sample_with_nothing_to_see_stays_finite():
    layer = TransformerEncoder(16, 2)
    nothing = np.zeros((2, 5), "bool")
    output, weights = layer(
        np.ones((2, 5, 8)), mask=nothing, return_attention_scores=True
    )
    assert np.isfinite(numpy(output)).all()
    assert not numpy(weights).any()


@pytest.mark.parametrize("part", ["attention_output", "contract"])
def test_drops_what_each_part_adds_in_training_only(part):
    inputs = np.random.default_rng(5).normal(size=(1, 4, 64))
    layer = TransformerEncoder(16, 2, dropout=0.5, normalize_first=True)
    layer.build(inputs.shape)
    # This part adds ones, the other nothing.
    for name, value in (("attention_output", 0), ("contract", 0), (part, 1)):
        for weight in layer.weights:
            if f"/{name}/" in weight.path:
                ones = value if weight.path.endswith("bias") else 0
                weight.assign(np.full(weight.shape, ones))
    close(layer(inputs), inputs + 1)
    added = numpy(layer(inputs, training=True)) - inputs
    assert set(np.unique(added.round(3))) == {0.0, 2.0}
    assert 0.3 < (added > 1).mean() < 0.7


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"intermediate_dim": 0}, "intermediate_dim=0"),
        ({"num_heads": 0}, "num_heads=0"),
    ],
)
def test_refuses_bad_arguments(arguments, message):
    sizes = {"intermediate_dim": 8, "num_heads": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        TransformerEncoder(**sizes)


def test_refuses_bad_inputs():
    with pytest.raises(ValueError, match="num_heads=3, inputs_shape"):
        TransformerEncoder(8, 3)(np.ones((2, 5, 8)))
    with pytest.raises(ValueError, match="depth"):
        TransformerEncoder(8, 2)(keras.Input((5, None)))
    with pytest.raises(ValueError, match=r"\(2, 8\)"):
        TransformerEncoder(8, 2)(np.ones((2, 8)))
    with pytest.raises(ValueError, match="boolean"):
        TransformerEncoder(8, 2)(np.ones((2, 5, 8)), mask=np.zeros((2, 5)))
