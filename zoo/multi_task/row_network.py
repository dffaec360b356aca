"""What the networks for rows share: their two ends."""

import keras
import numpy as np
from keras import ops

from keras_attention.shapes import shapes_by_tracing


def read_row(num_numbers, category_sizes, embedding_dim):
    """A row as a vector: its numbers, and a vector for each category.

    Args:
        num_numbers: Integer of at least 0.
        category_sizes: List of integers, the ids of each column of categories.
        embedding_dim: Positive integer. Size of a category's vector.

    Returns:
        `(inputs, x)`: dict of the inputs that there are, `numbers` and
        `categories`, and the vector `(B, D)`.

    Raises:
        ValueError: If there is no column.
    """
    if num_numbers < 1 and not category_sizes:
        raise ValueError(
            "A row must have a number or a category at least. Received: "
            f"num_numbers={num_numbers}, category_sizes={category_sizes}"
        )
    inputs, parts = {}, []
    if num_numbers:
        inputs["numbers"] = keras.Input((num_numbers,), name="numbers")
        parts.append(inputs["numbers"])
    if category_sizes:
        inputs["categories"] = keras.Input(
            (len(category_sizes),), dtype="int32", name="categories"
        )
        embedding = CategoryEmbedding(
            category_sizes, embedding_dim, name="embedding"
        )
        parts.append(embedding(inputs["categories"]))
    if len(parts) == 1:
        return inputs, parts[0]
    return inputs, keras.layers.Concatenate(name="row")(parts)


def answer(x, num_outputs, tower_units, dropout):
    """A vector for each task as the answers' logits.

    Args:
        x: `(B, K, D)`.
        num_outputs: List of `K` integers, the classes of a label, 1 of a
            number.
        tower_units: Positive integer. Width of each task's own layer.
        dropout: Float in [0, 1). Share dropped of the vectors.

    Returns:
        Dict from `logits_1`, `logits_2` and so on to `(B, num_outputs[k])`.
    """
    x = keras.layers.Dropout(dropout, name="towers_dropout")(x)
    x = keras.layers.EinsumDense(
        "bkd,kdt->bkt",
        (len(num_outputs), tower_units),
        bias_axes="kt",
        activation="relu",
        name="towers",
    )(x)
    return {
        f"logits_{task}": keras.layers.Dense(
            size, dtype="float32", name=f"logits_{task}"
        )(x[:, task - 1])
        for task, size in enumerate(num_outputs, 1)
    }


def check_outputs(num_outputs):
    """Raises ValueError unless each task has an output."""
    if not num_outputs or min(num_outputs) < 1:
        raise ValueError(
            "`num_outputs` must have for each task the number of its classes, "
            f"or 1 for a number. Received: num_outputs={num_outputs}"
        )


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class CategoryEmbedding(keras.layers.Layer):
    """A vector for each category, those of one row side by side.

    All columns share one table, each from its own row on.

    Args:
        category_sizes: List of positive integers, the ids of each column.
        embedding_dim: Positive integer.
        **kwargs: Keras's own.

    Call arguments:
        ids: int32 `(B, columns)`.

    Returns:
        `(B, columns * embedding_dim)`.
    """

    def __init__(self, category_sizes, embedding_dim, **kwargs):
        super().__init__(**kwargs)
        self.category_sizes = list(category_sizes)
        self.embedding_dim = embedding_dim
        self.starts = np.cumsum([0, *category_sizes[:-1]]).astype("int32")
        self.table = keras.layers.Embedding(
            sum(category_sizes),
            embedding_dim,
            dtype=self.dtype_policy,
            name="table",
        )

    def build(self, input_shape):
        self.table.build(input_shape)

    def call(self, ids):
        # Not `ops.add`, which is a BiasAdd that LiteRT lacks for integers.
        starts = ops.convert_to_tensor(self.starts, dtype="int32")
        vectors = self.table(ops.cast(ids, "int32") + starts)
        size = len(self.category_sizes) * self.embedding_dim
        return ops.reshape(vectors, (-1, size))

    def get_config(self):
        return {
            **super().get_config(),
            "category_sizes": self.category_sizes,
            "embedding_dim": self.embedding_dim,
        }
