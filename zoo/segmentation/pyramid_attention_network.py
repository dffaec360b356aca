"""Pyramid attention network: semantic segmentation with gated skips.

The network of Li et al. (2018). An encoder makes feature maps of several
levels, `levels[0]` the finest. On the coarsest, feature pyramid attention (FPA)
weighs places by what is around them. Then, level by level, global attention
upsample (GAU) says by the coarser map which channels of the finer one are let
through:

    x = FPA(levels[-1])
    x = GAU(low=levels[k], high=x)          for k from the second coarsest to 0
    logits = resize(conv3x3(x))

To compare with, each part has a counterpart of nearly as many parameters:

    pyramid=False     x = relu(norm(conv1x1(levels[-1])))
    upsample="add"    x = relu(resize(b) + a), the GAU with a gate of 1
    upsample="none"   x = relu(norm(conv3x3(resize(relu(b))))), no skip
    where a = norm(conv3x3(levels[k])) and b = norm(conv1x1(x))

Departures: the encoder is a small residual network, trained along, or any
network of `keras.applications`, not a dilated ResNet-101. GAU is applied down
to the finest level of the encoder, which has the size of the image, and with a
`backbone` a stride of 4, as in the paper. The counterparts are ours.

Reference: Li, Xiong, An, Wang, "Pyramid Attention Network for Semantic
Segmentation", BMVC 2018, section 3, https://arxiv.org/abs/1805.10180.
"""

import keras

from keras_attention.feature_map.feature_pyramid_attention import (
    FeaturePyramidAttention,
)
from keras_attention.feature_map.global_attention_upsample import (
    GATES,
    GlobalAttentionUpsample,
)
from zoo.image_networks import conv
from zoo.segmentation.feature_levels import PixelLogits, feature_levels, resized

PRESETS = {
    "tiny": {
        "filters": (4, 8, 16),
        "blocks": 1,
        "decoder_filters": 8,
        "kernels": (7, 3),
    },
    "small": {
        "filters": (16, 32, 64, 128),
        "blocks": 1,
        "decoder_filters": 32,
    },
}


def pyramid_attention_network(
    input_shape,
    num_classes,
    filters=(16, 32, 64, 128),
    blocks=1,
    decoder_filters=32,
    pyramid=True,
    kernels=(7, 5, 3),
    upsample="gau",
    gate="relu",
    backbone=None,
    name="pyramid_attention_network",
):
    """Builds the network; a logit for each class and pixel out.

    The weights fit images of every size.

    Args:
        input_shape: `(H, W, C)`; `H` and `W` multiples of
            `2 ** (len(filters) - 1)`. With `backbone` `(H, W, 3)`, multiples of
            32.
        num_classes: Integer of at least 2, the background included.
        filters: Positive integers, at least two: the channels of each level of
            the encoder, the finest first.
        blocks: Residual blocks in each level: a positive integer, or one for
            each level.
        decoder_filters: Positive integer. Channels of the decoder.
        pyramid: Boolean. Whether the coarsest level passes through feature
            pyramid attention, or through a 1x1 convolution.
        kernels: Odd integers, those of the feature pyramid, from its finest
            level to its coarsest, each half as large as the one before.
        upsample: How a finer level is joined: `"gau"`, by global attention
            upsample; or, to compare with, `"add"`, as a plain sum, or `"none"`,
            not at all.
        gate: `"relu"`, as in the paper, or `"sigmoid"`, of `upsample="gau"`.
        backbone: String, a name in `keras.applications` for the encoder, in
            place of `filters` and `blocks`; or `None`. Its weights start at
            random: `zoo.backbones.load_backbone_weights` brings trained ones
            in.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, H, W, num_classes)`.

    Raises:
        ValueError: If `upsample` or `gate` is unknown, there are fewer than two
            classes or levels, `blocks` does not fit `filters`, or the image or
            the backbone does not fit.

    Example:

    >>> model = pyramid_attention_network((32, 48, 3), 5, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 32, 48, 5)
    """
    _check(num_classes, filters, upsample, gate, backbone)
    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    *finer, coarsest = feature_levels(image, filters, blocks, backbone)
    if pyramid:
        x = FeaturePyramidAttention(
            decoder_filters,
            kernels=tuple(kernels),
            data_format="channels_last",
            name="decoder_pyramid",
        )(coarsest)
    else:
        x = conv(coarsest, decoder_filters, "decoder_top", kernel_size=1)
    for level in range(len(finer), 0, -1):
        x = UPSAMPLES[upsample](
            finer[level - 1], x, decoder_filters, gate, f"decoder_{level}"
        )
    logits = PixelLogits(
        num_classes, image.shape[1:3], dtype="float32", name="logits"
    )(x)
    return keras.Model(image, logits, name=name)


def _gated(low, high, filters, gate, name):
    return GlobalAttentionUpsample(
        filters, gate, data_format="channels_last", name=f"{name}_upsample"
    )(low, high)


def _added(low, high, filters, gate, name):
    low = conv(low, filters, f"{name}_low", activation=None)
    high = conv(high, filters, f"{name}_high", 1, activation=None)
    high = resized(high, low, f"{name}_resized")
    x = keras.layers.Add(name=f"{name}_add")([high, low])
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _without_skip(low, high, filters, gate, name):
    high = conv(high, filters, f"{name}_high", 1)
    return conv(resized(high, low, f"{name}_resized"), filters, name)


UPSAMPLES = {"gau": _gated, "add": _added, "none": _without_skip}


def _check(num_classes, filters, upsample, gate, backbone):
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    if upsample not in UPSAMPLES:
        raise ValueError(
            f"`upsample` must be one of {sorted(UPSAMPLES)}. "
            f"Received: upsample={upsample!r}"
        )
    if gate not in GATES:
        raise ValueError(
            f"`gate` must be one of {sorted(GATES)}. Received: gate={gate!r}"
        )
    if backbone is None and len(filters) < 2:
        raise ValueError(
            "`filters` must be at least two, a coarse level and a finer one "
            f"that it is joined to. Received: filters={filters}"
        )
