"""Ids of five pairs, and the same in a network that has room for more."""

import numpy as np

# Ten are known, each place may bring one more. The second and the third pair
# share a word each; the last two have an empty side, and two.
IDS = {
    "left_ids": np.array(
        [[3, 5, 4, 2], [7, 7, 11, 0], [9, 13, 0, 0], [2, 3, 0, 0], [0] * 4],
        "int32",
    ),
    "right_ids": np.array(
        [
            [4, 3, 9, 8, 2, 6],
            [14, 7, 15, 0, 0, 0],
            [13, 3, 0, 0, 0, 0],
            [0] * 6,
            [0] * 6,
        ],
        "int32",
    ),
}
MASKS = {"left_mask": IDS["left_ids"] > 0, "right_mask": IDS["right_ids"] > 0}


def padded(left, right):
    """The ids with so many more places on either side."""
    return {
        name: np.pad(ids, ((0, 0), (0, more)))
        for (name, ids), more in zip(IDS.items(), (left, right))
    }


def lengthen(longer, model):
    """Gives a network the weights of a shorter one, and others for the rest."""
    for weight, value in zip(longer.weights, model.get_weights()):
        more = np.subtract(weight.shape, value.shape)
        rest = [(0, count) for count in more]
        weight.assign(np.pad(value, rest, constant_values=9))
