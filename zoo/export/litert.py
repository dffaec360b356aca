"""LiteRT: arrays in, probabilities out, on a phone or a small computer."""

import tempfile

from zoo.export import saved_model


def write(task, path):
    """Writes a LiteRT file, unproved. Keras must run on TensorFlow.

    It holds the signature `from_tensors` of the SavedModel in float32, the
    batch free, made of built-in operators only: a model that needs more fails
    here and not on the device.

    Args:
        task: A `zoo.task.Task` in float32.
        path: `pathlib.Path` of the file.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, saved_model.quiet():
        saved_model.write(task, folder, ["from_tensors"])
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["from_tensors"]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        path.write_bytes(converter.convert())
