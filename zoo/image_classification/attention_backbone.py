"""A network of `keras.applications` with attention inside, as a classifier.

What most practitioners fine-tune: a network that was trained on ImageNet, at
its own size and with its own preprocessing, and a new linear head on the mean
of its last map. Attention is put where its papers put it, before each residual
sum (SE: Hu et al. 2018, figure 3; CBAM: Woo et al. 2018, figure 3). It starts
as the identity, so that the trained network first answers as without it.
"""

import keras

from zoo.backbones import Backbone, pixels_of


def attention_backbone(
    input_shape,
    num_classes,
    name,
    attention=None,
    attention_args=None,
    where="before_sum",
    dropout=0.2,
):
    """Builds the classifier; logits out.

    All weights are drawn at random; `zoo.backbones.load_backbone_weights`
    brings trained ones in, and `zoo train` does so of itself. They fit any size
    of images.

    Args:
        input_shape: `(H, W, 3)`; `zoo.backbones.own_size` tells the size that
            the network was trained with. Most take 32 pixels at least.
        num_classes: Integer of at least 2.
        name: String, a name in `keras.applications`, such as
            `"EfficientNetV2B0"` (`zoo.backbones.names`); unlike that of other
            networks it is no name of the model's.
        attention: `"se"`, `"cbam"`, `"bam"`, or `None`, the network alone.
        attention_args: Dict of arguments of the attention layers.
        where: String, as `keras_attention.attach_attention` takes it:
            `"before_sum"`, the end of each residual branch; or a pattern of
            layers' names, such as `"*_project_BN"`, which networks without
            residual sums need, such as VGG16.
        dropout: Float in [0, 1), the share of features that is dropped before
            the head.

    Returns:
        A `keras.Model` from images `(B, H, W, 3)`, float 0 to 255, to logits
        `(B, num_classes)`, with the layers `image`, `backbone`, `pool`,
        `dropout` and `logits`.

    Raises:
        ValueError: If there is no such network, attention or place, the images
            do not fit the network, or there are fewer than two classes.

    Example:

    >>> model = attention_backbone((32, 48, 3), 5, "MobileNetV3Small", "se")
    >>> model.output_shape
    (None, 5)
    """
    pixels_of(name, "name")
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    x = Backbone(
        name,
        input_shape,
        attention=attention,
        attention_args=attention_args,
        where=where,
        name="backbone",
    )(image)
    x = keras.layers.GlobalAveragePooling2D(
        data_format="channels_last", name="pool"
    )(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="attention_backbone")
