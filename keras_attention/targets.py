"""Targets: the score of each sample that an explanation is about."""

import keras
import numpy as np
from keras import ops


def check_target(target, samples):
    """Raises unless a target is one that `target_scores` takes.

    Args:
        target: `None`, an integer, integers `(B,)` or a function.
        samples: Integer, the number B of samples.

    Returns:
        `None`, integers `(B,)` or the function.

    Raises:
        ValueError: If it is something else, or not one for each sample.
    """
    if target is None or callable(target):
        return target
    classes = np.asarray(target)
    if (
        not np.issubdtype(classes.dtype, np.integer)
        or classes.shape not in ((), (samples,))
        or classes.min() < 0
    ):
        raise ValueError(
            "`target` must be the index of a class, 0 or greater, one such "
            "index for each sample, a function of the model's outputs, or "
            "`None` for the class with the highest score. "
            f"Received: target={target!r} for {samples} samples"
        )
    return np.broadcast_to(classes, (samples,))


def highest_classes(outputs):
    """The class with the highest score, for each sample.

    Args:
        outputs: What a model returns: a tensor `(B, classes)`.

    Returns:
        Array of integers `(B,)`.

    Raises:
        ValueError: If the outputs are something else.
    """
    _check_outputs(outputs)
    return np.array(ops.convert_to_numpy(ops.argmax(outputs, axis=-1)))


def target_scores(outputs, target):
    """The score of the target, for each sample.

    Args:
        outputs: What a model returns: a tensor `(B, classes)`; for a function,
            anything.
        target: Array of integers `(B,)`, the classes; or a function from the
            outputs to scores `(B,)`.

    Returns:
        Float32 tensor `(B,)`.

    Raises:
        ValueError: If the outputs are something else, have no such class, or
            the function does not return `(B,)`.
    """
    if callable(target):
        scores = target(outputs)
        count = keras.tree.flatten(outputs)[0].shape[0]
        if tuple(getattr(scores, "shape", ())) != (count,):
            raise ValueError(
                "The function `target` must return one score for each sample, "
                f"a tensor ({count},). Received: {scores} from target={target}"
            )
        return ops.cast(scores, "float32")
    _check_outputs(outputs)
    if target.max() >= outputs.shape[1]:
        raise ValueError(
            f"`target` must be below {outputs.shape[1]}, the number of classes "
            f"that the model returns. Received: target={target}"
        )
    places = ops.convert_to_tensor(target[:, None], dtype="int32")
    scores = ops.take_along_axis(ops.cast(outputs, "float32"), places, axis=1)
    return scores[:, 0]


def _check_outputs(outputs):
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) != 2:
        kind = type(outputs).__name__ if shape is None else tuple(shape)
        raise ValueError(
            "The model must return one tensor (B, classes), or `target` must "
            "be a function from what it returns to scores (B,). "
            f"Received: outputs={kind}"
        )
