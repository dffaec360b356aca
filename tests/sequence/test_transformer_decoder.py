"""TransformerDecoder against the paper's equations, and against itself."""

import keras
import numpy as np
import pytest

from keras_attention import TransformerDecoder
from tests.contract import check_layer
from tests.numbers import arrays, close, numpy, randomize, relu

INITS = [
    {"intermediate_dim": 16, "num_heads": 2},
    {
        "intermediate_dim": 12,
        "num_heads": 4,
        "dropout": 0.1,
        "activation": "gelu",
        "layer_norm_epsilon": 1e-6,
        "normalize_first": True,
    },
]


@pytest.mark.slow
def test_contract_with_a_memory(tmp_path):
    check_layer(
        TransformerDecoder,
        inits=INITS,
        shapes={"target": (3, 4, 8), "memory": (3, 6, 5)},
        output=(3, 4, 8),
        weights=[
            {"self": (3, 2, 4, 4), "cross": (3, 2, 4, 6)},
            {"self": (3, 4, 4, 4), "cross": (3, 4, 4, 6)},
        ],
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1,),
        # The softmax does not see what is added to all of its scores.
        still=("key/bias",),
    )


@pytest.mark.slow
def test_contract_without(tmp_path):
    check_layer(
        TransformerDecoder,
        inits=INITS,
        shapes={"target": (3, 4, 8)},
        output=(3, 4, 8),
        weights=[(3, 2, 4, 4), (3, 4, 4, 4)],
        folder=tmp_path,
        sum_axis=-1,
        free_axes=(1,),
        still=("key/bias",),
    )


@pytest.mark.parametrize("normalize_first", [False, True])
@pytest.mark.parametrize("has_memory", [False, True])
def test_equals_the_equations_of_the_paper(has_memory, normalize_first):
    rng = np.random.default_rng(1)
    target = rng.normal(size=(2, 4, 6)).astype("float32")
    memory = rng.normal(size=(2, 5, 3)).astype("float32")
    layer = TransformerDecoder(
        7, 2, layer_norm_epsilon=0.1, normalize_first=normalize_first
    )
    layer.build(target.shape, memory.shape if has_memory else None)
    randomize(layer)

    def norm(name, x):
        gamma, beta = arrays(layer, f"{name}_norm/gamma", f"{name}_norm/beta")
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred / np.sqrt(variance + 0.1) * gamma + beta

    def self_attention(x):
        causal = np.tril(np.ones((1, 4, 4), "bool"))
        return numpy(layer.self_attention(x, x, attention_mask=causal))

    def cross_attention(x):
        return numpy(layer.cross_attention(x, memory))

    def feed_forward(x):
        names = ("expand/kernel", "expand/bias")
        W1, b1 = arrays(layer, *names)
        W2, b2 = arrays(layer, "contract/kernel", "contract/bias")
        return relu(x @ W1 + b1) @ W2 + b2

    parts = [self_attention, cross_attention, feed_forward]
    if not has_memory:
        parts.remove(cross_attention)
    x = target
    for part in parts:
        if normalize_first:
            x = x + part(norm(part.__name__, x))
        else:
            x = norm(part.__name__, x + part(x))
    close(layer(target, memory) if has_memory else layer(target), x)


def test_has_the_parameters_of_the_paper():
    layer = TransformerDecoder(2048, 8)
    layer.build((None, None, 512), (None, None, 512))
    attention = 4 * (512 * 512 + 512)
    feed_forward = 2 * 512 * 2048 + 2048 + 512
    norms = 3 * 2 * 512
    assert layer.count_params() == 2 * attention + feed_forward + norms


@pytest.mark.parametrize("normalize_first", [False, True])
def test_no_position_sees_a_later_one(normalize_first):
    rng = np.random.default_rng(2)
    target = rng.normal(size=(2, 5, 8))
    layer = TransformerDecoder(16, 2, normalize_first=normalize_first)
    whole = numpy(layer(target))
    for length in range(1, 5):
        changed = target.copy()
        changed[:, length:] = rng.normal(size=(2, 5 - length, 8))
        close(layer(changed)[:, :length], whole[:, :length])
    _, weights = layer(target, return_attention_scores=True)
    assert not np.triu(numpy(weights), 1).any()


def test_every_position_sees_all_of_the_memory_in_any_order():
    rng = np.random.default_rng(3)
    target, memory = rng.normal(size=(2, 4, 8)), rng.normal(size=(2, 6, 8))
    layer = TransformerDecoder(16, 2)
    output, weights = layer(target, memory, return_attention_scores=True)
    assert (numpy(weights["cross"]) > 0).all()
    close(layer(target, memory[:, ::-1]), output)


@pytest.mark.parametrize("normalize_first", [False, True])
def test_padding_is_not_seen(normalize_first):
    rng = np.random.default_rng(4)
    target, memory = rng.normal(size=(2, 5, 8)), rng.normal(size=(2, 6, 8))
    layer = TransformerDecoder(16, 2, normalize_first=normalize_first)
    masks = {
        "target_mask": np.array([[False] * 2 + [True] * 3] * 2),
        "memory_mask": np.array([[True] * 4 + [False] * 2] * 2),
    }
    output, weights = layer(
        target, memory, **masks, return_attention_scores=True
    )
    short = layer(target[:, 2:], memory[:, :4])
    close(output[:, 2:], short)
    close(layer(target, memory, **masks)[:, 2:], short)
    assert not numpy(weights["self"])[..., :2].any()
    assert not numpy(weights["cross"])[..., 4:].any()


@pytest.mark.parametrize("normalize_first", [False, True])
@pytest.mark.parametrize("has_memory", [False, True])
def test_takes_the_masks_that_embeddings_carry(has_memory, normalize_first):
    embedding = keras.layers.Embedding(9, 8, mask_zero=True)
    layer = TransformerDecoder(16, 2, normalize_first=normalize_first)
    pool = keras.layers.GlobalAveragePooling1D()

    def run(target, memory):
        inputs = [embedding(target)]
        if has_memory:
            inputs.append(embedding(memory))
        return pool(layer(*inputs))

    # Padded in front: a causal mask hides what is padded behind.
    padded = np.array([[0, 0, 3, 4, 5]]), np.array([[6, 7, 0]])
    short = np.array([[3, 4, 5]]), np.array([[6, 7]])
    close(run(*padded), run(*short))
    words = keras.Input((None,), dtype="int32")
    others = keras.Input((None,), dtype="int32")
    model = keras.Model([words, others], run(words, others))
    close(model(padded), model(short))


def test_a_memory_that_shows_nothing_stays_finite():
    layer = TransformerDecoder(16, 2)
    output, weights = layer(
        np.ones((2, 4, 8)),
        np.ones((2, 6, 8)),
        memory_mask=np.zeros((2, 6), "bool"),
        return_attention_scores=True,
    )
    assert np.isfinite(numpy(output)).all()
    assert not numpy(weights["cross"]).any()


def empty_cache(room, samples=2, heads=2, width=4):
    shape = (samples, heads, room, width)
    return {name: np.zeros(shape, "float32") for name in ("key", "value")}


@pytest.mark.parametrize("normalize_first", [False, True])
@pytest.mark.parametrize("has_memory", [False, True])
@pytest.mark.parametrize("steps", [(1,) * 5, (3, 1, 1), (2, 3), (5,)])
def test_steps_with_a_cache_are_the_whole(steps, has_memory, normalize_first):
    rng = np.random.default_rng(5)
    target = rng.normal(size=(2, 5, 8))
    memory = [rng.normal(size=(2, 6, 8))] if has_memory else []
    layer = TransformerDecoder(16, 2, normalize_first=normalize_first)
    whole, shares = layer(target, *memory, return_attention_scores=True)
    cache, index = empty_cache(room=7), 0
    for length in steps:
        stop = index + length
        options = {"cache": cache, "cache_index": index}
        plain, _ = layer(target[:, index:stop], *memory, **options)
        output, weights, cache = layer(
            target[:, index:stop],
            *memory,
            **options,
            return_attention_scores=True,
        )
        close(output, whole[:, index:stop])
        close(plain, output)
        seen = weights["self"] if has_memory else weights
        full = shares["self"] if has_memory else shares
        close(seen[..., :5], full[:, :, index:stop])
        assert not numpy(seen)[..., 5:].any()
        if has_memory:
            close(weights["cross"], shares["cross"][:, :, index:stop])
        index = stop


def test_a_cache_works_inside_a_loop():
    rng = np.random.default_rng(6)
    target = rng.normal(size=(2, 5, 8)).astype("float32")
    memory = rng.normal(size=(2, 6, 8)).astype("float32")
    layer = TransformerDecoder(16, 2)
    whole = layer(target, memory)

    def step(i, cache, output):
        one = keras.ops.slice(target, (0, i, 0), (2, 1, 8))
        one, cache = layer(one, memory, cache=cache, cache_index=i)
        return i + 1, cache, keras.ops.slice_update(output, (0, i, 0), one)

    def loop():
        cache = keras.tree.map_structure(
            keras.ops.convert_to_tensor, empty_cache(room=5)
        )
        start = keras.ops.convert_to_tensor(0)
        output = keras.ops.zeros((2, 5, 8))
        return keras.ops.while_loop(
            lambda i, cache, output: i < 5, step, (start, cache, output)
        )[-1]

    close(loop(), whole)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        close(tf.function(loop)(), whole)
        close(tf.function(loop, jit_compile=True)(), whole)
    elif keras.backend.backend() == "jax":
        import jax

        close(jax.jit(loop)(), whole)


@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16"])
def test_a_cache_in_half_precision_stays_in_it(dtype):
    target = np.random.default_rng(7).normal(size=(2, 5, 8))
    layer = TransformerDecoder(16, 2, dtype=dtype)
    whole = numpy(keras.ops.cast(layer(target), "float32"))
    cache = empty_cache(room=5)
    for i in range(5):
        output, cache = layer(target[:, i : i + 1], cache=cache, cache_index=i)
        output = numpy(keras.ops.cast(output, "float32"))
        close(output, whole[:, i : i + 1], rtol=0, atol=0.05)
    kept = keras.backend.standardize_dtype(cache["key"].dtype)
    assert kept == layer.compute_dtype


@pytest.mark.parametrize("hidden", [slice(0, 2), slice(3, 5)])
def test_a_mask_of_the_whole_cache_hides_what_is_kept(hidden):
    target = np.random.default_rng(8).normal(size=(2, 5, 8))
    layer = TransformerDecoder(16, 2)
    layer(target)
    randomize(layer)  # a bias, too, must be hidden
    mask = np.ones((2, 5), "bool")
    mask[:, hidden] = False
    whole, shares = layer(
        target, target_mask=mask, return_attention_scores=True
    )
    cache, room = empty_cache(room=6), np.ones((2, 6), "bool")
    room[:, :5] = mask
    for start, stop in ((0, 4), (4, 5)):
        output, weights, cache = layer(
            target[:, start:stop],
            target_mask=room,
            cache=cache,
            cache_index=start,
            return_attention_scores=True,
        )
        close(output, whole[:, start:stop])
        close(weights[..., :5], shares[:, :, start:stop])


def test_a_mask_that_the_new_positions_carry_hides_them():
    ids = np.array([[3, 4, 0, 0], [3, 4, 5, 0]])
    embed = keras.layers.Embedding(9, 8, mask_zero=True)
    layer = TransformerDecoder(16, 2)
    layer(embed(ids))
    randomize(layer)
    whole = layer(embed(ids))
    output, cache = layer(
        embed(ids[:, :1]), cache=empty_cache(room=6), cache_index=0
    )
    close(output, whole[:, :1])
    output, _ = layer(embed(ids[:, 1:]), cache=cache, cache_index=1)
    close(output, whole[:, 1:])


def test_drops_in_training_only():
    target = np.random.default_rng(9).normal(size=(2, 5, 8))
    layer = TransformerDecoder(16, 2, dropout=0.5)
    whole = layer(target)
    close(layer(target), whole)
    dropped = layer(target, training=True)
    assert np.abs(numpy(dropped) - numpy(whole)).max() > 1e-3


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
        TransformerDecoder(**sizes)


def test_refuses_bad_inputs():
    ones = np.ones((2, 5, 8))
    with pytest.raises(ValueError, match="num_heads=3, target_shape"):
        TransformerDecoder(8, 3)(ones)
    with pytest.raises(ValueError, match="depth"):
        TransformerDecoder(8, 2)(keras.Input((5, None)))
    with pytest.raises(ValueError, match=r"\(2, 8\)"):
        TransformerDecoder(8, 2)(ones[:, 0])
    with pytest.raises(ValueError, match="`target_mask`"):
        TransformerDecoder(8, 2)(ones, target_mask=-ones[..., 0])
    with pytest.raises(ValueError, match="`memory_mask`"):
        TransformerDecoder(8, 2)(ones, ones, memory_mask=-ones[..., 0])


def test_refuses_a_memory_in_some_calls_only():
    ones = np.ones((2, 5, 8))
    layer = TransformerDecoder(8, 2)
    layer(ones)
    with pytest.raises(ValueError, match="memory=a tensor, built without"):
        layer(ones, ones)
    layer = TransformerDecoder(8, 2)
    layer(ones, ones)
    with pytest.raises(ValueError, match="memory=None, built with"):
        layer(ones)


def test_refuses_a_cache_that_does_not_fit():
    ones, layer = np.ones((2, 5, 8)), TransformerDecoder(8, 2)
    cache = empty_cache(room=6)
    layer(ones)
    with pytest.raises(ValueError, match="cache_index=None"):
        layer(ones, cache=cache)
    with pytest.raises(ValueError, match="cache=None"):
        layer(ones, cache_index=0)
    for index in (2, -1, np.int64(2), np.int32(-1), np.array(-1)):
        with pytest.raises(ValueError, match=f"6 places, cache_index={index}"):
            layer(ones, cache=cache, cache_index=index)
    with pytest.raises(ValueError, match=r"target_mask of shape \(2, 4\)"):
        mask = np.ones((2, 4), "bool")
        layer(ones, target_mask=mask, cache=cache, cache_index=0)
    with pytest.raises(ValueError, match="boolean"):
        mask = np.zeros((2, 6))
        layer(ones, target_mask=mask, cache=cache, cache_index=0)
