"""LiteRT: arrays in, probabilities out, on a phone or a small computer."""

import re
import tempfile

import keras

from zoo.export import saved_model


def write(task, path):
    """Writes a LiteRT file, unproved. Keras must run on TensorFlow.

    It holds the signature `from_tensors` of the SavedModel in float32, made of
    built-in operators only: a model that needs more fails here and not on the
    device. The batch is free, but for a model that loops (see `batch_of`).

    Args:
        task: A `zoo.task.Task` in float32.
        path: `pathlib.Path` of the file.

    Raises:
        ValueError: If the model cannot be converted so.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, saved_model.quiet():
        names = ["from_tensors"]
        saved_model.write(task, folder, names, batch_of(task))
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["from_tensors"]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            converted = converter.convert()
        except Exception as error:  # TensorFlow's own class is not public
            raise ValueError(
                "A model must be made of LiteRT's built-in operators, since a "
                "device has no others. "
                f"Received: {task.model.name!r}, {_reason(str(error))}"
            ) from error
    path.write_bytes(converted)


def batch_of(task):
    """How many inputs a LiteRT file takes at once: 1, or any, `None`.

    A model that loops takes one, since a loop's built-in operator has fixed
    shapes.
    """
    if task.output.decoding:
        return 1
    layers = task.model._flatten_layers()
    loops = any(isinstance(layer, keras.layers.RNN) for layer in layers)
    return 1 if loops else None


def threads_of(task):
    """How many threads suit one input, 1 or 2, by `benchmarks/exports.py`.

    Where a core is free for it, a second thread makes convolutions of a picture
    quicker; what reads words or rows, or says words, becomes slower.
    """
    pictures = "image" in task.input.tensors()
    return 2 if pictures and not task.output.decoding else 1


def _reason(message):
    """The operators that pages of the converter's text are about."""
    needed = re.findall(r"'(tf\.\w+)' op is neither", message)
    if needed:
        return f"which needs {', '.join(sorted(set(needed)))}"
    return message.strip().partition("\n")[0][:300]
