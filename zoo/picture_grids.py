"""A picture as a grid of places for attention to choose from.

Every cell of the grid sees a field that is centred on the cell: with kernels of
4 pixels, stride 2 and "same" padding, the field of each cell grows evenly to
both sides. With the usual 3x3 kernels of stride 2 fields drift to one side by
several pixels, and a model that attends to the right features then seems to
point beside the object.
"""

import keras
from keras import ops

from keras_attention.functional.sampling import target_places
from keras_attention.shapes import shapes_by_tracing
from zoo.backbones import MOMENTUM, Backbone


def grid_encoder(
    input_shape,
    filters=(32, 48, 64),
    coordinates=True,
    name="encoder",
    backbone=None,
    backbone_stride=None,
    backbone_attention=None,
):
    """Builds a convolutional network from a picture to a grid.

    Each of `filters` is a 4x4 convolution of stride 2, so every side of the
    grid is the picture's over `2 ** len(filters)`; a 1x1 convolution follows.
    Batch normalisation and a ReLU come after each. The names of all layers
    begin with `encoder_`. To build on it, call the model, or go on from its
    `input` and `output`, which keeps all layers on one level.

    With `backbone` a network of `keras.applications` takes their place: one
    layer, `encoder_backbone`, whose feature map is the grid, with its depth.
    Where a side is no multiple of the stride, or the network pads to one side
    only, as most do, a cell lies only about where it sees.
    `zoo.backbones.load_backbone_weights` brings trained weights in.

    Args:
        input_shape: `(H, W, C)`, any number of channels; `H` and `W` multiples
            of `2 ** len(filters)`. With `backbone` `(H, W, 3)`.
        filters: Integers, the channels of each convolution. Not for a
            `backbone`, which has its own.
        coordinates: Boolean. Whether the features of a place end in its
            `(x, y)` in [-1, 1], which convolutions do not tell.
        name: String. The model's name.
        backbone: String, a name in `keras.applications`, or `None`.
        backbone_stride: Integer, pixels for a cell, or `None`, as in
            `zoo.backbones.Backbone`.
        backbone_attention: String, its `attention` there, or `None`.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to
        `(B, h * w, D)`, row by row. `grid_of` tells `(h, w)`. `D` is the last
        of `filters`, or the backbone's depth, and 2 more with `coordinates`.

    Raises:
        ValueError: If there are no filters, or `H` or `W` is unknown or no
            multiple of `2 ** len(filters)`; as `zoo.backbones.Backbone`; or
            if there is a `backbone_stride` or a `backbone_attention` without a
            `backbone`.

    Example:

    >>> encoder = grid_encoder((64, 64, 3), (8, 16, 16))
    >>> encoder.output_shape, grid_shape((64, 64, 3), (8, 16, 16))
    ((None, 64, 18), (8, 8))
    """
    if backbone is None:
        grid_shape(input_shape, filters)
        for argument, value in (
            ("stride", backbone_stride),
            ("attention", backbone_attention),
        ):
            if value is not None:
                raise ValueError(
                    f"`backbone_{argument}` is of a `backbone`; the small "
                    "network has a stride of 2 ** len(filters), and no gates. "
                    f"Received: backbone_{argument}={value!r}, backbone=None"
                )
    else:
        features = Backbone(
            backbone,
            input_shape,
            backbone_stride,
            backbone_attention,
            name="encoder_backbone",
        )
    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    x = features(image) if backbone else _small_network(image, filters)
    places = PlacesOfGrid(coordinates, name="encoder_places")(x)
    return keras.Model(image, places, name=name)


def grid_of(model):
    """The size of the grid of a `grid_encoder`, or of what is built on it.

    Args:
        model: `keras.Model` with the layers of the encoder on its own level.

    Returns:
        `(h, w)`.

    Example:

    >>> grid_of(grid_encoder((48, 96, 3), (8, 16)))
    (12, 24)
    """
    return model.get_layer("encoder_places").input.shape[1:3]


def grid_shape(input_shape, filters):
    """The size of the grid that the small network makes of a picture.

    Args:
        input_shape: `(H, W, C)`.
        filters: Integers, as those of `grid_encoder`.

    Returns:
        `(h, w)`.

    Raises:
        ValueError: As `grid_encoder`.

    Example:

    >>> grid_shape((48, 96, 3), (8, 16))
    (12, 24)
    """
    step = 2 ** len(filters)
    sides = tuple(input_shape[:2])
    if not filters or not all(side and side % step == 0 for side in sides):
        raise ValueError(
            "There must be filters, and height and width must be multiples of "
            "2 ** len(filters), or the cells of the grid would not lie on what "
            "they see. "
            f"Received: input_shape={tuple(input_shape)}, "
            f"filters={list(filters)}"
        )
    height, width = sides
    return height // step, width // step


def _small_network(image, filters):
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="encoder_rescaling")(
        image
    )
    for stage, width in enumerate(filters, 1):
        x = _conv(x, width, 4, 2, f"encoder_{stage}")
    return _conv(x, filters[-1], 1, 1, f"encoder_{len(filters) + 1}")


def _conv(x, filters, kernel_size, strides, name):
    x = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides,
        "same",
        data_format="channels_last",
        use_bias=False,
        name=f"{name}_conv",
    )(x)
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(
        x
    )
    return keras.layers.ReLU(name=f"{name}_relu")(x)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class PlacesOfGrid(keras.layers.Layer):
    """A feature map as a sequence of places, row by row.

    Args:
        coordinates: Boolean. Whether the features of a place end in the
            `(x, y)` of its centre; -1 and 1 are the edges of the map.
        **kwargs: Keras's own.

    Call arguments:
        inputs: `(B, h, w, C)`, `h` and `w` known.

    Returns:
        `(B, h * w, C)`; with `coordinates` `(B, h * w, C + 2)`.
    """

    def __init__(self, coordinates=True, **kwargs):
        super().__init__(**kwargs)
        self.coordinates = coordinates

    def call(self, inputs):
        height, width, channels = inputs.shape[1:]
        places = ops.reshape(inputs, (-1, height * width, channels))
        if not self.coordinates:
            return places
        centres = ops.convert_to_tensor(
            target_places((height, width), align_corners=False)
        )
        # Added to zeros of the batch's size, which may be unknown.
        nothing = ops.zeros_like(places[..., :2])
        centres = nothing + ops.cast(centres, places.dtype)
        return ops.concatenate([places, centres], axis=-1)

    def get_config(self):
        return {**super().get_config(), "coordinates": self.coordinates}
