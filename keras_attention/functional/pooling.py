"""Pooling: a feature map summed up over places or over channels."""

from keras import ops

from keras_attention.functional.known import cast_back


def mean_pool(inputs, axes, mask=None, keepdims=False):
    """The mean over some axes, taken in float32 whatever the input.

    Half precision loses nothing: the sum of a large map overflows float16.

    Args:
        inputs: Float tensor.
        axes: Integer or tuple of integers, the axes to sum up.
        mask: Boolean tensor broadcastable to `inputs`, `True` is counted. A
            mean over nothing is zero, of an input without places too.
        keepdims: Boolean. Whether the axes stay, with size 1.

    Returns:
        Tensor of the dtype of `inputs`; float32 for integers.
    """
    values = ops.cast(inputs, "float32")
    if mask is None and _is_empty(inputs, axes):
        mean = _over(ops.sum, values, axes, keepdims)
    elif mask is None:
        mean = _over(ops.mean, values, axes, keepdims)
    else:
        counted = ops.broadcast_to(mask, ops.shape(values))
        total = _over(ops.sum, ops.where(counted, values, 0.0), axes, keepdims)
        count = _over(ops.sum, ops.cast(counted, "float32"), axes, keepdims)
        mean = total / ops.maximum(count, 1.0)
    return cast_back(mean, inputs)


def max_pool(inputs, axes, mask=None, keepdims=False):
    """The maximum over some axes.

    Args:
        inputs: Float tensor.
        axes: Integer or tuple of integers, the axes to sum up.
        mask: Boolean tensor broadcastable to `inputs`, `True` is counted. The
            maximum of nothing is zero.
        keepdims: Boolean. Whether the axes stay, with size 1.

    Returns:
        Tensor of the dtype of `inputs`.
    """
    if _is_empty(inputs, axes):
        return _over(ops.sum, inputs, axes, keepdims)
    if mask is None:
        return _over(ops.max, inputs, axes, keepdims)
    counted = ops.broadcast_to(mask, ops.shape(inputs))
    lowest = _over(ops.min, inputs, axes, keepdims=True)
    highest = _over(ops.max, ops.where(counted, inputs, lowest), axes, keepdims)
    return ops.where(
        ops.any(counted, axis=axes, keepdims=keepdims),
        highest,
        ops.zeros_like(highest),
    )


def _over(reduce, values, axes, keepdims):
    """`reduce` over one axis after the other, which TensorFlow does faster."""
    axes = (axes,) if isinstance(axes, int) else axes
    for axis in sorted(
        (axis % len(values.shape) for axis in axes), reverse=True
    ):
        values = reduce(values, axis=axis, keepdims=keepdims)
    return values


def _is_empty(inputs, axes):
    """Whether nothing is summed up, or the batch is empty: the sum is zero."""
    axes = (axes,) if isinstance(axes, int) else axes
    return 0 in [inputs.shape[axis] for axis in (0, *axes)]
