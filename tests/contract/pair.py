"""The contract of `pair/`."""

import inspect

import keras
import numpy as np

from tests.contract.asking import (
    as_numpy,
    ask,
    check_close,
    check_refused,
    picked,
    randomize,
)
from tests.contract.layer import (
    check_layer,
)


def check_pair_layer(
    layer_class,
    inits,
    output,
    weights,
    folder,
    left=(3, 5, 8),
    right=(3, 7, 8),
    symmetric=False,
    **options,
):
    """The contract of `pair/`: two sequences, whose lengths differ.

    Beyond `check_layer`: what is hidden, on either side, is never read and
    leaves zeros; a side with nothing to see does no harm; masks are taken from
    the tensors that carry them; exchanging the sides exchanges the outputs.

    Args:
        layer_class: The layer.
        inits: As in `check_layer`.
        output: As in `check_layer`.
        weights: As in `check_layer`.
        folder: As in `check_layer`.
        left: Shape of the left side, `(B, Tl, D)`.
        right: Shape of the right side, `(B, Tr, D)`, with another length.
        symmetric: Boolean. Whether the sides can be exchanged; or a list with
            one for each of `inits`.
        **options: Further ones of `check_layer`.
    """
    names = ["self", "left", "right", "left_mask", "right_mask"]
    own = list(inspect.signature(layer_class.call).parameters)
    assert own[: len(names)] == names, f"call must begin with {names}"
    assert left[1] != right[1], "sides of one length hide what is exchanged"

    check_layer(
        layer_class,
        inits,
        {"left": left, "right": right},
        output,
        weights,
        folder,
        **{"free_axes": (1,), **options},
    )
    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        data = {
            "left": rng.normal(size=left).astype("float32"),
            "right": rng.normal(size=right).astype("float32"),
        }
        layer = layer_class(**init)
        layer(**data)
        randomize(layer, rng)
        for side in data:
            check_pair_padding(layer, data, side, rng)
        check_pair_nothing_seen(layer, init, data)
        check_pair_masks(layer, data, rng)
        if picked(symmetric, number):
            check_exchange(layer, data)


def check_pair_padding(layer, data, side, rng):
    """More positions on one side, all masked, change no number."""
    batch, length, depth = data[side].shape
    more = rng.normal(size=(batch, 3, depth)).astype("float32") * 9
    padded = {**data, side: np.concatenate([data[side], more], axis=1)}
    mask = np.repeat(np.arange(length + 3)[None] < length, batch, axis=0)
    padded[f"{side}_mask"] = mask
    tensors = [keras.tree.flatten(ask(layer, x)) for x in (padded, data)]
    for long, short in zip(*tensors, strict=True):
        long, short = as_numpy(long).copy(), as_numpy(short)
        kept = tuple(slice(size) for size in short.shape)
        check_close(long[kept], short, f"padding of {side} is read")
        long[kept] = 0
        assert not long.any(), f"padding of {side} has an output"


def check_pair_nothing_seen(layer, init, data):
    """No NaN where a side, or both, has nothing to see, in any policy."""
    hidden = {
        f"{side}_mask": np.zeros(x.shape[:2], "bool")
        for side, x in data.items()
    }
    for policy in ("float32", "mixed_float16"):
        twin = type(layer)(**init, dtype=policy)
        twin(**data)
        twin.set_weights(layer.get_weights())
        for masks in (
            hidden,
            {"left_mask": hidden["left_mask"]},
            {"right_mask": hidden["right_mask"]},
        ):
            for tensor in keras.tree.flatten(ask(twin, {**data, **masks})):
                array = as_numpy(keras.ops.cast(tensor, "float32"))
                assert np.isfinite(array).all(), f"{policy}: nothing to see"


def check_pair_masks(layer, data, rng):
    """Hidden places may hold anything; a tensor's own mask counts as given."""
    masks, others = {}, {}
    for side, x in data.items():
        mask = np.ones(x.shape[:2], "bool")
        mask[0, 2:4] = False
        mask[1, 1:] = False
        masks[f"{side}_mask"] = mask
        noise = rng.normal(size=x.shape).astype("float32")
        others[side] = np.where(mask[..., None], x, noise)
    expected = ask(layer, {**data, **masks})
    check_close(
        ask(layer, {**others, **masks}), expected, "what is hidden is read"
    )
    carrying = {
        side: tensor_carrying(x, masks[f"{side}_mask"])
        for side, x in others.items()
    }
    check_close(ask(layer, carrying), expected, "the masks that tensors carry")

    for name, mask in masks.items():
        additive = mask.astype("float32") - 1
        for bad in (additive, mask[:, 0], mask[:, :-1]):
            check_refused(layer, f"`{name}`", **{**data, **masks, name: bad})
    check_refused(layer, "`left` and `right`", data["left"][0], data["right"])


def tensor_carrying(x, mask):
    """A tensor with a mask of its own, and what it hides not zero."""
    ids = np.where(mask, 1 + np.arange(mask.size).reshape(mask.shape), 0)
    words = keras.layers.Embedding(1 + mask.size, x.shape[-1], mask_zero=True)
    words.build()
    rows = x.reshape(-1, x.shape[-1])
    words.embeddings.assign(np.concatenate([rows[-1:], rows]))
    return words(ids)


def check_exchange(layer, data):
    """Left given as right and right as left: the same numbers, exchanged."""
    left, right = layer(**data)
    other_right, other_left = layer(left=data["right"], right=data["left"])
    check_close(
        (other_left, other_right), (left, right), "the sides are not alike"
    )
