"""A picture as regions for attention to choose from: what lies in boxes."""

import keras
from keras import ops

from keras_attention.functional import box_weights, weighted_sum
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class RegionsOfGrid(keras.layers.Layer):
    """The features of boxes on a picture, pooled from the places of its grid.

    A region's features are the exact mean of the grid's over its box, the grid
    being read bilinearly (`box_weights`), and end in the box itself:
    `(x0, y0, x1, y1)` and its share of the picture's area.

    Args:
        grid: `(h, w)`, how the places of the grid lie, row by row.
        **kwargs: Keras's own.

    Call arguments:
        inputs: `(B, h * w, C)`.
        boxes: Float `(B, K, 4)`: `(x0, y0, x1, y1)` in [-1, 1], x to the right
            and y downwards, -1 and 1 the edges of the picture. One without area
            is padding.

    Returns:
        Dict of `regions`, `(B, K, C + 5)`, zeros where there is padding; and
        `mask`, boolean `(B, K)`, `True` where there is a box.
    """

    def __init__(self, grid, **kwargs):
        # In fewer bits, a thin box would lose its area.
        super().__init__(autocast=False, **kwargs)
        self.grid = tuple(grid)

    def call(self, inputs, boxes):
        boxes = ops.cast(boxes, "float32")
        sides = boxes[..., 2:] - boxes[..., :2]
        mask = ops.all(sides > 0, axis=-1)
        values = ops.cast(inputs, self.compute_dtype)
        weights = ops.cast(box_weights(boxes, self.grid), self.compute_dtype)
        area = ops.prod(sides, axis=-1, keepdims=True) / 4
        place = ops.concatenate([boxes, area], axis=-1)
        regions = ops.concatenate(
            [
                weighted_sum(weights, values),
                ops.cast(place, self.compute_dtype),
            ],
            axis=-1,
        )
        nothing = ops.zeros_like(regions)
        regions = ops.where(mask[..., None], regions, nothing)
        return {"regions": regions, "mask": mask}

    def get_config(self):
        return {**super().get_config(), "grid": list(self.grid)}
