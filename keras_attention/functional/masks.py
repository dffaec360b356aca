"""Masks: who may be seen. Boolean; `True` is visible."""

import keras
import numpy as np
from keras import ops

from keras_attention.functional.known import known_values


def padding_mask(lengths, max_length):
    """The first `lengths[b]` positions of each sample.

    Args:
        lengths: Integers `(B,)`.
        max_length: Integer.

    Returns:
        Boolean `(B, max_length)`.
    """
    places = ops.arange(max_length, dtype="int32")
    return places < ops.cast(lengths, "int32")[:, None]


def causal_mask(query_length, key_length):
    """No query sees a key that comes after it.

    The last query stands at the last key, as when a decoder adds queries to
    the keys that it has kept: `j <= i + key_length - query_length`. (Keras
    aligns the first ones.)

    Args:
        query_length: Integer, Tq.
        key_length: Integer, Tk.

    Returns:
        Boolean `(Tq, Tk)`.
    """
    first = ops.arange(query_length, dtype="int32")
    last = first + (key_length - query_length)
    return ops.arange(key_length, dtype="int32") <= last[:, None]


def window_mask(centres, key_length, window):
    """Keys at most `window` positions from where each query looks.

    Args:
        centres: Integers or floats `(..., Tq)`, positions from 0.
        key_length: Integer, Tk.
        window: Integer, the positions on each side.

    Returns:
        Boolean `(..., Tq, Tk)`.
    """
    centres = ops.convert_to_tensor(centres)
    places = ops.cast(ops.arange(key_length, dtype="int32"), centres.dtype)
    return ops.abs(places - ops.expand_dims(centres, axis=-1)) <= window


def visible_pairs(
    query,
    value,
    key=None,
    query_mask=None,
    value_mask=None,
    key_mask=None,
    attention_mask=None,
    use_causal_mask=False,
    heads=None,
):
    """All masks of a query layer in one: which query sees which key.

    Args:
        query: `(B, Tq, Dq)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, Dk)`. Defaults to `value`.
        query_mask: Mask `(B, Tq)` or `None`. A hidden query sees nothing.
        value_mask: Mask `(B, Tk)` or `None`.
        key_mask: Mask `(B, Tk)` or `None`.
        attention_mask: As in `check_query_call`.
        use_causal_mask: Boolean. Whether to add `causal_mask`.
        heads: Integer, N, for a layer with heads; else `None`.

    Returns:
        Boolean, broadcastable to `(B, Tq, Tk)`, or with `heads` to
        `(B, N, Tq, Tk)`; or `None`: all see all.

    Raises:
        ValueError: As `check_query_call`.
    """
    key = value if key is None else key
    query_mask, value_mask, key_mask, attention_mask = check_query_call(
        query,
        value,
        key,
        query_mask,
        value_mask,
        key_mask,
        attention_mask,
        heads,
    )
    masks = []
    if query_mask is not None:
        masks.append(ops.expand_dims(query_mask, axis=2))
    for mask in (value_mask, key_mask):
        if mask is not None:
            masks.append(ops.expand_dims(mask, axis=1))
    if use_causal_mask:
        causal = causal_mask(ops.shape(query)[1], ops.shape(key)[1])
        masks.append(ops.expand_dims(causal, axis=0))
    if heads is not None:
        masks = [ops.expand_dims(mask, axis=1) for mask in masks]
    return combine_masks(*masks, attention_mask)


def check_query_call(
    query,
    value,
    key,
    query_mask=None,
    value_mask=None,
    key_mask=None,
    attention_mask=None,
    heads=None,
):
    """Raises unless sequences and masks fit together.

    Args:
        query: `(B, Tq, Dq)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, Dk)`.
        query_mask: Mask `(B, Tq)` or `None`.
        value_mask: Mask `(B, Tk)` or `None`.
        key_mask: Mask `(B, Tk)` or `None`.
        attention_mask: Mask `(Tq, Tk)` or `(B, Tq, Tk)`, with `heads` also
            `(B, N, Tq, Tk)`, where every axis but the last may be 1; or `None`.
        heads: Integer, N, for a layer with heads; else `None`.

    Returns:
        The four masks as booleans, or `None` in place of those not given.
        `attention_mask` has rank 3, with `heads` rank 4.

    Raises:
        ValueError: If a sequence is not `(B, T, D)`, key and value are not
            equally long, or a mask does not pass `check_mask`.
    """
    shapes = [tuple(x.shape) for x in (query, value, key)]
    query_shape, value_shape, key_shape = shapes
    if any(len(shape) != 3 for shape in shapes):
        raise ValueError(
            "`query`, `value` and `key` must be `(B, T, D)`. Received: "
            f"query_shape={query_shape}, value_shape={value_shape}, "
            f"key_shape={key_shape}"
        )
    if _differ(value_shape[1], key_shape[1]):
        raise ValueError(
            "`key` and `value` must be equally long: each key stands for one "
            f"value. Received: value_shape={value_shape}, key_shape={key_shape}"
        )
    pairs_shape = (*query_shape[:2], key_shape[1])
    return (
        check_mask("query_mask", query_mask, query_shape[:2]),
        check_mask("value_mask", value_mask, key_shape[:2]),
        check_mask("key_mask", key_mask, key_shape[:2]),
        check_attention_mask(attention_mask, pairs_shape, heads),
    )


def check_attention_mask(mask, shape, heads=None):
    """The mask of pairs as booleans; raises unless it is one.

    Args:
        mask: Mask `(Tq, Tk)` or `(B, Tq, Tk)`, with `heads` also
            `(B, N, Tq, Tk)`, where every axis but the last may be 1; or `None`.
        shape: `(B, Tq, Tk)`.
        heads: Integer, N, for a layer with heads; else `None`.

    Returns:
        Boolean tensor of rank 3, with `heads` of rank 4; or `None`.

    Raises:
        ValueError: If it does not pass `check_mask`.
    """
    if mask is None:
        return None
    mask = _array("attention_mask", mask, shape)
    whole = shape if heads is None else (shape[0], heads, *shape[1:])
    rank = len(mask.shape)
    wanted = {2: shape[1:], 3: shape}.get(rank, whole)
    if rank == len(wanted):  # What has size 1 holds for all.
        pairs = zip(mask.shape[:-1], wanted)
        ones = [1 if size == 1 else expected for size, expected in pairs]
        wanted = (*ones, wanted[-1])
    mask = check_mask("attention_mask", mask, wanted)
    while len(mask.shape) < len(whole):
        mask = ops.expand_dims(mask, axis=1 if len(mask.shape) == 3 else 0)
    return mask


def combine_masks(*masks):
    """Visible is what every mask shows.

    Args:
        masks: Booleans that broadcast together; each may be `None`.

    Returns:
        Boolean tensor, or `None` if there is no mask.
    """
    combined = None
    for mask in masks:
        if mask is not None:
            combined = (
                mask if combined is None else ops.logical_and(combined, mask)
            )
    return combined


def check_mask(name, mask, shape):
    """The mask as booleans; raises unless it is one.

    Booleans are taken as they are. In numbers, 1 is visible and 0 is not, as in
    Keras; an additive mask, in which 0 is visible, means the opposite, and is
    refused wherever it can be told: negative numbers, floats other than 0 and
    1, floats that are all 0, and floats whose values are not known yet.

    Args:
        name: String, for the message.
        mask: A tensor, array or nested list, or `None`.
        shape: The shape that it must have. The batch may be 1 instead; axes
            that are not known yet are not compared.

    Returns:
        Boolean tensor, or `None` where there is no mask.

    Raises:
        ValueError: If the mask has another shape, or its values may mean
            something else.
    """
    if mask is None:
        return None
    mask = _array(name, mask, shape)
    dtype = keras.backend.standardize_dtype(mask.dtype)
    unlike = (
        len(mask.shape) != len(shape)
        or (mask.shape[0] != 1 and _differ(mask.shape[0], shape[0]))
        or any(map(_differ, mask.shape[1:], shape[1:]))
    )
    problem = None if dtype == "bool" else _problem(mask, dtype)
    if unlike or problem:
        raise ValueError(
            f"`{name}` must be boolean, `True` where a position may be seen, "
            f"or 1 there and 0 elsewhere, of shape {tuple(shape)}. "
            f"Received: {name} of shape {tuple(mask.shape)}, dtype {dtype}"
            f"{problem or ''}"
        )
    return ops.cast(mask, "bool")


def _array(name, mask, shape):
    """The mask as it is if it is a tensor or array; a list as an array."""
    if not hasattr(mask, "dtype"):
        try:
            mask = np.array(mask)
        except ValueError:  # rows of several lengths
            mask = np.array(None)
    if isinstance(mask, np.ndarray) and mask.dtype.kind not in "biuf":
        raise ValueError(
            f"`{name}` must be an array or tensor of booleans, `True` where a "
            f"position may be seen, of shape {tuple(shape)}. "
            f"Received: {name} that is no array of numbers"
        )
    return mask


def _problem(mask, dtype):
    """Why numbers may mean something else than a mask, or `None`."""
    values = known_values(mask)
    if values is None:
        if "float" not in dtype:
            return None
        return ", whose values are not known here: cast it to booleans"
    if not values.size:
        return None
    low, high = values.min(), values.max()
    if "float" not in dtype:
        return f", with the value {low}" if low < 0 else None
    if not np.isin(values, (0, 1)).all():
        return f", with values from {low} to {high}, as of an additive mask"
    if high == 0:
        return ", all 0: it would hide all, or nothing as an additive mask"
    return None


def _differ(one, other):
    """Whether two sizes differ that both are known: no `None`, no symbol."""
    known = isinstance(one, int) and isinstance(other, int)
    return known and one != other
