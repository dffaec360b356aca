"""ResNet with an attention layer in every residual block, or stage.

The network of He et al. (2016), as for CIFAR (section 4.2) and as for
ImageNet (table 1). The shortcuts that change shape are 1x1 convolutions. Where
the attention sits is its paper's choice: a gate on the branch before the sum
(SE: Hu et al. 2018, figure 3; CBAM: Woo et al. 2018, figure 3), a gate between
stages (BAM: Park et al. 2018, figure 1), or branches in place of a convolution
(SK: Li et al. 2019, section 3.2). Ours: pixels come in as 0 to 255 and are
brought to [-1, 1] inside the network.
"""

import math

import keras

from keras_attention import BAM, CBAM, SEBlock, SelectiveKernel
from zoo.image_networks import bottleneck_block, conv, residual_block

ATTENTION = {
    "se": (SEBlock, "branch"),
    "cbam": (CBAM, "branch"),
    "bam": (BAM, "stage"),
    "sk": (SelectiveKernel, "conv"),
}

BLOCKS = {"basic": residual_block, "bottleneck": bottleneck_block}

PRESETS = {
    "tiny": {"filters": (8, 16), "blocks": 1},
    "resnet_20": {"filters": (16, 32, 64), "blocks": 3},
    "resnet_32": {"filters": (16, 32, 64), "blocks": 5},
    "resnet_56": {"filters": (16, 32, 64), "blocks": 9},
    "resnet_18": {
        "filters": (64, 128, 256, 512),
        "blocks": 2,
        "stem": "imagenet",
    },
    "resnet_50": {
        "filters": (64, 128, 256, 512),
        "blocks": (3, 4, 6, 3),
        "block": "bottleneck",
        "stem": "imagenet",
    },
}


def attention_resnet(
    input_shape,
    num_classes,
    attention=None,
    attention_args=None,
    filters=(16, 32, 64),
    blocks=3,
    block="basic",
    stem="small",
    name="attention_resnet",
):
    """Builds the classifier; logits out.

    Args:
        input_shape: `(H, W, C)`, any number of channels; `H` and `W` may be
            `None`. The weights fit any height and width.
        num_classes: Integer of at least 2.
        attention: A name in `ATTENTION` (`"se"`, `"cbam"`, `"bam"`, `"sk"`);
            or a callable that makes a layer, placed on the branch; or `None`,
            the plain ResNet, the baseline.
        attention_args: Dict of arguments of the attention layer.
        filters: Integers, the channels of each stage.
        blocks: Residual blocks in each stage: an integer, or one a stage.
        block: `"basic"`, two 3x3 convolutions, or `"bottleneck"`, three, the
            last four times wider than `filters`.
        stem: `"small"`, one 3x3 convolution, or `"imagenet"`, a 7x7 of stride
            2 and a pooling of stride 2.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, num_classes)`.

    Raises:
        ValueError: If `attention`, `block` or `stem` is unknown, `blocks`
            does not fit `filters`, or there are fewer than two classes.

    Example:

    >>> model = attention_resnet((32, 32, 3), 10, "cbam", **PRESETS["tiny"])
    >>> model.output_shape
    (None, 10)
    """
    layer, place = _attention(attention, attention_args or {})
    depths = [blocks] * len(filters) if isinstance(blocks, int) else blocks
    _check(num_classes, filters, depths, block, stem)

    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    if stem == "small":
        x = conv(x, filters[0], "stem")
    else:
        x = conv(x, filters[0], "stem", kernel_size=7, strides=2)
        x = keras.layers.MaxPooling2D(
            3, 2, "same", data_format="channels_last", name="stem_pool"
        )(x)

    for stage, (width, depth) in enumerate(
        zip(filters, depths, strict=True), start=1
    ):
        for index in range(1, depth + 1):
            strides = 2 if stage > 1 and index == 1 else 1
            x = BLOCKS[block](
                x,
                width,
                strides,
                f"stage_{stage}_block_{index}",
                conv=layer if place == "conv" else conv,
                gate=layer if place == "branch" else None,
            )
        if place == "stage" and stage < len(filters):
            x = layer(x, f"stage_{stage}_attention")

    x = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", name="pool"
    )(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


def _attention(attention, arguments):
    """What makes the attention layer inside the network, and its place."""
    if attention is None:
        return None, None
    if callable(attention):
        return (lambda x, name: attention(**arguments)(x)), "branch"
    if attention not in ATTENTION:
        raise ValueError(
            f"`attention` must be one of {sorted(ATTENTION)}, a callable that "
            f"makes a layer, or None. Received: attention={attention!r}"
        )
    layer, place = ATTENTION[attention]
    arguments = {"data_format": "channels_last", **arguments}
    if place == "conv":

        def select(x, channels, name, strides=1):
            groups = math.gcd(32, math.gcd(x.shape[-1], channels))
            return layer(
                channels,
                strides=strides,
                name=f"{name}_attention",
                **{"groups": groups, **arguments},
            )(x)

        return select, place
    return (lambda x, name: layer(name=name, **arguments)(x)), place


def _check(num_classes, filters, depths, block, stem):
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    if len(depths) != len(filters) or min(depths) < 1:
        raise ValueError(
            "`blocks` must be a positive integer or one for each of the "
            f"{len(filters)} stages of `filters`. Received: blocks={depths}"
        )
    if block not in BLOCKS:
        raise ValueError(
            f"`block` must be one of {sorted(BLOCKS)}. "
            f"Received: block={block!r}"
        )
    if stem not in ("small", "imagenet"):
        raise ValueError(
            f'`stem` must be "small" or "imagenet". Received: stem={stem!r}'
        )
