"""Attention to scale: one network reads an image at several sizes.

The network of Chen et al. (2016). The same network reads the image at each
scale `s`, and says of each place how much speaks for each class; weights which
a small head draws from what was seen at all scales mix that, place by place:

    features[s] = network(resize(image, s))
    scores[s] = conv1x1(features[s])
    logits = resize(sum over s of weights[s] * resize(scores[s]))

The equations of the weights are those of `ScaleAttention`. To compare with, the
scores can be mixed without weights, as the paper does too:

    merge="average"     the mean over the scales
    merge="max"         the largest of them, class by class

Departures: the shared network is a small residual one, trained along, not
DeepLab. One loss teaches the mix; the paper adds one for each scale.

Reference: Chen, Yang, Wang, Xu, Yuille, "Attention to Scale: Scale-aware
Semantic Image Segmentation", CVPR 2016, section 3,
https://arxiv.org/abs/1511.03339.
"""

import keras

from keras_attention.feature_map.scale_attention import ScaleAttention
from zoo.image_networks import conv, residual_block
from zoo.segmentation.feature_levels import ResizedMap

MERGES = ("attention", "average", "max")
LARGEST = 4  # how many times as large an image may be read

PRESETS = {
    "tiny": {"filters": (4, 8), "blocks": 1, "units": 8},
    "small": {"filters": (16, 32, 64), "blocks": 1, "units": 32},
}


def attention_to_scale(
    input_shape,
    num_classes,
    scales=(1.0, 0.75, 0.5),
    merge="attention",
    filters=(16, 32, 64),
    blocks=1,
    units=32,
    name="attention_to_scale",
):
    """Builds the network; a logit for each class and pixel out.

    The weights fit images of every size.

    Args:
        input_shape: `(H, W, C)`, any number of channels.
        num_classes: Integer of at least 2, the background included.
        scales: Positive numbers, how large the image is read, in sizes of its
            own, 4 at most. The first is that at which scores are mixed.
        merge: A name in `MERGES`: how the scores of the scales are mixed.
        filters: Positive integers, the channels of each level of the shared
            network. Each level after the first halves height and width.
        blocks: Positive integer. Residual blocks in each level.
        units: Positive integer. Width of the head that draws the weights, for
            `merge="attention"`.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, H, W, num_classes)`.

    Raises:
        ValueError: If there are fewer than two classes, no scales or filters,
            a scale is not positive or makes an image smaller than the shared
            network's stride, or `merge` is unknown.

    Example:

    >>> model = attention_to_scale((32, 48, 3), 5, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 32, 48, 5)
    """
    _check(input_shape, num_classes, scales, merge, filters)
    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    shared = _shared(input_shape[-1], filters, blocks)
    scoring = keras.layers.Conv2D(
        num_classes,
        1,
        data_format="channels_last",
        dtype="float32",
        name="logits",
    )
    features = [
        shared(ResizedMap(size, dtype="float32", name=f"image_{place}")(image))
        for place, size in enumerate(_sizes(input_shape, scales), 1)
    ]
    scores = [scoring(each) for each in features]
    if merge == "attention":
        mixed = ScaleAttention(
            units, "channels_last", dtype="float32", name="scale_attention"
        )(scores, features)
    else:
        mixed = _mixed(scores, merge)
    logits = ResizedMap(image.shape[1:3], dtype="float32", name="pixels")(mixed)
    return keras.Model(image, logits, name=name)


def _shared(channels, filters, blocks):
    """The network that reads every scale, as one model."""
    image = keras.Input((None, None, channels), dtype="float32", name="scaled")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="encoder_rescaling")(
        image
    )
    x = conv(x, filters[0], "encoder_stem")
    for level, width in enumerate(filters, 1):
        for index in range(1, blocks + 1):
            strides = 2 if level > 1 and index == 1 else 1
            x = residual_block(
                x, width, strides, f"encoder_{level}_block_{index}"
            )
    return keras.Model(image, x, name="encoder")


def _mixed(scores, merge):
    """The mean, or the largest, of scores at the size of the first."""
    first, *others = scores
    resize = {"dtype": "float32", "size": first.shape[1:3]}
    scores = [first] + [
        ResizedMap(**resize, name=f"scores_{place}")(each)
        for place, each in enumerate(others, 2)
    ]
    if not others:
        return first
    kinds = {"average": keras.layers.Average, "max": keras.layers.Maximum}
    return kinds[merge](dtype="float32", name=merge)(scores)


def _sizes(input_shape, scales):
    return [
        tuple(max(1, round(scale * side)) for side in input_shape[:2])
        for scale in scales
    ]


def _check(input_shape, num_classes, scales, merge, filters):
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    if merge not in MERGES:
        raise ValueError(
            f"`merge` must be one of {', '.join(map(repr, MERGES))}. "
            f"Received: merge={merge!r}"
        )
    if not filters:
        raise ValueError(
            "`filters` must not be empty: each is a level of the shared "
            f"network. Received: filters={filters}"
        )
    least = 2 ** (len(filters) - 1)
    if (
        not scales
        or min(scales) <= 0
        or max(scales) > LARGEST
        or min(map(min, _sizes(input_shape, scales))) < least
    ):
        raise ValueError(
            f"`scales` must be positive numbers up to {LARGEST}, and leave at "
            f"least {least} pixels a side, the stride of the shared network. "
            f"Received: scales={scales}, input_shape={tuple(input_shape)}"
        )
