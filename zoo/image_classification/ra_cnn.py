"""RA-CNN: a classifier that looks closer, scale by scale, where it matters.

The recurrent attention network of Fu et al. (2017). Each scale has a small CNN
of its own, which answers and proposes a box; the next scale sees what is in the
box, enlarged. A proposal is not told where to look: a rank loss asks that the
finer scale be surer of the true class than the coarser one (equation 9).

Ours, where the paper has something else:

- The first scale reads the image in strides; the others read crops in full.
  Every crop is cut out of the original image and not out of the crop before, so
  boxes, which are composed, are in coordinates of the original.
- All is trained at once, where the paper alternates between the classifiers and
  the proposals. To that end no gradient flows from a proposal to the map that
  it reads, nor from the rank loss to the coarser scale's probability.
- A box lies inside of the one before it, by construction.
- Pre-training is a part of the same training: in its first steps the next scale
  sees the half-size square around the strongest activation, and the proposal
  learns to say where that is.
- The map's channels are reduced to eight before the proposal's layers. The
  networks are small: a few convolutions in place of VGG-19, without weights
  from ImageNet. Instead of the edge filters that those begin with, the mean of
  each pixel's surroundings can be subtracted.
- Descriptors are the maxima over the map, and the scales are trained together
  with the classifier that joins them. Pixels come in as 0 to 255 and are
  brought to [-1, 1] inside.
"""

import math
import numbers

import keras
from keras import ops

from keras_attention.arguments import check_positive, check_sizes
from keras_attention.functional.sampling import normalised_places
from keras_attention.glimpse.attention_crop import GRADIENTS, AttentionCrop
from zoo.own_loss import NetworkWithOwnLoss

PRESETS = {
    "tiny": {"filters": (4, 8), "proposal_units": 8},
    "glyphs": {
        "filters": (16, 32, 32),
        "shrink": 3,
        "surroundings": 3,
        "proposal_units": 32,
    },
}
REDUCED = 8  # channels of what a proposal reads


def ra_cnn(
    input_shape,
    num_classes,
    num_scales=3,
    filters=(16, 32, 64),
    shrink=2,
    surroundings=None,
    proposal_units=64,
    smallest=1 / 3,
    sharpness=30.0,
    gradient="bilinear",
    margin=0.05,
    pretraining_steps=1000,
    name="ra_cnn",
):
    """Builds the classifier; logits out.

    The first scale sees the whole image, the others what is in a box of it,
    enlarged. In training, the loss is the cross-entropy of the answer, plus
    `ra_cnn_loss`.

    Args:
        input_shape: `(H, W, C)`, any number of channels; `H` and `W` known. A
            proposal reads every place of a map, so that with several scales
            the weights fit no other size, but for a few pixels that `shrink`
            and the halvings ignore; with one they fit any.
        num_classes: Integer of at least 2.
        num_scales: Positive integer. 1 is the plain network, the baseline.
        filters: Integers, the channels of each 3x3 convolution of a scale. Each
            but the last is followed by a pooling that halves the sides.
        shrink: Positive integer. The strides in which the first scale reads the
            image, and how many times smaller than the image a crop is.
        surroundings: Odd integer of at least 3, or `None`. Side of the square
            around each pixel whose mean is subtracted from it: for classes that
            fine relief tells apart, and not colour.
        proposal_units: Positive integer. Width of the tanh layer of a proposal.
        smallest: Float in (0, 0.5]. The least side of a box, as a share of that
            of the box before it.
        sharpness: Positive float. How steep the edges of a box are, as in
            `keras_attention.AttentionCrop`.
        gradient: `"bilinear"` or `"boxcar"`, what carries the gradient to the
            box, as in `keras_attention.AttentionCrop`.
        margin: Float of at least 0. By how much the finer scale's probability
            of the true class should be higher.
        pretraining_steps: Integer of at least 0. The training steps in which
            proposals learn from the strongest activation.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, num_classes)`: of all scales together, the layer `logits`; those
        of each scale are its output `scales`.

    Raises:
        ValueError: If a size is no positive integer, an argument is out of its
            range, or a scale is halved until nothing is left of it.

    Example:

    >>> model = ra_cnn((32, 32, 3), 10, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 10)
    """
    size = _checked_size(input_shape, num_classes, num_scales, filters, shrink)
    check_sizes("the width of a proposal", proposal_units=proposal_units)
    check_positive("sharpness", sharpness, "how steep the edges of a box are")
    _check_choices(smallest, gradient, margin, pretraining_steps)
    if surroundings is not None:
        _check_surroundings(surroundings)

    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    if surroundings is not None:
        mean = keras.layers.AveragePooling2D(
            surroundings,
            1,
            "same",
            data_format="channels_last",
            name="surroundings",
        )(x)
        x = keras.layers.Subtract(name="contrast")([x, mean])
    seen, descriptors, errors, box = x, [], [], None
    for scale in range(1, num_scales + 1):
        strides = shrink if scale == 1 else 1
        features = _scale(seen, filters, strides, f"scale_{scale}")
        descriptors.append(
            keras.layers.GlobalMaxPooling2D(
                data_format="channels_last", name=f"scale_{scale}_descriptor"
            )(features)
        )
        if scale < num_scales:
            proposed = AttentionProposal(
                proposal_units,
                smallest,
                pretraining_steps,
                name=f"scale_{scale}_proposal",
            )(features, box)
            box = proposed["box"]
            errors.append(proposed["error"])
            seen = AttentionCrop(
                size,
                sharpness=sharpness,
                gradient=gradient,
                name=f"scale_{scale + 1}_crop",
            )(x, box)
    answered = LogitsOfScales(num_classes, dtype="float32", name="logits")(
        descriptors
    )

    def own_loss(labels, logits, more):
        return ra_cnn_loss(labels, more["scales"], more["errors"], margin)

    return NetworkWithOwnLoss(
        image,
        answered["logits"],
        {"scales": answered["scales"], "errors": errors},
        own_loss,
        name=name,
    )


def ra_cnn_loss(labels, scales, errors=(), margin=0.05):
    """The loss of the scales and of their proposals.

    Args:
        labels: Integers `(B,)`, the classes.
        scales: `(B, S, K)`, the logits of each scale.
        errors: List of tensors `(B,)`, the errors of proposals in pre-training.
        margin: Float, as in `rank_loss`.

    Returns:
        `(B,)`: the sum of the cross-entropies of all scales, the rank losses
        and the errors.
    """
    entropy = -ops.sum(_of_the_class(ops.log_softmax(scales), labels), axis=-1)
    return sum(errors, entropy + rank_loss(labels, scales, margin))


def rank_loss(labels, scales, margin=0.05):
    """Asks that a finer scale be surer of the true class than a coarser one.

        sum over s of max(0, p[s] - p[s + 1] + margin)

    with `p[s]` the probability of the true class at scale `s`. No gradient
    flows to `p[s]`, or the coarser scale would learn to be less sure.

    Args:
        labels: Integers `(B,)`, the classes.
        scales: `(B, S, K)`, the logits of each scale.
        margin: Float, by how much surer.

    Returns:
        `(B,)`.

    Reference:
        Fu, Zheng, Mei. Look Closer to See Better: Recurrent Attention
        Convolutional Neural Network for Fine-grained Image Recognition. CVPR
        2017, equation 9. https://doi.org/10.1109/CVPR.2017.476
    """
    sure = _of_the_class(ops.softmax(scales), labels)
    coarser = ops.stop_gradient(sure[:, :-1])
    return ops.sum(ops.relu(coarser - sure[:, 1:] + margin), axis=-1)


def _of_the_class(values, labels):
    """What `(B, S, K)` values have for the true class, `(B, S)`."""
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    true = ops.one_hot(labels, values.shape[-1], dtype=values.dtype)
    return ops.sum(values * true[:, None], axis=-1)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class AttentionProposal(keras.layers.Layer):
    """Attention proposal network: says from a map where to look closer.

        (a, b, c) = sigmoid(W tanh(V reduced + v) + w)
        half = smallest + (1 - smallest) c
        (x, y) = (2 (a, b) - 1) (1 - half)

    inside of the box before, the parent, in which -1 and 1 are its edges; so
    the box lies inside of its parent. `reduced` is the map, its channels
    brought to eight by a linear layer. At the start it is the middle half of
    the parent.

    In the first `pretraining_steps` training steps it gives the half-size
    square around the strongest activation instead, the mean of the channels,
    moved inside of the parent; and its own proposal learns to be that, from
    `error`.

    Args:
        units: Positive integer. Width of the tanh layer.
        smallest: Float in (0, 0.5], the least side, the parent's being 1.
        pretraining_steps: Integer of at least 0.
        **kwargs: Keras's own.

    Call arguments:
        features: `(B, h, w, C)`, h and w known. No gradient flows to it.
        parent: `(B, 3)`, `(x, y, half)`, the box that `features` are of, in
            the image; `None` is the whole image. No gradient flows to it.
        training: Boolean. Whether it is a step of training.

    Returns:
        Dict of `box`, float32 `(B, 3)`, in the image; and `error`, float32
        `(B,)`, the squared distance of the proposal from the square of
        pre-training, inside of the parent; 0 when that is over.
    """

    def __init__(self, units, smallest=1 / 3, pretraining_steps=0, **kwargs):
        super().__init__(**kwargs)
        # Half precision cannot tell one pixel from the next.
        self.autocast = False
        self.units = units
        self.smallest = smallest
        self.pretraining_steps = pretraining_steps
        self.reduce = keras.layers.Dense(
            REDUCED, dtype=self.dtype_policy, name="reduce"
        )
        self.hidden = keras.layers.Dense(
            units, activation="tanh", dtype=self.dtype_policy, name="hidden"
        )
        self.out = keras.layers.Dense(
            3,
            activation="sigmoid",
            kernel_initializer="zeros",
            bias_initializer=_middle_half(smallest),
            dtype="float32",
            name="out",
        )

    def build(self, features_shape, parent_shape=None):
        _, height, width, channels = features_shape
        self.reduce.build((None, channels))
        self.hidden.build((None, height * width * REDUCED))
        self.out.build((None, self.units))
        self.steps = self.add_weight(
            name="steps",
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
        )

    def call(self, features, parent=None, training=None):
        features = ops.stop_gradient(features)
        _, height, width, _ = features.shape
        reduced = ops.reshape(
            self.reduce(features), (-1, height * width * REDUCED)
        )
        found = self.out(self.hidden(reduced))
        half = self.smallest + (1 - self.smallest) * found[:, 2:]
        place = (2 * found[:, :2] - 1) * (1 - half)
        box = ops.concatenate([place, half], axis=-1)
        error = ops.zeros_like(box[:, 0])
        if training and self.trainable and self.pretraining_steps:
            square = ops.stop_gradient(strongest_square(features))
            learning = self.steps < self.pretraining_steps
            error = ops.where(
                learning, ops.sum(ops.square(box - square), axis=-1), error
            )
            box = ops.where(learning, square, box)
            self.steps.assign(self.steps + 1)
        return {"box": _inside(parent, box), "error": error}

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "smallest": self.smallest,
            "pretraining_steps": self.pretraining_steps,
        }


def strongest_square(features):
    """The half-size square around the strongest activation of a map.

    Args:
        features: `(B, h, w, C)`, h and w known. The mean of the channels
            counts; of equals the first, row by row.

    Returns:
        `(B, 3)`, float32: `(x, y, 0.5)`, moved so far that it lies inside.

    Convention: -1 and 1 are the edges of the map, x to the right and y down.
    """
    _, height, width, _ = features.shape
    strength = ops.mean(ops.cast(features, "float32"), axis=-1)
    _, index = ops.top_k(ops.reshape(strength, (-1, height * width)), 1)
    row, column = index // width, index % width
    place = [
        normalised_places(ops.cast(along, "float32"), length, False)
        for along, length in ((column, width), (row, height))
    ]
    place = ops.clip(ops.concatenate(place, axis=-1), -0.5, 0.5)
    return ops.concatenate([place, 0.5 + 0 * place[:, :1]], axis=-1)


def _inside(parent, box):
    """A box in coordinates of its parent as one in those of the image."""
    if parent is None:
        return box
    parent = ops.stop_gradient(ops.cast(parent, "float32"))
    half = parent[:, 2:]
    place = parent[:, :2] + half * box[:, :2]
    return ops.concatenate([place, half * box[:, 2:]], axis=-1)


def _middle_half(smallest):
    """Where the sigmoid of the bias makes the middle half of the parent."""
    share = (0.5 - smallest) / (1 - smallest)
    share = max(share, 0.01)  # at 0 the sigmoid would have no gradient
    bias = [0.0, 0.0, math.log(share / (1 - share))]
    return lambda shape, dtype=None: ops.convert_to_tensor(bias, dtype=dtype)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class LogitsOfScales(keras.layers.Layer):
    """Classifies by the descriptors of several scales, of each and of all.

        scales[s] = descriptor[s] . W[s] + b[s]
        logits = concatenated(descriptor[s] / |descriptor[s]|) . W + b

    Args:
        num_classes: Positive integer.
        **kwargs: Keras's own.

    Call arguments:
        descriptors: List of S tensors `(B, D)`.

    Returns:
        Dict of `logits`, `(B, num_classes)`, and `scales`,
        `(B, S, num_classes)`.
    """

    def __init__(self, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def build(self, descriptors_shape):
        count, width = len(descriptors_shape), descriptors_shape[0][-1]
        self.scale_kernel = self.add_weight(
            name="scale_kernel",
            shape=(count, width, self.num_classes),
            initializer="glorot_uniform",
        )
        self.scale_bias = self.add_weight(
            name="scale_bias",
            shape=(count, self.num_classes),
            initializer="zeros",
        )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(count * width, self.num_classes),
            initializer="glorot_uniform",
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.num_classes,), initializer="zeros"
        )

    def call(self, descriptors):
        scales = [
            ops.matmul(descriptor, self.scale_kernel[place])
            + self.scale_bias[place]
            for place, descriptor in enumerate(descriptors)
        ]
        normalised = [ops.normalize(each, epsilon=1e-6) for each in descriptors]
        joined = ops.concatenate(normalised, axis=-1)
        return {
            "logits": ops.matmul(joined, self.kernel) + self.bias,
            "scales": ops.stack(scales, axis=1),
        }

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


def _scale(x, filters, strides, name):
    """The convolutions of a scale; the map of the last."""
    for stage, channels in enumerate(filters, start=1):
        x = keras.layers.Conv2D(
            channels,
            3,
            strides if stage == 1 else 1,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{name}_stage_{stage}_conv",
        )(x)
        x = keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, name=f"{name}_stage_{stage}_norm"
        )(x)
        x = keras.layers.Activation("relu", name=f"{name}_stage_{stage}_relu")(
            x
        )
        if stage < len(filters):
            x = keras.layers.MaxPooling2D(
                data_format="channels_last", name=f"{name}_stage_{stage}_pool"
            )(x)
    return x


def _checked_size(input_shape, num_classes, num_scales, filters, shrink):
    """The size of what a scale sees."""
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    check_sizes("how often it looks", num_scales=num_scales)
    check_sizes("how much smaller a scale sees", shrink=shrink)
    size = input_shape[:2]
    if None in size:
        raise ValueError(
            "`input_shape` must have a known height and width: a proposal "
            "reads every place of the map. "
            f"Received: input_shape={tuple(input_shape)}"
        )
    size = tuple(side // shrink for side in size)
    if not filters or min(size) < 2 ** (len(filters) - 1):
        raise ValueError(
            "There must be `filters`, each of which but the last halves a "
            "crop, and something must be left. "
            f"Received: filters={tuple(filters)} for crops of {size}, of "
            f"input_shape={tuple(input_shape)}"
        )
    return size


def _check_surroundings(surroundings):
    check_sizes("of each pixel", surroundings=surroundings)
    if surroundings % 2 == 0 or surroundings < 3:
        raise ValueError(
            "`surroundings` must be odd, the pixel in the middle, and 3 or "
            f"more. Received: surroundings={surroundings}"
        )


def _check_choices(smallest, gradient, margin, pretraining_steps):
    if not 0 < smallest <= 0.5:
        raise ValueError(
            "`smallest` must be in (0, 0.5], the least side of a box, its "
            "parent's being 1; pre-training asks for a half. "
            f"Received: smallest={smallest}"
        )
    if gradient not in GRADIENTS:
        raise ValueError(
            f"`gradient` must be one of {GRADIENTS}, what carries it to the "
            f"box. Received: gradient={gradient!r}"
        )
    if margin < 0:
        raise ValueError(
            "`margin` must be at least 0, by how much surer the finer scale "
            f"should be. Received: margin={margin}"
        )
    if (
        not isinstance(pretraining_steps, numbers.Integral)
        or isinstance(pretraining_steps, bool)
        or pretraining_steps < 0
    ):
        raise ValueError(
            "`pretraining_steps` must be an integer of at least 0. "
            f"Received: pretraining_steps={pretraining_steps!r}"
        )
