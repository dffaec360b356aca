"""The contract of `sequence/`."""

import inspect

import keras
import numpy as np

from tests.contract.asking import (
    RUN,
    as_numpy,
    check_close,
    check_refused,
    picked,
    randomize,
)
from tests.contract.layer import (
    check_layer,
)


def check_query_layer(
    layer_class,
    inits,
    output,
    weights,
    folder,
    query=(3, 4, 8),
    value=(3, 6, 8),
    positional=False,
    reads_query=False,
    **options,
):
    """The contract of `sequence/`: a query looks over a sequence of values.

    Beyond `check_layer`: Keras's call arguments; what is masked is never read,
    whoever masks it; a row that sees nothing has zero weights and a zero
    context; the order of keys with their values does not count; causal masks
    are aligned to the end.

    Args:
        layer_class: The layer.
        inits: As in `check_layer`.
        output: As in `check_layer`.
        weights: As in `check_layer`.
        folder: As in `check_layer`.
        query: Shape of the query, `(B, Tq, Dq)`.
        value: Shape of the value, `(B, Tk, Dv)`, with `Tk > Tq`.
        positional: Boolean. Whether the place of a key counts; or a list with
            one for each of `inits`.
        reads_query: Boolean. Whether the output holds the query too, so that
            it is not zero where nothing is seen.
        **options: Further ones of `check_layer`.
    """
    names = list(
        inspect.signature(keras.layers.MultiHeadAttention.call).parameters
    )
    own = list(inspect.signature(layer_class.call).parameters)
    assert own[: len(names)] == names, f"call must begin with {names}"

    check_layer(
        layer_class,
        inits,
        {"query": query, "value": value},
        output,
        weights,
        folder,
        **{
            "sum_axis": -1,
            "free_axes": {"query": (1,), "value": (1,)},
            **options,
        },
    )
    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        data = {
            "query": rng.normal(size=query).astype("float32"),
            "value": rng.normal(size=value).astype("float32"),
        }
        layer = layer_class(**init)
        layer(**data)
        randomize(layer, rng)
        check_padding(layer, data, rng)
        check_nothing_seen(layer, init, data, reads_query)
        check_query_mask(layer, data)
        check_causal(layer, data)
        if not picked(positional, number):
            check_permutation(layer, data, rng)
        check_masks_agree(layer, data)
        check_bad_masks(layer, data)
        check_lengths(layer, data)


def check_padding(layer, data, rng):
    """More positions, all masked, change no number."""
    query, value = data["query"], data["value"]
    more = rng.normal(size=(value.shape[0], 3, value.shape[2])) * 9
    padded = np.concatenate([value, more.astype("float32")], axis=1)
    mask = np.arange(padded.shape[1]) < np.full((len(value), 1), len(value[0]))
    context, weights = layer(query, value, return_attention_scores=True)
    padded_context, padded_weights = layer(
        query, padded, value_mask=mask, return_attention_scores=True
    )
    check_close(padded_context, context, "padding is read")
    width = value.shape[1]
    check_close(padded_weights[..., :width], weights, "padding moves weights")
    assert not as_numpy(padded_weights)[..., width:].any()
    plain = layer(query, padded, value_mask=mask)
    check_close(plain, context, "padding is read, without weights")


def check_nothing_seen(layer, init, data, reads_query):
    """Zeros, in every policy, whether or not the weights are asked for."""
    query, value = data["query"], data["value"]
    nothing = np.zeros(value.shape[:2], "bool")
    for policy in RUN:
        twin = type(layer)(**init, dtype=policy)
        twin(query, value)
        twin.set_weights(layer.get_weights())
        context, weights = twin(
            query * -30, value, value_mask=nothing, return_attention_scores=True
        )
        plain = twin(query * -30, value, value_mask=nothing)
        for tensor in (context, plain):
            array = as_numpy(keras.ops.cast(tensor, "float32"))
            assert np.isfinite(array).all(), f"{policy}: nothing to see"
            if not reads_query:
                assert not array.any(), f"{policy}: a context of nothing"
        assert not as_numpy(keras.ops.cast(weights, "float32")).any(), policy


def check_query_mask(layer, data):
    """Masked queries get zeros; the others what they had."""
    query, value = data["query"], data["value"]
    mask = np.ones(query.shape[:2], "bool")
    mask[:, -1] = False
    whole = as_numpy(layer(query, value))
    context, weights = layer(
        query, value, query_mask=mask, return_attention_scores=True
    )
    plain = layer(query, value, query_mask=mask)
    for answer in map(as_numpy, (context, plain)):
        check_close(
            answer[:, :-1], whole[:, :-1], "a query beside a masked one"
        )
        assert not answer[:, -1].any(), "a masked query has an output"
    assert not as_numpy(weights)[..., -1, :].any()


def check_causal(layer, data):
    """The last query stands at the last key; none sees what comes later."""
    query, value = data["query"], data["value"]
    ahead = value.shape[1] - query.shape[1]
    causal = as_numpy(layer(query, value, use_causal_mask=True))
    weights = layer(
        query, value, use_causal_mask=True, return_attention_scores=True
    )[1]
    for place in range(query.shape[1]):
        later = value.copy()
        later[:, place + ahead + 1 :] = 9
        changed = as_numpy(layer(query, later, use_causal_mask=True))
        check_close(
            changed[:, place], causal[:, place], "a query sees the future"
        )
        row = as_numpy(weights)[..., place, :]
        assert not row[..., place + ahead + 1 :].any()
        assert row[..., place + ahead].any(), "a query must see its own place"
    whole = as_numpy(layer(query, value))
    check_close(causal[:, -1], whole[:, -1], "the last query must see all")


def check_permutation(layer, data, rng):
    """Keys and values in another order: the same context."""
    query, value = data["query"], data["value"]
    order = rng.permutation(value.shape[1])
    context, weights = layer(query, value, return_attention_scores=True)
    moved, moved_weights = layer(
        query, value[:, order], return_attention_scores=True
    )
    check_close(moved, context, "the order of keys counts")
    check_close(
        moved_weights, as_numpy(weights)[..., order], "weights do not follow"
    )


def check_masks_agree(layer, data):
    """One mask said in four ways; and `key` given as the value."""
    query, value = data["query"], data["value"]
    mask = np.ones(value.shape[:2], "bool")
    mask[0, 2:4] = False
    mask[1, :-1] = False  # the last is seen: a length may be told by it
    expected = layer(query, value, value_mask=mask)
    pairs = np.repeat(mask[:, None], query.shape[1], axis=1)
    check_close(layer(query, value, key_mask=mask), expected, "key_mask")
    check_close(layer(query, value, attention_mask=pairs), expected, "pairs")
    check_close(
        layer(query, value, key=value, value_mask=mask), expected, "key"
    )
    marked = np.where(mask[..., None], value, np.float32(7))
    hidden = np.where(mask[..., None], value, np.float32(0))
    carrying = keras.layers.Masking(mask_value=7.0)(marked)
    check_close(
        layer(query, carrying),
        layer(query, hidden, value_mask=mask),
        "the mask that a tensor carries",
    )


def check_bad_masks(layer, data):
    """1 is visible and 0 is not; other masks, or of other shapes, are refused.

    An additive mask means the opposite. A mask of pairs may lack the batch.
    """
    query, value = data["query"], data["value"]
    pairs = (*query.shape[:2], value.shape[1])
    seen = np.tri(*pairs[1:], 2, dtype="bool")
    expected = layer(query, value, attention_mask=np.stack([seen] * len(query)))
    for mask in (seen, seen.astype("float32"), seen.astype("int32").tolist()):
        check_close(
            layer(query, value, attention_mask=mask), expected, "(Tq, Tk)"
        )
    for name, shape in (
        ("query_mask", query.shape[:2]),
        ("value_mask", value.shape[:2]),
        ("key_mask", value.shape[:2]),
        ("attention_mask", pairs),
    ):
        for mask in (
            np.zeros(shape, "float32"),
            np.ones(shape, "float32") * -1e9,
            np.ones(shape[:-1], "bool"),
            np.ones((*shape[:-1], shape[-1] - 1), "bool"),
            np.ones((1, 1, *shape), "bool"),
        ):
            check_refused(layer, f"`{name}`", query, value, **{name: mask})


def check_lengths(layer, data):
    """Each key stands for one value, in a second call too."""
    query, value = data["query"], data["value"]
    shorter = "`key` and `value` must be equally long"
    check_refused(layer, shorter, query, value[:, :-2], key=value)
