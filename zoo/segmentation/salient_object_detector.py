"""Salient object detection: which pixels belong to what stands out.

Two decoders, by two papers, on the same encoder, whose feature maps are
`levels`, the finest first.

`"pfan"` (Zhao and Wu 2019) weighs the coarse levels by channel and the two
finest by place:

    high = conv1x1(CPFE(levels[2:]))
    low = conv3x3(concat(conv3x3(levels[0]), resize(conv3x3(levels[1]))))
    z = conv9x1(conv1x9(high)) + conv1x9(conv9x1(high))
    gate = sigmoid(resize(z))
    logits = conv3x3(concat(gate * low, resize(high)))

CPFE is `keras_attention.ContextAwarePyramid`, with its channel attention.

`"picanet"` (Liu et al. 2018) is a U-Net that attends at each level, from the
coarsest, at which `D` of a coarser level is missing, to the finest:

    F = conv3x3(concat(level, resize(D of the next coarser level)))
    D = conv1x1(concat(F, attend(F)))
    logits = conv3x3(F of the finest level)

`attend` is `keras_attention.PixelwiseContextualAttention`: global at the two
coarsest levels, local at those between, and none at the finest.

Two more are to compare with. `"ungated"` is the decoder of PFAN where all gates
are 1, and what computes them is missing. `"plain"` is that of PiCANet without
attention: `attend(F)` is `conv1x1(conv3x3(F))`, the first as wide as makes it
have as many parameters as the attention.

Batch normalisation and a ReLU follow each convolution, except the last ones of
`z` and of the logits.

Departures, of both: the encoder is a small residual network, trained along, or
any network of `keras.applications`, not VGG-16; there is one loss, at the
output, where PiCANet has one for each level and PFAN adds one for edges.
PFAN: any number of coarse levels, not three; `z` is computed at the size of
`high`, and resized, not computed at that of `low`; no ReLU comes before the sum
of `z`, as in the paper's equation (in the authors' code there is one, with
which the gate is nowhere below 1/2). PiCANet: features are fused by 3x3
convolutions. The presets, for small images, have windows that span a map of 8
places a side.

References: Zhao, Wu, "Pyramid Feature Attention Network for Saliency
Detection", CVPR 2019, section 3, https://arxiv.org/abs/1903.00179. Liu, Han,
Yang, "PiCANet: Learning Pixel-wise Contextual Attention for Saliency
Detection", CVPR 2018, sections 3 and 4, https://arxiv.org/abs/1708.06433.
"""

import functools

import keras
from keras import ops

from keras_attention.feature_map.context_aware_pyramid import (
    ContextAwarePyramid,
)
from keras_attention.feature_map.pixelwise_contextual_attention import (
    WINDOWS,
    PixelwiseContextualAttention,
)
from keras_attention.functional import resize, size_of
from keras_attention.shapes import shapes_by_tracing
from zoo.image_networks import conv
from zoo.segmentation.feature_levels import PixelLogits, feature_levels, resized

LINE = 9  # places of its rows and columns

PRESETS = {
    "tiny": {
        "filters": (4, 8, 8, 16),
        "blocks": 1,
        "decoder_filters": 8,
        "rates": (1, 2),
        "global_window": (4, 1),
        "local_window": (3, 1),
    },
    "small": {
        "filters": (16, 32, 64, 128),
        "blocks": 1,
        "decoder_filters": 32,
        "rates": (1, 2, 3),
        "global_window": (8, 2),
        "local_window": (7, 1),
    },
}


def salient_object_detector(
    input_shape,
    filters=(16, 32, 64, 128),
    blocks=1,
    decoder="pfan",
    decoder_filters=32,
    rates=(3, 5, 7),
    global_window=WINDOWS["global"],
    local_window=WINDOWS["local"],
    backbone=None,
    name="salient_object_detector",
):
    """Builds the detector; a logit for each pixel out.

    The weights fit images of every size.

    Args:
        input_shape: `(H, W, C)`; `H` and `W` multiples of
            `2 ** (len(filters) - 1)`. With `backbone` `(H, W, 3)`, multiples of
            32.
        filters: Positive integers, at least three: the channels of each level
            of the encoder, the finest first.
        blocks: Residual blocks in each level: a positive integer, or one for
            each level.
        decoder: `"pfan"`, gates by channel and by place, or `"ungated"`, that
            decoder without them; `"picanet"`, attention of each pixel to its
            surroundings, or `"plain"`, that decoder without attention.
        decoder_filters: Integer of at least 2. Channels of the decoder. What
            `"pfan"` reads at each rate, and what local attention sees, is half
            as wide.
        rates: Positive integers, the dilations of what `"pfan"` and
            `"ungated"` read; by default those of the paper.
        global_window: `(kernel, dilation)` of the windows of `"picanet"` at the
            two coarsest levels; by default those of the paper, which span a map
            of 28 places a side.
        local_window: The same, of the levels between; by default those of the
            paper.
        backbone: String, a name in `keras.applications` for the encoder, in
            place of `filters` and `blocks`; or `None`. Its weights start at
            random: `zoo.backbones.load_backbone_weights` brings trained ones
            in.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, H, W, 1)`, positive where a pixel is salient.

    Raises:
        ValueError: If `decoder` is unknown, there are fewer than three levels,
            `decoder_filters` is below 2, `blocks` does not fit `filters`, a
            window is none, or the image or the backbone does not fit.

    Example:

    >>> model = salient_object_detector((32, 48, 3), **PRESETS["tiny"])
    >>> model.output_shape
    (None, 32, 48, 1)
    """
    windows = {"global_window": global_window, "local_window": local_window}
    _check(filters, decoder, decoder_filters, backbone, windows)
    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    levels = feature_levels(image, filters, blocks, backbone)
    sizes = {"rates": rates, "global": global_window, "local": local_window}
    x = DECODERS[decoder](levels, decoder_filters, sizes)
    logits = PixelLogits(1, image.shape[1:3], dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class SpatialGate(keras.layers.Layer):
    """Lets places of a fine feature map through, by logits of a coarser one.

        gate = sigmoid(resize(logits))
        output = gate * inputs

    Args:
        **kwargs: Keras's own.

    Call arguments:
        inputs: `(B, H, W, C)`.
        logits: `(B, h, w, 1)`, of any size.
        return_attention_scores: Boolean. Whether to return the gate too.

    Returns:
        `(B, H, W, C)`; with `return_attention_scores=True`, `(output, gate)`,
        where gate is `(B, H, W, 1)`, in [0, 1].
    """

    def call(self, inputs, logits, return_attention_scores=False):
        size = size_of(inputs, "channels_last")
        gate = ops.sigmoid(resize(logits, size, "channels_last"))
        output = gate * inputs
        return (output, gate) if return_attention_scores else output


def _gating_decoder(levels, filters, sizes, gated=True):
    """That of PFAN; `gated=False`: with all gates 1."""
    high = _pyramid(levels[2:], filters // 2, sizes["rates"], gated)
    high = conv(high, filters, "decoder_high", kernel_size=1)

    fine, coarse = (
        conv(level, filters, f"decoder_low_{number}")
        for number, level in enumerate(levels[:2], start=1)
    )
    coarse = resized(coarse, fine, "decoder_low_2_resized")
    low = keras.layers.Concatenate(name="decoder_low_concat")([fine, coarse])
    low = conv(low, filters, "decoder_low")
    if gated:
        logits = _crossed(high, filters // 2)
        low = SpatialGate(name="decoder_gate")(low, logits)

    high = resized(high, low, "decoder_high_resized")
    return keras.layers.Concatenate(name="decoder_concat")([low, high])


def _pyramid(levels, filters, rates, gated):
    """What the coarse levels say together, weighed by channel or not."""
    if gated:
        return ContextAwarePyramid(
            filters,
            rates=tuple(rates),
            data_format="channels_last",
            name="decoder_pyramid",
        )(levels)
    joined = []
    for number, level in enumerate(levels, start=1):
        name = f"decoder_pyramid_{number}"
        read = [conv(level, filters, f"{name}_near", kernel_size=1)]
        for rate in rates:
            far = f"{name}_far_{rate}"
            read.append(conv(level, filters, far, dilation_rate=rate))
        x = keras.layers.Concatenate(name=f"{name}_concat")(read)
        joined.append(resized(x, levels[0], f"{name}_resized"))
    return keras.layers.Concatenate(name="decoder_pyramid_concat")(joined)


def _crossed(high, filters):
    """A logit for each place, by what stands in its row and its column."""
    lines = {"row": (1, LINE), "column": (LINE, 1)}
    ways = []
    for first, second in (("row", "column"), ("column", "row")):
        x = conv(high, filters, f"decoder_{first}", kernel_size=lines[first])
        ways.append(
            keras.layers.Conv2D(
                1,
                lines[second],
                padding="same",
                data_format="channels_last",
                name=f"decoder_{first}_{second}",
            )(x)
        )
    return keras.layers.Add(name="decoder_gate_logits")(ways)


def _u_net(levels, filters, sizes, attend):
    """The decoder of PiCANet; `attend(x, mode, filters, sizes, name)` a map."""
    x = None
    for number in range(len(levels), 0, -1):
        level, name = levels[number - 1], f"decoder_{number}"
        if x is not None:
            x = resized(x, level, f"{name}_resized")
            level = keras.layers.Concatenate(name=f"{name}_skip")([level, x])
        x = conv(level, filters, f"{name}_fused")
        if number > 1:
            mode = "global" if number > len(levels) - 2 else "local"
            around = attend(x, mode, filters, sizes, name)
            x = keras.layers.Concatenate(name=f"{name}_concat")([x, around])
            x = conv(x, filters, name, kernel_size=1)
    return x


def _attended(x, mode, filters, sizes, name):
    kernel, dilation = sizes[mode]
    return PixelwiseContextualAttention(
        mode,
        _units(mode, filters),
        kernel,
        dilation,
        data_format="channels_last",
        name=f"{name}_attention",
    )(x)


def _units(mode, filters):
    """Width of what a place has seen: half where it convolves its window."""
    return filters if mode == "global" else filters // 2


def _convolved(x, mode, filters, sizes, name):
    """Two convolutions with as many parameters as the attention."""
    kernel, _ = sizes[mode]
    count = _parameters(mode, filters, _units(mode, filters), kernel**2)
    # A 3x3 convolution, a 1x1 back, and two numbers of each normalisation.
    width = max(round((count - 2 * filters) / (9 * filters + 2 + filters)), 1)
    x = conv(x, width, f"{name}_wide")
    return conv(x, filters, f"{name}_narrow", kernel_size=1)


def _parameters(mode, channels, units, places):
    """How many parameters pixelwise attention to a window has."""
    if mode == "local":
        seen, look = units, (places * channels + 1) * units
    else:  # two LSTMs both ways, the second on the outputs of the first
        seen = 2 * units
        look = sum(
            2 * 4 * units * (inputs + units + 1) for inputs in (channels, seen)
        )
    return look + (seen + 1) * places


DECODERS = {
    "pfan": _gating_decoder,
    "ungated": functools.partial(_gating_decoder, gated=False),
    "picanet": functools.partial(_u_net, attend=_attended),
    "plain": functools.partial(_u_net, attend=_convolved),
}


def _check(filters, decoder, decoder_filters, backbone, windows):
    if decoder not in DECODERS:
        raise ValueError(
            f"`decoder` must be one of {sorted(DECODERS)}. "
            f"Received: decoder={decoder!r}"
        )
    if decoder_filters < 2:
        raise ValueError(
            "`decoder_filters` must be at least 2, since parts of the decoder "
            f"are half as wide. Received: decoder_filters={decoder_filters}"
        )
    for name, window in windows.items():
        if not isinstance(window, list | tuple) or len(window) != 2:
            raise ValueError(
                f"`{name}` must be two integers, how many places a side it "
                "has, and how many places they are apart. "
                f"Received: {name}={window!r}"
            )
    if backbone is None and len(filters) < 3:
        raise ValueError(
            "`filters` must be at least three: two levels of detail, and a "
            f"coarse one that guides them. Received: filters={filters}"
        )
