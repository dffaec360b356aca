"""Batches of a model's inputs, and what is refused of them."""

import keras


def check_model(model):
    """Raises unless `model` is a `keras.Model`.

    Args:
        model: The argument.

    Raises:
        ValueError: If it is another thing, such as a layer.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(
            "`model` must be a `keras.Model`; `keras.Sequential([layer])` is "
            "one of a single layer. "
            f"Received: model={model!r} of type {type(model).__name__}"
        )


def check_inputs(inputs, batch_size):
    """Raises unless the inputs are samples that can be run in batches.

    Args:
        inputs: An array, or a list or dict of arrays.
        batch_size: Integer.

    Returns:
        The number of samples.

    Raises:
        ValueError: If `batch_size` is below 1, or the arrays have not the same
            number of samples, at least one.
    """
    if batch_size < 1:
        raise ValueError(
            "`batch_size` must be a positive integer, how many samples run at "
            f"once. Received: batch_size={batch_size}"
        )
    shapes = [getattr(x, "shape", None) for x in keras.tree.flatten(inputs)]
    counts = {shape[0] if shape else None for shape in shapes}
    if len(counts) != 1 or not counts.isdisjoint({0, None}):
        raise ValueError(
            "`inputs` must be an array, or a list or dict of arrays, all with "
            "the same number of samples, at least one, on the first axis. "
            f"Received: inputs={type(inputs).__name__} of shapes {shapes}"
        )
    return counts.pop()


def batches(samples, batch_size):
    """The rows of each batch.

    Args:
        samples: Positive integer, how many there are.
        batch_size: Positive integer.

    Returns:
        A list of slices, for `rows_of` and for arrays.
    """
    starts = range(0, samples, batch_size)
    return [slice(start, start + batch_size) for start in starts]


def rows_of(inputs, rows):
    """Some samples of a model's inputs.

    Args:
        inputs: An array, or a list or dict of arrays.
        rows: Slice.

    Returns:
        The same structure, of those samples.
    """
    return keras.tree.map_structure(lambda array: array[rows], inputs)
