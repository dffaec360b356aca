"""A shared bottom over the rows of a table, the baseline of MMoE.

One layer that all tasks share, a tower of one layer for each, and the answer,
as Ma et al. (2018, section 2.1) describe it after Caruana.
"""

import keras

from zoo.answering import one_or_all
from zoo.multi_task.row_network import answer, check_outputs, read_row

PRESETS = {"tiny": {"units": 8, "tower_units": 4, "embedding_dim": 4}}


def shared_bottom(
    num_numbers,
    category_sizes,
    num_outputs,
    units=128,
    tower_units=8,
    embedding_dim=8,
    dropout=0.0,
    name="shared_bottom",
):
    """Builds the network; logits and numbers out.

    Args:
        num_numbers: Integer of at least 0. Numbers in a row.
        category_sizes: List of positive integers, the ids of each column of
            categories; may be empty.
        num_outputs: List of positive integers: for each task the number of its
            classes, or 1 for a number.
        units: Positive integer. Width of the layer that all tasks share.
        tower_units: Positive integer. Width of each task's own layer.
        embedding_dim: Positive integer. Size of a category's vector.
        dropout: Float in [0, 1). Share dropped of the shared layer's outputs.
        name: String. The model's name.

    Returns:
        A `keras.Model` as `zoo.mmoe` gives it.

    Raises:
        ValueError: If there is no column or no task.

    Example:

    >>> model = shared_bottom(3, [4, 9], [2, 1], **PRESETS["tiny"])
    >>> {name: x.shape for name, x in model.output.items()}
    {'logits_1': (None, 2), 'logits_2': (None, 1)}
    """
    check_outputs(num_outputs)
    inputs, x = read_row(num_numbers, category_sizes, embedding_dim)
    x = keras.layers.Dense(units, activation="relu", name="bottom")(x)
    x = keras.layers.RepeatVector(len(num_outputs), name="bottom_for_each")(x)
    outputs = answer(x, num_outputs, tower_units, dropout)
    return keras.Model(one_or_all(inputs), outputs, name=name)
