"""Masks: who may be seen. Boolean; `True` is visible."""

import keras
from keras import ops


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
    places = ops.cast(ops.arange(key_length), centres.dtype)
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
):
    """All masks of a query layer in one: which query sees which key.

    Args:
        query: `(B, Tq, Dq)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, Dk)`. Defaults to `value`.
        query_mask: Boolean `(B, Tq)` or `None`. A hidden query sees nothing.
        value_mask: Boolean `(B, Tk)` or `None`.
        key_mask: Boolean `(B, Tk)` or `None`.
        attention_mask: Boolean `(B, Tq, Tk)`, or with 1 in place of B or Tq;
            or `None`.
        use_causal_mask: Boolean. Whether to add `causal_mask`.

    Returns:
        Boolean, broadcastable to `(B, Tq, Tk)`; or `None`: all see all.

    Raises:
        ValueError: As `check_query_call`.
    """
    key = value if key is None else key
    check_query_call(
        query, value, key, query_mask, value_mask, key_mask, attention_mask
    )
    masks = []
    if query_mask is not None:
        masks.append(ops.expand_dims(ops.cast(query_mask, "bool"), axis=2))
    for mask in (value_mask, key_mask):
        if mask is not None:
            masks.append(ops.expand_dims(ops.cast(mask, "bool"), axis=1))
    if attention_mask is not None:
        masks.append(ops.cast(attention_mask, "bool"))
    if use_causal_mask:
        causal = causal_mask(ops.shape(query)[1], ops.shape(key)[1])
        masks.append(ops.expand_dims(causal, axis=0))
    return combine_masks(*masks)


def check_query_call(
    query,
    value,
    key,
    query_mask=None,
    value_mask=None,
    key_mask=None,
    attention_mask=None,
):
    """Refuses sequences and masks that do not fit together.

    Args:
        query: `(B, Tq, Dq)`.
        value: `(B, Tk, Dv)`.
        key: `(B, Tk, Dk)`.
        query_mask: `(B, Tq)` or `None`.
        value_mask: `(B, Tk)` or `None`.
        key_mask: `(B, Tk)` or `None`.
        attention_mask: `(B, Tq, Tk)`, or with 1 in place of B or Tq; or `None`.

    Raises:
        ValueError: If a sequence is not `(B, T, D)`, key and value are not
            equally long, or a mask is none, as far as lengths are known before
            the layer runs.
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
    check_mask("query_mask", query_mask, query_shape[:2])
    check_mask("value_mask", value_mask, key_shape[:2])
    check_mask("key_mask", key_mask, key_shape[:2])
    if attention_mask is not None:
        for_all = len(attention_mask.shape) > 1 and attention_mask.shape[1] == 1
        queries = 1 if for_all else query_shape[1]
        check_mask(
            "attention_mask",
            attention_mask,
            (query_shape[0], queries, key_shape[1]),
        )


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
    """Refuses what is no mask.

    Args:
        name: String, for the message.
        mask: A tensor or array, or `None`.
        shape: The shape that it must have. The batch may be 1 instead; axes
            that are not known yet are not compared.

    Raises:
        ValueError: If the mask has another shape, or holds floats: an additive
            mask, in which 0 is visible, means the opposite of ours.
    """
    if mask is None:
        return
    if not hasattr(mask, "dtype"):
        raise ValueError(
            f"`{name}` must be a boolean tensor or array, whose shape is "
            f"checked. Received: {name} of type {type(mask).__name__}"
        )
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if (
        "float" in dtype
        or len(mask.shape) != len(shape)
        or (mask.shape[0] != 1 and _differ(mask.shape[0], shape[0]))
        or any(map(_differ, mask.shape[1:], shape[1:]))
    ):
        raise ValueError(
            f"`{name}` must be boolean, `True` where a position may be seen, "
            f"of shape {tuple(shape)}. "
            f"Received: {name} of shape {tuple(mask.shape)}, dtype {dtype}"
        )


def _differ(one, other):
    """Whether two sizes differ that both are known: no `None`, no symbol."""
    known = isinstance(one, int) and isinstance(other, int)
    return known and one != other
