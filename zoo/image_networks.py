"""Building blocks of the networks for images: convolutions, residual blocks.

All are functional, `channels_last`, and name every layer that they make.
"""

import keras


def conv(
    x,
    channels,
    name,
    kernel_size=3,
    strides=1,
    activation="relu",
    dilation_rate=1,
):
    """A convolution, batch normalisation and, unless `None`, an activation.

    The layers are called `{name}_conv`, `{name}_norm` and
    `{name}_{activation}`. The convolution has no bias.
    """
    x = keras.layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding="same",
        dilation_rate=dilation_rate,
        data_format="channels_last",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, name=f"{name}_norm"
    )(x)
    if activation is None:
        return x
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(x)


_plain_conv = conv  # for functions with an argument called `conv`


def residual_block(x, width, strides, name, conv=conv, gate=None):
    """The basic block of a ResNet: two 3x3 convolutions, `width` channels.

    `conv(x, channels, name, strides=...)` makes the first convolution, and
    `gate(branch, name)` weighs the branch before the sum.
    """
    branch = conv(x, width, f"{name}_1", strides=strides)
    branch = _plain_conv(branch, width, f"{name}_2", activation=None)
    return merge(x, branch, strides, name, gate)


def bottleneck_block(x, width, strides, name, conv=conv, gate=None):
    """The bottleneck block of a ResNet: 1x1, 3x3 and 1x1 convolutions.

    The last has `4 * width` channels. `conv` makes the 3x3 convolution, and
    `gate` is as in `residual_block`.
    """
    branch = _plain_conv(x, width, f"{name}_1", kernel_size=1)
    branch = conv(branch, width, f"{name}_2", strides=strides)
    branch = _plain_conv(branch, 4 * width, f"{name}_3", 1, activation=None)
    return merge(x, branch, strides, name, gate)


def merge(x, branch, strides, name, gate=None):
    """The sum of a branch and its shortcut, and a ReLU.

    The shortcut is the input `x`, or a 1x1 convolution of it, normalised, where
    the branch has `strides` or another number of channels.
    """
    if gate is not None:
        branch = gate(branch, f"{name}_attention")
    if strides > 1:
        x = every_other(x, strides, f"{name}_shortcut_pool")
    if strides > 1 or x.shape[-1] != branch.shape[-1]:
        x = _plain_conv(
            x, branch.shape[-1], f"{name}_shortcut", 1, activation=None
        )
    x = keras.layers.Add(name=f"{name}_add")([x, branch])
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def every_other(x, strides, name):
    """Takes the places that a 1x1 convolution of these `strides` would read.

    To be followed by one of stride 1: the gradient of a 1x1 convolution with
    strides corrupts memory in TensorFlow 2.21 on CPU (oneDNN, batch of 5).
    """
    return keras.layers.AveragePooling2D(
        1, strides, data_format="channels_last", name=name
    )(x)
