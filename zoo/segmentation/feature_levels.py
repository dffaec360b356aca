"""Feature maps of an image at several sizes, and logits of its pixels.

A network that labels pixels has two halves. The encoder makes feature maps,
each coarser than the one before: `feature_levels`. A decoder joins them, from
the coarsest to the finest: `ResizedMap` brings one to the size of the next, and
`PixelLogits` ends in a logit for each class and pixel.
"""

import keras

from keras_attention.functional import resize
from keras_attention.shapes import shapes_by_tracing
from zoo.backbones import Backbone
from zoo.image_networks import conv, residual_block

BACKBONE_STRIDES = (4, 8, 16, 32)


def feature_levels(image, filters=(16, 32, 64, 128), blocks=1, backbone=None):
    """Builds an encoder on an image: a feature map of each level.

    A residual network (He et al. 2016): a 3x3 convolution, then `blocks` basic
    blocks for each level. The first level is as large as the image, so that
    masks of small images keep their edges; each further one has half the height
    and width of the one before. The names of all layers begin with `encoder_`,
    those of the first level with `encoder_1_`.

    With `backbone` a network of `keras.applications` takes their place: one
    layer, `encoder_backbone`, with maps of strides 4, 8, 16 and 32. They start
    at random; `zoo.backbones.load_backbone_weights` brings trained weights in.
    Networks that do not pad their convolutions, such as InceptionV3, give maps
    that are a few places smaller.

    Args:
        image: `keras.KerasTensor` `(B, H, W, C)`, float 0 to 255, such as a
            `keras.Input`. `H` and `W` must be known multiples of the coarsest
            level's stride, `2 ** (len(filters) - 1)`; with `backbone`, of 32,
            and `C` must be 3.
        filters: Positive integers, the channels of each level. Not for a
            `backbone`, which has its own.
        blocks: Residual blocks in each level: a positive integer, or one for
            each level. Not for a `backbone`.
        backbone: String, a name in `keras.applications`, or `None`.

    Returns:
        List of `keras.KerasTensor`, the feature maps `(B, h, w, D)`, the finest
        first.

    Raises:
        ValueError: If there are no `filters`, `blocks` does not fit them, a
            side of the image is unknown or no such multiple, or there is no
            such backbone or it has no map of one of the strides.

    Example:

    >>> image = keras.Input((32, 48, 3))
    >>> [level.shape[1:] for level in feature_levels(image, (4, 8, 16))]
    [(32, 48, 4), (16, 24, 8), (8, 12, 16)]
    """
    if backbone is not None:
        _check_sides(image, BACKBONE_STRIDES[-1])
        encoder = Backbone(
            backbone,
            image.shape[1:],
            BACKBONE_STRIDES,
            name="encoder_backbone",
        )
        return encoder(image)

    depths = [blocks] * len(filters) if isinstance(blocks, int) else blocks
    _check_levels(filters, depths)
    _check_sides(image, 2 ** (len(filters) - 1))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="encoder_rescaling")(
        image
    )
    x = conv(x, filters[0], "encoder_stem")
    levels = []
    for level, (width, depth) in enumerate(
        zip(filters, depths, strict=True), start=1
    ):
        for index in range(1, depth + 1):
            strides = 2 if level > 1 and index == 1 else 1
            x = residual_block(
                x, width, strides, f"encoder_{level}_block_{index}"
            )
        levels.append(x)
    return levels


def resized(x, like, name):
    """A feature map brought to the height and width of another.

    Args:
        x: `keras.KerasTensor` `(B, h, w, C)`.
        like: `keras.KerasTensor` `(B, H, W, D)`, `H` and `W` known.
        name: String, the name of the `ResizedMap`.

    Returns:
        `keras.KerasTensor` `(B, H, W, C)`.

    Example:

    >>> coarse, fine = keras.Input((4, 6, 8)), keras.Input((8, 12, 3))
    >>> resized(coarse, fine, "resized").shape
    (None, 8, 12, 8)
    """
    return ResizedMap(like.shape[1:3], name=name)(x)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class ResizedMap(keras.layers.Layer):
    """Resizes a feature map by bilinear interpolation.

    As `keras_attention.functional.resize`, the one that the attention layers
    use.

    Args:
        size: `(H, W)`, positive integers.
        **kwargs: Keras's own.

    Call arguments:
        inputs: `(B, h, w, C)`.

    Returns:
        `(B, H, W, C)`.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(size)

    def call(self, inputs):
        return resize(inputs, self.size, "channels_last")

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class PixelLogits(keras.layers.Conv2D):
    """Logits of the pixels of an image, from a feature map of any size.

        logits = resize(conv3x3(inputs))

    `resize` is bilinear. It is the logits that are resized, not probabilities,
    whose mean would be unsure wherever two neighbours are sure of different
    classes.

    Args:
        filters: Positive integer. Classes.
        size: `(H, W)`, the size of the image.
        **kwargs: Keras's own, and those of `keras.layers.Conv2D`.

    Call arguments:
        inputs: `(B, h, w, C)`.

    Returns:
        `(B, H, W, filters)`.
    """

    def __init__(self, filters, size, **kwargs):
        usual = {
            "kernel_size": 3,
            "padding": "same",
            "data_format": "channels_last",
        }
        super().__init__(filters, **{**usual, **kwargs})
        self.size = tuple(size)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, self.filters)

    def call(self, inputs):
        return resize(super().call(inputs), self.size, "channels_last")

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def _check_levels(filters, depths):
    if not filters:
        raise ValueError(
            "`filters` must not be empty: each is a level of the encoder. "
            f"Received: filters={filters}"
        )
    if len(depths) != len(filters) or min(depths) < 1:
        raise ValueError(
            "`blocks` must be a positive integer or one for each of the "
            f"{len(filters)} levels of `filters`. Received: blocks={depths}"
        )


def _check_sides(image, stride):
    shape = tuple(image.shape[1:])
    if not all(side and side % stride == 0 for side in shape[:2]):
        raise ValueError(
            f"Height and width must be known multiples of {stride}, the stride "
            "of the coarsest level, so that each level is half as large as "
            f"the one before. Received: input_shape={shape}"
        )
