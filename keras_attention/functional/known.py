"""Arguments: what is known of their values, and of what dtype results are."""

import keras
from keras import ops


def known_values(values):
    """The values of a tensor or array, where they can be read.

    Args:
        values: Tensor of any backend, array, number or nested list.

    Returns:
        NumPy array; `None` for a symbolic tensor and inside a traced function,
        where values are not known.
    """
    if isinstance(values, keras.KerasTensor):
        return None
    try:
        return ops.convert_to_numpy(values)
    except Exception:  # Each backend has its own error for a traced tensor.
        return None


def known_integer(name, value):
    """The value of an integer argument, where it can be read.

    Args:
        name: String, for the message.
        value: Integer of Python or NumPy, or a scalar integer tensor.

    Returns:
        Integer, or `None` inside a traced function.

    Raises:
        ValueError: If `value` is not an integer or a scalar of them.
    """
    dtype = getattr(value, "dtype", type(value).__name__)
    shape = tuple(getattr(value, "shape", ()))
    if shape or "int" not in str(dtype):
        raise ValueError(
            f"`{name}` must be an integer or a scalar integer tensor, a "
            f"position. Received: {name}={value}"
        )
    number = known_values(value)
    return None if number is None else int(number)


def as_floats(inputs, dtype):
    """The inputs as floats: integers are cast, floats are left as they are.

    Keras casts floats to a layer's compute dtype and leaves integers, to which
    results would be rounded back.

    Args:
        inputs: Tensor.
        dtype: Name of a float dtype, for integers and booleans.

    Returns:
        Float tensor.
    """
    own = keras.backend.standardize_dtype(inputs.dtype)
    return inputs if "float" in own else ops.cast(inputs, dtype)


def cast_back(result, inputs):
    """A result taken in float32, in the dtype of the inputs if they are floats.

    Cast back to integers it would be rounded.

    Args:
        result: Float tensor.
        inputs: Tensor.

    Returns:
        Float tensor.
    """
    own = keras.backend.standardize_dtype(inputs.dtype)
    return ops.cast(result, own) if "float" in own else result
