"""SavedModel: raw input in, a label out, with nothing but TensorFlow."""

import contextlib
import logging
import os
import pathlib
import tempfile

from zoo.inputs.safe_names import safe_names as safe_names


def write(task, path, signatures=None, batch=None):
    """Writes a SavedModel, unproved. Keras must run on TensorFlow.

    Its signatures:

    - `serving_default`: the raw input, as `served` of the task's input names
      it (`image_bytes`, encoded PNG, JPEG, GIF or BMP; `text`; `left` and
      `right`; UTF-8), each `(B,)`, or `boxes`, float32 `(B, k, 4)` for any
      `k`, padded by zeros -> what `tensorflow` of its output names: `label`
      `(B,)`, `probability` `(B,)`, `probabilities` `(B, classes)`; of images
      also `decoded` `(B,)`, which is false for what could not be decoded, and
      where boxes are not as they must be: all else is zero there, or empty;
    - `from_tensors`: what the network reads (`image`, float32 0 to 255,
      `(B, H, W, C)`; `token_ids`, int32, `(B, length)` or
      `(B, sentences, length)`; `left_ids` and `right_ids`) -> what `final` of
      the output gives (`logits`, `probabilities`);
    - `attention`: as `from_tensors`, and an output for each attention map;
      only where the model has attention layers.

    Args:
        task: A `zoo.task.Task` in float32.
        path: Path of the folder to make.
        signatures: Names of those to write; `None` is all.
        batch: Positive integer, the one size of a batch of tensors; `None`
            leaves it free.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, quiet():
        # The root of what is saved: whatever a signature reads hangs here.
        root = tf.Module()
        root.weights = [variable.value for variable in task.model.variables]
        if signatures is None or "serving_default" in signatures:
            root.prepare = task.input.tensorflow()
            root.answer = task.output.tensorflow(pathlib.Path(folder))
        chosen = _signatures(task, root, signatures, batch)
        tf.saved_model.save(root, str(path), signatures=chosen)


@contextlib.contextmanager
def quiet():
    """Keeps off the terminal what TensorFlow prints below Python."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    logger.setLevel(logging.ERROR)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)
        logger.setLevel(level)


def _signatures(task, root, wanted, batch):
    import tensorflow as tf

    tensors = {
        name: tf.TensorSpec((batch, *shape), dtype, name=name)
        for name, (shape, dtype) in task.input.tensors().items()
    }
    raw = {}
    for name, served in task.input.served().items():
        shape, dtype = ((), served) if isinstance(served, str) else served
        raw[name] = tf.TensorSpec((None, *shape), dtype, name=name)

    def answer(inputs, attention=False):
        return task.graph(attention).get_layer("answering")(inputs)

    def serve(**inputs):
        prepared, flags = root.prepare(**inputs)
        outputs = safe_names(root.answer(answer(prepared)[0]))
        for valid in flags.values():
            outputs = {name: _blank(x, valid) for name, x in outputs.items()}
        return {**outputs, **flags}

    def from_tensors(**inputs):
        return safe_names(answer(inputs)[0])

    def attention(**inputs):
        outputs, maps = answer(inputs, attention=True)
        return safe_names({**outputs, **maps})

    functions = {
        "serving_default": (serve, raw),
        "from_tensors": (from_tensors, tensors),
    }
    if task.has_attention():
        functions["attention"] = (attention, tensors)
    return {
        name: tf.function(function).get_concrete_function(**specs)
        for name, (function, specs) in functions.items()
        if wanted is None or name in wanted
    }


def _blank(tensor, valid):
    """Zeros, or empty strings, where a row is not valid."""
    import tensorflow as tf

    valid = tf.reshape(valid, (-1, *[1] * (len(tensor.shape) - 1)))
    return tf.where(valid, tensor, tf.zeros((), tensor.dtype))
