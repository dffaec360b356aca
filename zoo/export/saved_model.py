"""SavedModel: raw input in, a label out, with nothing but TensorFlow."""

import contextlib
import logging
import os
import pathlib
import re
import tempfile

from keras_attention.looking import attention_model
from zoo.data import pair_tokens, tokens
from zoo.data.encoded_images import decode_images


def write(task, path, signatures=None, batch=None):
    """Writes a SavedModel, unproved. Keras must run on TensorFlow.

    Its signatures:

    - `serving_default`: `image_bytes`, encoded PNG, JPEG, GIF or BMP, or
      `text`, or `left` and `right`, UTF-8, `(B,)` -> `label` `(B,)`,
      `probability` `(B,)`, `probabilities` `(B, classes)`; of images also
      `decoded` `(B,)`, which is false for what could not be decoded: its
      label is empty, and its probabilities are zeros;
    - `from_tensors`: `image`, float32 0 to 255, `(B, H, W, C)`, or `token_ids`,
      int32, `(B, length)` or `(B, sentences, length)`, or `left_ids` and
      `right_ids`, int32, `(B, length)` -> `logits`, `probabilities`;
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
        root.labels = _label_table(task.assets["labels"], folder)
        root.prepare = PREPARE[task.signatures()["raw"]](task)
        functions = _signatures(task, root, batch)
        chosen = {
            name: function
            for name, function in functions.items()
            if signatures is None or name in signatures
        }
        tf.saved_model.save(root, str(path), signatures=chosen)


def has_attention(model):
    """Whether there is an attention layer to look at."""
    try:
        attention_model(model)
    except ValueError:
        return False
    return True


def one_or_all(inputs):
    """What a network reads, of its inputs by name.

    Args:
        inputs: Dict from name to anything.

    Returns:
        The dict; its value, where there is but one.
    """
    return inputs if len(inputs) > 1 else next(iter(inputs.values()))


def safe_names(outputs):
    """Outputs by names that every serving stack takes.

    Args:
        outputs: Dict from name to anything.

    Returns:
        Dict in the same order; whatever is no letter, digit or underscore is
        an underscore now, and a name that was taken gets a number.
    """
    safe = {}
    for name, value in outputs.items():
        plain = unique = re.sub(r"\W", "_", name, flags=re.ASCII)
        count = 1
        while unique in safe:
            count += 1
            unique = f"{plain}_{count}"
        safe[unique] = value
    return safe


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


def _label_table(labels, folder):
    """Place -> label, read from a file that becomes the model's asset."""
    import tensorflow as tf

    file = pathlib.Path(folder) / "labels.txt"
    file.write_text("".join(f"{label}\n" for label in labels), "utf-8")
    lines = tf.lookup.TextFileInitializer(
        str(file),
        key_dtype=tf.int64,
        key_index=tf.lookup.TextFileIndex.LINE_NUMBER,
        value_dtype=tf.string,
        value_index=tf.lookup.TextFileIndex.WHOLE_LINE,
    )
    return tf.lookup.StaticHashTable(lines, default_value="")


def _signatures(task, root, batch):
    import tensorflow as tf

    wanted = task.signatures()
    tensors = {
        name: tf.TensorSpec((batch, *shape), dtype, name=name)
        for name, (shape, dtype) in wanted["tensors"].items()
    }
    raw = {
        name: tf.TensorSpec((None,), tf.string, name=name)
        for name in wanted["raw"]
    }

    def serve(**inputs):
        prepared = root.prepare(*[inputs[name] for name in wanted["raw"]])
        more = {}
        if wanted["raw"] == ("image_bytes",):
            prepared, more["decoded"] = prepared
        probabilities = task.graph(prepared)["probabilities"]
        labels = root.labels.lookup(tf.argmax(probabilities, axis=-1))
        if more:
            labels = tf.where(more["decoded"], labels, "")
            probabilities = tf.where(
                more["decoded"][:, None], probabilities, 0.0
            )
        return {
            "label": labels,
            "probability": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
            **more,
        }

    def from_tensors(**inputs):
        return safe_names(task.graph(one_or_all(inputs)))

    def attention(**inputs):
        return safe_names(task.graph(one_or_all(inputs), attention=True))

    def concrete(function, specs):
        return tf.function(function).get_concrete_function(**specs)

    functions = {
        "serving_default": concrete(serve, raw),
        "from_tensors": concrete(from_tensors, tensors),
    }
    if has_attention(task.model):
        functions["attention"] = concrete(attention, tensors)
    return functions


def _image_preparation(task):
    return lambda encoded: decode_images(encoded, task.size, task.channels)


def _text_preparation(task):
    return tokens.vectorization(task.tokens)


def _pair_preparation(task):
    return pair_tokens.pair_vectorization(task.tokens)


# Raw inputs -> what makes the function from strings to the model's input.
PREPARE = {
    ("image_bytes",): _image_preparation,
    ("text",): _text_preparation,
    ("left", "right"): _pair_preparation,
}
