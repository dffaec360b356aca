"""Spatial transformer network: a classifier that first turns its image upright.

The network of Jaderberg et al. (2015, section 4.1) for small images: a spatial
transformer, then convolutions and poolings. Ours: smaller kernels, batch
normalisation, and pixels of 0 to 255 brought to [0, 1] inside the network, so
that the black of an image and what is read outside of it are the same.
"""

import inspect
import math

import keras

from keras_attention.glimpse.spatial_transformer import SpatialTransformer

PRESETS = {
    "tiny": {
        "filters": (4, 8),
        "units": 8,
        "localization_filters": (4,),
        "localization_units": 8,
    },
    "mnist": {
        "filters": (16, 32, 32),
        "units": 64,
        "localization_filters": (16, 16),
        "localization_units": 32,
    },
}
NARROWEST, WIDEST = 10, 800  # percent, of a plain network of equal size


def spatial_transformer_network(
    input_shape,
    num_classes,
    transform="affine",
    filters=(16, 32, 32),
    units=64,
    localization_filters=(16, 16),
    localization_units=32,
    output_size=None,
    steps=1,
    padding="zeros",
    start_scale=1.0,
    name="spatial_transformer_network",
):
    """Builds the classifier; logits out.

    The last feature map is flattened, as in the paper, so a feature counts
    together with its place; that needs a known height and width, and the
    weights fit no other size, but for a pixel or so that the halvings ignore.

    Args:
        input_shape: `(H, W, C)`, any number of channels; `H` and `W` known.
        num_classes: Integer of at least 2.
        transform: `"affine"`, `"attention"`, `"translation"`, `"projective"`
            or `"tps"`, as in `keras_attention.SpatialTransformer`; or `None`,
            the same network without a transformer, the baseline.
        filters: Integers, the channels of each 3x3 convolution of the
            classifier, each followed by a pooling that halves the sides; none
            is a fully connected classifier.
        units: Positive integer. Width of the layer before the logits.
        localization_filters: As `filters`, of the localisation network, which
            reads the image at half its size.
        localization_units: Positive integer. Width of its last layer.
        output_size: `(height, width)` of the image that the transformer hands
            on; `None` is the input's.
        steps: Positive integer. How often the transformer looks.
        padding: What it reads outside of the image: `"zeros"`, `"border"` or
            `"reflection"`.
        start_scale: Positive float. Side of what it reads at the start over
            the image's: below 1 it begins with the middle of the image, and so
            has to learn where to look. For `"affine"` and `"attention"`.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, num_classes)`.

    Raises:
        ValueError: If there are fewer than two classes, `H` or `W` is unknown,
            an image is halved until nothing is left of it, or `start_scale` is
            none of the above.

    Example:

    >>> model = spatial_transformer_network((28, 28, 1), 10, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 10)
    """
    size = tuple(input_shape[:2])
    _check(num_classes, size)
    seen = size if transform is None or output_size is None else output_size
    _check_halved("filters", filters, seen)

    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    x = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
    if transform is not None:
        half = tuple(side // 2 for side in size)
        _check_halved("localization_filters", localization_filters, half)
        transformer = SpatialTransformer(
            _localization(localization_filters, localization_units),
            transform,
            output_size=output_size,
            steps=steps,
            padding=padding,
            name="transformer",
        )
        x = transformer(x)
        _begin_at(transformer, start_scale)
    for stage, channels in enumerate(filters, start=1):
        for layer in _stage(channels, f"stage_{stage}"):
            x = layer(x)
    x = keras.layers.Flatten(data_format="channels_last", name="flatten")(x)
    x = keras.layers.Dense(units, activation="relu", name="features")(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


def equal_baseline(input_shape, num_classes, **arguments):
    """Arguments of the plain network that has as many parameters.

    Its filters and units are those given times one factor, wider or, where the
    transformer hands on a smaller image, narrower: the one whose count of
    trainable parameters comes nearest.

    Args:
        input_shape: As of `spatial_transformer_network`.
        num_classes: The same.
        **arguments: The other arguments of the network with a transformer.

    Returns:
        Dict of arguments: `transform`, which is `None`, `filters` and `units`.
    """
    given = inspect.signature(spatial_transformer_network).bind(
        input_shape, num_classes, **arguments
    )
    given.apply_defaults()
    widths = [*given.arguments["filters"], given.arguments["units"]]
    model = spatial_transformer_network(input_shape, num_classes, **arguments)
    wanted = sum(math.prod(v.shape) for v in model.trainable_variables)
    nearest = min(
        _multiples(widths),
        key=lambda wider: abs(_count(input_shape, num_classes, wider) - wanted),
    )
    return {"transform": None, "filters": nearest[:-1], "units": nearest[-1]}


def _multiples(widths):
    """Widths times a factor, the last a little more or less than that."""
    for percent in range(NARROWEST, WIDEST):
        *filters, units = [
            max(1, round(width * percent / 100)) for width in widths
        ]
        for more in (0, 1, -1, 2, -2, 3, -3):
            yield [*filters, max(1, units + more)]


def _count(input_shape, num_classes, widths):
    """Trainable parameters of the plain network."""
    height, width, before = input_shape
    *filters, units = widths
    count = 0
    for channels in filters:
        count += 9 * before * channels + 2 * channels
        height, width, before = height // 2, width // 2, channels
    count += (height * width * before + 1) * units
    return count + (units + 1) * num_classes


def _localization(filters, units):
    # At half the size, which shows as well where and how the image lies.
    pinned = {"data_format": "channels_last"}
    layers = [keras.layers.AveragePooling2D(2, name="half", **pinned)]
    for number, channels in enumerate(filters, start=1):
        layers += _stage(channels, f"stage_{number}")
    return keras.Sequential(
        [
            *layers,
            keras.layers.Flatten(name="flatten", **pinned),
            keras.layers.Dense(units, activation="relu", name="features"),
        ],
        name="localization",
    )


def _begin_at(transformer, scale):
    """Sets the scale of the transform that the transformer starts with."""
    if scale == 1:
        return
    scales = {"affine": (0, 4), "attention": (0,)}
    if scale <= 0 or transformer.transform not in scales:
        raise ValueError(
            "`start_scale` must be positive, and 1 unless the transform is "
            f"among {tuple(scales)}, which have a scale. Received: "
            f"start_scale={scale!r}, transform={transformer.transform!r}"
        )
    bias = keras.ops.convert_to_numpy(transformer.bias).copy()
    bias[list(scales[transformer.transform])] = scale
    transformer.bias.assign(bias)


def _stage(channels, name):
    """A convolution and what follows it, down to half the sides."""
    pinned = {"data_format": "channels_last"}
    return [
        keras.layers.Conv2D(
            channels,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
            **pinned,
        ),
        keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, name=f"{name}_norm"
        ),
        keras.layers.Activation("relu", name=f"{name}_relu"),
        keras.layers.MaxPooling2D(2, name=f"{name}_pool", **pinned),
    ]


def _check(num_classes, size):
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    if None in size:
        raise ValueError(
            "`input_shape` must have a known height and width: feature maps "
            f"are flattened. Received: input_shape of {size}"
        )


def _check_halved(name, filters, size):
    if min(size) < 2 ** len(filters):
        raise ValueError(
            f"Each of `{name}` halves the image, of which something must be "
            f"left. Received: {name}={tuple(filters)} for an image of {size}"
        )
