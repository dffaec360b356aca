"""MMoE over the rows of a table: experts that all tasks share, a gate for each.

The network of Ma et al. (2018): experts of one layer, for each task a mix of
them by its own gate, a tower of one layer, and the answer. Categories are read
as learned vectors, side by side with the numbers.
"""

import keras

from keras_attention import MultiGateMixtureOfExperts
from zoo.answering import one_or_all
from zoo.multi_task.row_network import answer, check_outputs, read_row

PRESETS = {
    "tiny": {
        "num_experts": 3,
        "units": 8,
        "tower_units": 4,
        "embedding_dim": 4,
    },
    "census": {
        "num_experts": 8,
        "units": 16,
        "tower_units": 8,
        "embedding_dim": 8,
        "dropout": 0.1,
    },
}


def mmoe(
    num_numbers,
    category_sizes,
    num_outputs,
    num_experts=8,
    units=16,
    gate="input",
    tower_units=8,
    embedding_dim=8,
    dropout=0.0,
    gate_dropout=0.0,
    name="mmoe",
):
    """Builds the network; logits and numbers out.

    Args:
        num_numbers: Integer of at least 0. Numbers in a row.
        category_sizes: List of positive integers, the ids of each column of
            categories; may be empty.
        num_outputs: List of positive integers: for each task the number of its
            classes, or 1 for a number.
        num_experts: Positive integer.
        units: Positive integer. Width of an expert.
        gate: `"input"`, a gate for each task (MMoE); `"shared"`, one for all
            (OMoE, a baseline); or `"context"`, as in
            `keras_attention.MultiGateMixtureOfExperts`.
        tower_units: Positive integer. Width of each task's own layer.
        embedding_dim: Positive integer. Size of a category's vector.
        dropout: Float in [0, 1). Share dropped of the mixed experts.
        gate_dropout: Float in [0, 1). Chance that an expert is hidden from a
            gate in training.
        name: String. The model's name.

    Returns:
        A `keras.Model` from a dict of `numbers`, float32 `(B, num_numbers)`,
        and `categories`, int32 `(B, columns)`, or where there are only numbers
        or only categories from these alone, to a dict of `logits_1`,
        `logits_2` and so on.

    Raises:
        ValueError: If there is no column, no task, or `gate` is unknown.

    Example:

    >>> model = mmoe(3, [4, 9], [2, 1], **PRESETS["tiny"])
    >>> {name: x.shape for name, x in model.output.items()}
    {'logits_1': (None, 2), 'logits_2': (None, 1)}
    """
    check_outputs(num_outputs)
    inputs, x = read_row(num_numbers, category_sizes, embedding_dim)
    x = MultiGateMixtureOfExperts(
        num_experts,
        len(num_outputs),
        units,
        gate,
        dropout=gate_dropout,
        name="experts",
    )(x)
    outputs = answer(x, num_outputs, tower_units, dropout)
    return keras.Model(one_or_all(inputs), outputs, name=name)
