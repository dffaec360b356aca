"""Residual attention network: a ResNet of modules that mask what they compute.

The network of Wang et al. (2017) as for CIFAR (section 4.1). A stem, stages of
pre-activation residual units and attention modules, and a classifier:

    x = conv3x3(image)
    for each stage, at half the size of the stage before:
        x = unit(x)                                  to the stage's channels
        x = module(x)                                `modules` times
        x = unit(x)                                  the rest of `blocks`
    logits = W mean(relu(norm(x))) + b

    unit(x) = x + conv1x1(conv3x3(conv1x1(x)))       each behind norm and ReLU
    module(x) = unit(T + M * T)                      T = unit(unit(unit(x)))

where `M` is the mask, made of a coarse view of the first unit's output
(`keras_attention.ResidualAttentionModule`). All masks see the image equally
coarsely: each halves its map until it is half as large as that of the last
stage. Of images of 32 x 32 the maps of the three stages, of 32, 16 and 8 places
a side, are halved three times, twice and once, to 4 x 4.

Layers of the trunk that have weights, one after the other: 3 in each unit, and
the stem and the classifier, so `36 m + 20` with `m` modules of four units in
each of three stages, two units beside them, as the paper counts.

Departures: the paper gives no widths. Those of a pre-activation ResNet-164,
taken here, come to 1.84 million parameters with `m = 2` and to 5.08 million
with `m = 6`, where the paper has 1.9 and 5.1. It says that each stage has two
more units, not where: ours are in front of the modules and behind them. Pixels
come in as 0 to 255 and are brought to [-1, 1] inside the network. More in
`ResidualAttentionModule`.

Reference:
    Wang, Jiang, Qian, Yang, Li, Zhang, Wang, Tang. Residual Attention Network
    for Image Classification. CVPR 2017. https://arxiv.org/abs/1704.06904
"""

import keras

from keras_attention.arguments import check_sizes
from keras_attention.feature_map.residual_attention_module import (
    MASKS,
    MODES,
    ResidualAttentionModule,
)
from zoo.image_networks import every_other

PRESETS = {
    "tiny": {
        "filters": (4, 8),
        "modules": 1,
        "blocks": 1,
        "outer_units": 0,
        "trunk_units": 1,
        "ratio": 2,
    },
    "attention_20": {
        "filters": (32, 64, 128),
        "modules": 1,
        "blocks": 1,
        "outer_units": 0,
        "trunk_units": 1,
    },
    "attention_56": {"filters": (64, 128, 256), "modules": 1},
    "attention_92": {"filters": (64, 128, 256), "modules": 2},
}


def residual_attention_network(
    input_shape,
    num_classes,
    filters=(64, 128, 256),
    modules=1,
    blocks=2,
    outer_units=1,
    trunk_units=2,
    mask_units=1,
    ratio=4,
    mask="mixed",
    mode="residual",
    name="residual_attention_network",
):
    """Builds the classifier; logits out.

    Of the `PRESETS`, `"attention_56"` and `"attention_92"` are the paper's
    networks, with one and with two modules in each stage. `"attention_20"` is
    ours, for small data and for comparisons: as many layers deep as the paper's
    formula gives for no module at all, half as wide, with one unit and one
    module in each stage, whose trunk is one unit: the stem, 3 x (3 + 3)
    convolutions and the classifier.

    Args:
        input_shape: `(H, W, C)`, any number of channels; `H` and `W` may be
            `None`. The weights fit any height and width.
        num_classes: Integer of at least 2.
        filters: Integers, the channels of each stage.
        modules: Attention modules in each stage: an integer of at least 0, or
            one a stage.
        blocks: Positive integer, residual units in each stage beside those of
            the modules: one in front of these, the rest behind them.
        outer_units: Integer of at least 0. Units of a module before its
            branches, and as many behind them.
        trunk_units: Positive integer. Units of a module's trunk.
        mask_units: Positive integer. Units of the mask branch between two
            changes of size.
        ratio: Positive integer. How many times narrower than their output the
            units are inside. The stem is as narrow as the first of them.
        mask: `"mixed"`, `"channel"` or `"spatial"`, as in
            `keras_attention.ResidualAttentionModule`.
        mode: `"residual"`, attention residual learning; `"naive"`, the mask
            alone weighs the trunk; or `None`, the same network without masks,
            the baseline. That has fewer parameters: 52 % of those of
            `"attention_92"`.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, num_classes)`.

    Raises:
        ValueError: If a number is too small, `modules` does not fit `filters`,
            `ratio` is larger than one of these, `mask` or `mode` is unknown,
            or there are fewer than two classes.

    Example:

    >>> tiny = PRESETS["tiny"]
    >>> model = residual_attention_network((16, 24, 3), 10, **tiny)
    >>> model.output_shape
    (None, 10)
    """
    counts = [modules] * len(filters) if isinstance(modules, int) else modules
    _check(num_classes, filters, counts, ratio, mask, mode)
    check_sizes(
        "how many units there are",
        blocks=blocks,
        trunk_units=trunk_units,
        mask_units=mask_units,
    )
    if outer_units < 0:
        raise ValueError(
            "`outer_units` must be at least 0, how many units stand before "
            "the branches of a module and behind them. "
            f"Received: outer_units={outer_units}"
        )

    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    x = _conv(x, filters[0] // ratio, 3, "stem")
    for stage, (width, count) in enumerate(
        zip(filters, counts, strict=True), start=1
    ):
        part = f"stage_{stage}"
        strides = 2 if stage > 1 else 1
        x = _unit(x, width, ratio, f"{part}_unit_1", strides)
        for index in range(1, count + 1):
            if mode is None:
                for unit in range(1, 2 * outer_units + trunk_units + 1):
                    x = _unit(x, width, ratio, f"{part}_trunk_{index}_{unit}")
                continue
            x = ResidualAttentionModule(
                len(filters) + 1 - stage,
                outer_units=outer_units,
                trunk_units=trunk_units,
                mask_units=mask_units,
                mask=mask,
                mode=mode,
                ratio=ratio,
                data_format="channels_last",
                name=f"{part}_attention_{index}",
            )(x)
        for index in range(2, blocks + 1):
            x = _unit(x, width, ratio, f"{part}_unit_{index}")

    x = _ready(x, "last")
    x = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", name="pool"
    )(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


def _unit(x, width, ratio, name, strides=1):
    """A pre-activation residual unit: convolutions of 1x1, 3x3 and 1x1.

    Where it changes the shape, its shortcut is a 1x1 convolution, which reads
    what the first one does.
    """
    branch, shortcut = _ready(x, f"{name}_1"), x
    if strides > 1 or x.shape[-1] != width:
        shortcut = branch
        if strides > 1:
            pool = f"{name}_shortcut_pool"
            shortcut = every_other(shortcut, strides, pool)
        shortcut = _conv(shortcut, width, 1, f"{name}_shortcut")
    narrow = width // ratio
    branch = _conv(branch, narrow, 1, f"{name}_1")
    branch = _ready(branch, f"{name}_2")
    branch = _conv(branch, narrow, 3, f"{name}_2", strides)
    branch = _ready(branch, f"{name}_3")
    branch = _conv(branch, width, 1, f"{name}_3")
    return keras.layers.Add(name=f"{name}_add")([shortcut, branch])


def _ready(x, name):
    """Normalised, and passed by a ReLU."""
    x = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, name=f"{name}_norm"
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def _conv(x, channels, kernel_size, name, strides=1):
    return keras.layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding="same",
        data_format="channels_last",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)


def _check(num_classes, filters, counts, ratio, mask, mode):
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    if not counts or len(counts) != len(filters) or min(counts) < 0:
        raise ValueError(
            "`modules` must be an integer of at least 0 or one for each of the "
            f"{len(filters)} stages of `filters`. Received: modules={counts}"
        )
    if not 1 <= ratio <= min(filters):
        raise ValueError(
            "`ratio` must be at least 1 and at most the least of `filters`, "
            "or the units would have no channels inside. Received: "
            f"ratio={ratio}, filters={filters}"
        )
    # The baseline has no module that would say so.
    if mask not in MASKS:
        raise ValueError(
            f"`mask` must be one of {', '.join(map(repr, MASKS))}. "
            f"Received: mask={mask!r}"
        )
    if mode not in (*MODES, None):
        raise ValueError(
            f"`mode` must be one of {', '.join(map(repr, MODES))}, or None, no "
            f"masks. Received: mode={mode!r}"
        )
