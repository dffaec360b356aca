"""TransformerDecoder against the paper's equations, and against itself."""

import keras
import numpy as np
import pytest

from keras_attention import TransformerDecoder
from tests.contract import check_layer
from tests.contract.lifecycle import litert_runner
from tests.numbers import (
    arrays,
    as_float32,
    close,
    numpy,
    randomize,
    relu,
)

INITS = [
    {"intermediate_dim": 16, "num_heads": 2},
    {
        "intermediate_dim": 12,
        "num_heads": 4,
        "dropout": 0.1,
        "activation": "gelu",
        "layer_norm_epsilon": 1e-6,
        "normalize_first": True,
        "num_key_value_heads": 2,
        "position_encoding": "rotary",
        "rope_max_wavelength": 100,
        "kernel_initializer": "he_normal",
        "output_initializer": "glorot_normal",
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


@pytest.mark.slow
@pytest.mark.parametrize("form", ["T T", "B T T", "B 1 T T", "B N T T"])
@pytest.mark.parametrize("has_memory", [False, True])
def test_a_mask_of_pairs_is_added_to_the_causal_one(has_memory, form):
    rng = np.random.default_rng(10)
    target = rng.normal(size=(3, 5, 8))
    memory = [rng.normal(size=(3, 6, 8))] if has_memory else []
    sizes = {"B": 3, "N": 2, "T": 5, "1": 1}
    mask = rng.random([sizes[axis] for axis in form.split()]) < 0.6
    padding = np.arange(5) < np.array([[5], [4], [5]])
    layer = TransformerDecoder(16, 2)
    layer(target, *memory)
    randomize(layer)
    output, weights = layer(
        target,
        *memory,
        target_mask=padding,
        attention_mask=mask,
        return_attention_scores=True,
    )
    plain = layer(target, *memory, target_mask=padding, attention_mask=mask)
    close(plain, output)

    pairs = mask[:, None] if form == "B T T" else mask
    visible = np.broadcast_to(pairs, (3, 2, 5, 5)) & np.tri(5, dtype="bool")
    visible = visible & padding[:, None, None] & padding[:, None, :, None]
    seen = numpy(weights["self"] if has_memory else weights)
    assert not seen[~visible].any()
    close(seen.sum(-1), visible.any(-1))
    added = layer.self_attention(target, target, attention_mask=visible)
    x = layer.self_attention_norm(target + numpy(added))
    if has_memory:
        added = layer.cross_attention(x, memory[0])
        x = layer.cross_attention_norm(x + added)
    expected = layer.feed_forward_norm(x + layer.contract(layer.expand(x)))
    close(output, expected)

    # The same over a cache, whose places are its last axis.
    cache = layer.new_cache(3, 7)
    room = np.ones((*mask.shape[:-1], 7), "bool")
    room[..., :5] = mask
    kept = np.ones((3, 7), "bool")
    kept[:, :5] = padding
    for start, stop in ((0, 2), (2, 5)):
        step, shares, cache = layer(
            target[:, start:stop],
            *memory,
            target_mask=kept,
            attention_mask=room[..., start:stop, :],
            cache=cache,
            cache_index=start,
            return_attention_scores=True,
        )
        close(step, output[:, start:stop])
        shares = shares["self"] if has_memory else shares
        close(shares[..., :5], seen[:, :, start:stop])
        assert not numpy(shares)[..., 5:].any()


WAYS = [
    {},
    {"num_key_value_heads": 1},
    {"position_encoding": "rotary", "rope_max_wavelength": 20},
    {"num_key_value_heads": 2, "position_encoding": "rotary"},
    {"num_key_value_heads": 2, "position_encoding": "alibi"},
]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("normalize_first", [False, True])
@pytest.mark.parametrize("has_memory", [False, True])
def test_every_way_steps_as_the_whole(has_memory, normalize_first, way):
    rng = np.random.default_rng(11)
    target = rng.normal(size=(2, 5, 16))
    memory = [rng.normal(size=(2, 6, 3))] if has_memory else []
    mask = rng.random((2, 4, 5, 5)) < 0.7
    layer = TransformerDecoder(24, 4, normalize_first=normalize_first, **way)
    layer(target, *memory)
    randomize(layer)
    whole, shares = layer(
        target, *memory, attention_mask=mask, return_attention_scores=True
    )
    close(layer(target, *memory, attention_mask=mask), whole)
    cache = layer.new_cache(2, 5, *memory)
    heads = way.get("num_key_value_heads", 4)
    assert tuple(cache["key"].shape) == (2, heads, 5, 4)
    for start, stop in ((0, 2), (2, 3), (3, 5)):
        output, weights, cache = layer(
            target[:, start:stop],
            attention_mask=mask[:, :, start:stop],
            cache=cache,
            cache_index=start,
            return_attention_scores=True,
        )
        close(output, whole[:, start:stop])
        both = (
            (weights, shares)
            if not has_memory
            else [(x["self"], x["cross"]) for x in (weights, shares)]
        )
        for one, other in zip(*both) if has_memory else [both]:
            close(one, other[:, :, start:stop])


def test_positions_count_from_the_cache_and_the_memory_has_none():
    rng = np.random.default_rng(12)
    target, memory = rng.normal(size=(2, 4, 8)), rng.normal(size=(2, 6, 8))
    for kind in ("rotary", "alibi"):
        layer = TransformerDecoder(16, 2, position_encoding=kind)
        whole = layer(target, memory)
        close(layer(target, memory[:, ::-1]), whole)
        assert layer.cross_attention.position_encoding is None
        # All of it two places further on: nothing but distances count.
        kept = np.array([[False] * 2 + [True] * 4] * 2)
        output, _ = layer(
            target,
            memory,
            target_mask=kept,
            cache=layer.new_cache(2, 6),
            cache_index=2,
        )
        close(output, whole)
        layer = TransformerDecoder(16, 2, position_encoding=kind)
        swapped = layer(target[:, [1, 0, 2, 3]])[:, 3]
        assert np.abs(numpy(swapped) - numpy(layer(target)[:, 3])).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_rows_of_several_lengths_go_on_each_from_its_end(dtype, way):
    """Each row gives what it gives alone, in a batch without padding."""
    rng = np.random.default_rng(13)
    lengths, new, room = np.array([3, 1, 4]), 2, 7
    rows = [rng.normal(size=(1, n + new, 16)) for n in lengths]
    memory = rng.normal(size=(3, 6, 5))
    layer = TransformerDecoder(24, 4, dtype=dtype, **way)
    layer(rows[0], memory[:1])
    randomize(layer)
    slack = {"atol": 1e-5 if dtype == "float32" else 0.1}

    prompt = np.full((3, 4, 16), 7.0)  # padding that would be seen
    for b, n in enumerate(lengths):
        prompt[b, :n] = rows[b][0, :n]
    cache = layer.new_cache(3, room, memory)
    output, cache = layer(prompt, cache=cache, cache_index=0)
    whole = [
        as_float32(layer(row, memory[b : b + 1])) for b, row in enumerate(rows)
    ]
    for b, n in enumerate(lengths):
        close(as_float32(output)[b, :n], whole[b][0, :n], **slack)
    later = [
        np.stack([r[0, n + i] for r, n in zip(rows, lengths)])
        for i in range(new)
    ]

    # One by one, and both at once.
    stepped = cache
    for i in range(new):
        output, weights, stepped = layer(
            later[i][:, None],
            cache=stepped,
            cache_index=lengths + i,
            return_attention_scores=True,
        )
        for b, n in enumerate(lengths):
            close(as_float32(output)[b, 0], whole[b][0, n + i], **slack)
            assert not as_float32(weights["self"])[b, ..., n + i + 1 :].any()
    output, cache = layer(
        np.stack(later, axis=1), cache=cache, cache_index=lengths
    )
    for b, n in enumerate(lengths):
        close(as_float32(output)[b], whole[b][0, n:], **slack)
    for name in stepped:
        close(as_float32(stepped[name]), as_float32(cache[name]), **slack)
        kept = keras.backend.standardize_dtype(cache[name].dtype)
        assert kept == layer.compute_dtype


@pytest.mark.slow
@pytest.mark.parametrize("new_only", [True, False])
def test_rows_of_their_own_place_take_masks(new_only):
    rng = np.random.default_rng(14)
    target, index = rng.normal(size=(2, 3, 8)), np.array([2, 0])
    layer = TransformerDecoder(16, 2, position_encoding="alibi")
    layer(target)
    randomize(layer)
    cache = {
        name: rng.normal(size=(2, 2, 6, 4)).astype("float32")
        for name in ("key", "value")
    }
    mask = np.array([[True, False, True], [False, True, True]])
    pairs = rng.random((2, 2, 3, 6)) < 0.7
    kept = np.ones((2, 6), "bool")
    for b, start in enumerate(index):
        kept[b, start : start + 3] = mask[b]
    output, weights, after = layer(
        target,
        target_mask=mask if new_only else kept,
        attention_mask=pairs,
        cache=cache,
        cache_index=index,
        return_attention_scores=True,
    )
    for b in range(2):
        row = slice(b, b + 1)
        expected, shares, one = layer(
            target[row],
            target_mask=mask[row],
            attention_mask=pairs[row],
            cache={name: x[row] for name, x in cache.items()},
            cache_index=int(index[b]),
            return_attention_scores=True,
        )
        close(output[row], expected)
        close(weights[row], shares)
        for name in after:
            close(after[name][row], one[name])


def compiled(function):
    """The function as it is, and as this backend compiles it."""
    yield function
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        yield tf.function(function)
        yield tf.function(function, jit_compile=True)
    elif keras.backend.backend() == "jax":
        import jax

        yield jax.jit(function)


@pytest.mark.parametrize("way", [WAYS[0], WAYS[3], WAYS[4]], ids=str)
def test_rows_and_a_kept_memory_work_inside_a_loop(way):
    rng = np.random.default_rng(15)
    target = rng.normal(size=(2, 5, 16)).astype("float32")
    memory = rng.normal(size=(2, 6, 3)).astype("float32")
    mask = np.array([[True] * 6, [True] * 4 + [False] * 2])
    layer = TransformerDecoder(24, 4, **way)
    whole = layer(target, memory, memory_mask=mask)
    starts = np.array([0, 2], "int32")  # the second has read two already
    first = layer.new_cache(2, 7, memory)
    _, first = layer(
        target[:, :2], memory_mask=mask, cache=first, cache_index=0
    )

    def step(i, cache, output):
        own = keras.ops.convert_to_tensor(starts) + i
        one = keras.ops.take_along_axis(target, own[:, None, None], axis=1)
        one, cache = layer(one, memory_mask=mask, cache=cache, cache_index=own)
        return i + 1, cache, keras.ops.slice_update(output, (0, i, 0), one)

    def loop(cache):
        start = keras.ops.convert_to_tensor(0)
        output = keras.ops.zeros((2, 3, 16))
        return keras.ops.while_loop(
            lambda i, cache, output: i < 3, step, (start, cache, output)
        )[1:]

    for run in compiled(loop):
        cache, output = run(first)
        close(output[0], whole[0, :3])
        close(output[1], whole[1, 2:])
        close(cache["memory_key"], first["memory_key"])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_a_memory_is_projected_once(dtype):
    rng = np.random.default_rng(16)
    target, memory = rng.normal(size=(2, 4, 8)), rng.normal(size=(2, 6, 5))
    mask = np.array([[True] * 6, [True] * 4 + [False] * 2])
    layer = TransformerDecoder(16, 4, num_key_value_heads=2, dtype=dtype)
    layer(target, memory)
    randomize(layer)
    old, cache = layer.new_cache(2, 9), layer.new_cache(2, 9, memory)
    assert set(old) == {"key", "value"}
    shapes = {name: tuple(x.shape) for name, x in cache.items()}
    assert shapes == {
        "key": (2, 2, 9, 2),
        "value": (2, 2, 9, 2),
        "memory_key": (2, 2, 6, 2),
        "memory_value": (2, 2, 6, 2),
    }
    kept = {name: as_float32(x) for name, x in cache.items()}
    for i in range(4):
        options = {
            "memory_mask": mask,
            "cache_index": i,
            "return_attention_scores": True,
        }
        one = target[:, i : i + 1]
        expected, shares, old = layer(one, memory, cache=old, **options)
        output, weights, cache = layer(one, cache=cache, **options)
        atol = 1e-5 if dtype == "float32" else 0.01
        close(as_float32(output), as_float32(expected), atol=atol)
        for name in ("self", "cross"):
            share = as_float32(weights[name])
            close(share, as_float32(shares[name]), atol=atol)
        plain, _ = layer(
            one, cache={**old, **cache}, memory_mask=mask, cache_index=i
        )
        close(as_float32(plain), as_float32(output), atol=atol)
    assert list(cache) == list(kept)
    for name in ("memory_key", "memory_value"):
        np.testing.assert_array_equal(as_float32(cache[name]), kept[name])
        dtype_of = keras.backend.standardize_dtype(cache[name].dtype)
        assert dtype_of == layer.compute_dtype
    # A memory that is given as well is not read.
    ignored, _ = layer(
        one, 0 * memory, cache=cache, cache_index=3, memory_mask=mask
    )
    close(as_float32(ignored), as_float32(output), atol=atol)


def test_a_memory_of_integers_is_projected_as_floats():
    layer, memory = TransformerDecoder(16, 2), np.arange(48).reshape(2, 3, 8)
    layer(np.ones((2, 1, 8)), memory)
    one = layer.new_cache(2, 4, memory)
    other = layer.new_cache(2, 4, memory.astype("float32"))
    close(one["memory_key"], other["memory_key"])


class Step(keras.layers.Layer):
    """One step of a decoder that projects its memory first."""

    def __init__(self, block, **kwargs):
        super().__init__(**kwargs)
        self.block, self.built = block, True

    def call(self, target, memory, key, value, index):
        rows, room = keras.ops.shape(target)[0], key.shape[2]
        cache = self.block.new_cache(rows, room, memory)
        cache = {**cache, "key": key, "value": value}
        output, cache = self.block(target, cache=cache, cache_index=index)
        return {"output": output, "kept": cache["key"]}


@pytest.mark.slow
@pytest.mark.parametrize("way", [WAYS[0], WAYS[3], WAYS[4]], ids=str)
@pytest.mark.parametrize("by_row", [False, True])
def test_a_step_exports_with_a_free_batch(tmp_path, by_row, way):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("LiteRT is made of TensorFlow's functions")
    heads = way.get("num_key_value_heads", 4)
    shapes = {
        "target": (1, 16),
        "memory": (3, 5),
        "key": (heads, 6, 4),
        "value": (heads, 6, 4),
    }
    block = TransformerDecoder(24, 4, **way)
    block.build((None, None, 16), (None, None, 5))
    randomize(block)
    inputs = {name: keras.Input(x, name=name) for name, x in shapes.items()}
    rows = None if by_row else 1
    index = keras.Input((), name="index", dtype="int32", batch_size=rows)
    place = index if by_row else keras.ops.reshape(index, ())
    model = keras.Model(
        {**inputs, "index": index}, Step(block)(*inputs.values(), place)
    )
    run = litert_runner(model, tmp_path / "step.tflite")
    rng = np.random.default_rng(17)
    for batch in (1, 3):
        data = {
            name: rng.normal(size=(batch, *shape)).astype("float32")
            for name, shape in shapes.items()
        }
        data["index"] = np.array([4, 0, 2][:batch] if by_row else [4], "int32")
        expected = model(data)
        for name, actual in run(**data).items():
            close(actual, expected[name])


def test_drops_in_training_only():
    target = np.random.default_rng(9).normal(size=(2, 5, 8))
    layer = TransformerDecoder(16, 2, dropout=0.5)
    whole = layer(target)
    close(layer(target), whole)
    dropped = layer(target, training=True)
    assert np.abs(numpy(dropped) - numpy(whole)).max() > 1e-3


def test_what_is_added_to_the_sums_may_begin_smaller():
    normal = keras.initializers.RandomNormal(stddev=0.02)
    small = keras.initializers.RandomNormal(stddev=0.001)
    made = TransformerDecoder(
        32, 2, kernel_initializer=normal, output_initializer=small
    )
    recipe = keras.saving.serialize_keras_object(made)
    for layer in (made, keras.saving.deserialize_keras_object(recipe)):
        layer.build((None, 3, 16), (None, 4, 16))
        kernels = {
            weight.path.split("/", 1)[1]: numpy(weight)
            for weight in layer.weights
            if weight.path.endswith("kernel")
        }
        assert len(kernels) == 10
        drawn = {
            round(float(kernel.flat[0]), 12) for kernel in kernels.values()
        }
        assert len(drawn) == 10  # each has numbers of its own
        for path, kernel in kernels.items():
            last = path.startswith("contract") or "attention_output" in path
            wanted = 0.001 if last else 0.02
            assert 0.7 * wanted < kernel.std() < 1.3 * wanted, path


def test_without_initializers_kernels_are_those_of_keras():
    layer = TransformerDecoder(32, 2)
    layer.build((None, 3, 16))
    (kernel,) = arrays(layer, "contract/kernel")
    limit = (6 / (32 + 16)) ** 0.5
    assert 0.9 * limit < np.abs(kernel).max() < limit


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"intermediate_dim": 0}, "intermediate_dim=0"),
        ({"num_heads": 0}, "num_heads=0"),
        ({"num_key_value_heads": 3}, "num_key_value_heads=3, num_heads=2"),
        ({"position_encoding": "waves"}, "position_encoding='waves'"),
        ({"rope_max_wavelength": -1}, "rope_max_wavelength=-1"),
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
    with pytest.raises(ValueError, match="`attention_mask`"):
        TransformerDecoder(8, 2)(ones, attention_mask=ones[:, :4] > 0)
    with pytest.raises(ValueError, match="key_dim=1"):
        TransformerDecoder(8, 8, position_encoding="rotary")(ones)


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
    cache = layer.new_cache(2, 6)
    with pytest.raises(ValueError, match="memory=None, built with"):
        layer(ones, cache=cache, cache_index=0)
    cache = layer.new_cache(2, 6, ones)
    with pytest.raises(ValueError, match=r"`memory_mask`.*\(2, 5\)"):
        mask = np.ones((2, 4), "bool")
        layer(ones, memory_mask=mask, cache=cache, cache_index=0)
    layer = TransformerDecoder(8, 2)
    layer(ones)
    with pytest.raises(ValueError, match="memory=None, built without"):
        layer(ones, cache=cache, cache_index=0)


def test_refuses_to_make_a_cache_that_it_cannot():
    ones, layer = np.ones((2, 5, 8)), TransformerDecoder(8, 2)
    with pytest.raises(ValueError, match="memory=None, built=False"):
        layer.new_cache(2, 6)
    layer(ones)
    with pytest.raises(ValueError, match="memory=a tensor, built=True"):
        layer.new_cache(2, 6, ones)
    with pytest.raises(ValueError, match="length=0"):
        layer.new_cache(2, 0)


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
    with pytest.raises(ValueError, match="`attention_mask`"):
        mask = np.ones((2, 5, 5), "bool")
        layer(ones, attention_mask=mask, cache=cache, cache_index=0)
    for rows in ([0, 2], [-1, 0]):
        with pytest.raises(ValueError, match="6 places, cache_index="):
            layer(ones, cache=cache, cache_index=np.array(rows))
    for rows in ([0, 0, 0], [[0, 0]], [0.0, 0.0]):
        with pytest.raises(ValueError, match="one for each row"):
            layer(ones, cache=cache, cache_index=np.array(rows))
