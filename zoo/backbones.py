"""Networks of `keras.applications` as the lower part of a network of ours.

A `Backbone` is such a network without its head, behind the preprocessing that
it was trained with: pixels in, a feature map out, or one of each of several
strides. It is always built with weights drawn at random, so a card never makes
the program read a file or ask the network for one. `load_backbone_weights`
brings trained weights in, once; from then on they are saved with the model, as
all others.

Inside it there may be attention, which starts as the identity: with trained
weights the network first answers as it did without.
"""

import contextlib
import difflib
import re

import keras
import numpy as np
from keras import ops

from keras_attention import BAM, CBAM, SEBlock, attach_attention
from zoo import weights as numbers

# Layers that can start as the identity, by the names that a card has of them.
GATES = {"bam": BAM, "cbam": CBAM, "se": SEBlock}

# How the pixels that a network is trained with are made of 0 to 255, by the
# beginning of its name: "inside", by the network itself; "stored", likewise,
# by numbers that its file of weights holds.
PIXELS = {
    r"ConvNeXt\w+": "inside",
    r"DenseNet\d+": "torch",
    r"EfficientNetB\d": "stored",
    r"EfficientNetV2\w+": "inside",
    r"Inception(ResNetV2|V3)": "tf",
    r"MobileNet(V2)?": "tf",
    r"MobileNetV3\w+": "inside",
    r"NASNet\w+": "tf",
    r"ResNet\d+": "caffe",
    r"ResNet\d+V2": "tf",
    r"VGG\d+": "caffe",
    r"Xception": "tf",
}
# Of ImageNet's pixels, over 255.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red, of 255

# The side of the pictures that Keras's own weights were trained with, by
# its name; of all others it is the usual one.
USUAL_SIDE = 224
SIDES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}

MOMENTUM = 0.9  # batch statistics settle within a short training


def names():
    """The networks of this Keras that a `Backbone` can be.

    Returns:
        List of strings.

    Example:

    >>> names()[:2]
    ['ConvNeXtBase', 'ConvNeXtLarge']
    """
    return [name for name in dir(keras.applications) if _pixels(name)]


def own_size(name):
    """The size of the pictures that a network was trained with.

    Args:
        name: String, one of `names`.

    Returns:
        `(height, width)`.

    Raises:
        ValueError: If there is no such network.

    Example:

    >>> own_size("EfficientNetV2B0")
    (224, 224)
    """
    pixels_of(name, "name")
    side = SIDES.get(name, USUAL_SIDE)
    return side, side


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class Backbone(keras.layers.Layer):
    """A network of `keras.applications`, from pixels to a feature map.

    Frozen (`trainable = False`) it computes as at inference, in training too:
    batch normalization keeps its statistics, and nothing is dropped.

    Departures: batch statistics have a momentum of 0.9, where Keras has up to
    0.999, with which they would not settle within a short training.

    Args:
        application: String, a name in `keras.applications` (`names`).
        image_shape: `(H, W, 3)`. Sides need not be multiples of anything, but
            most networks ask for 32 pixels at least, some for 75.
        stride: Positive integer, pixels of the image for a pixel of the map,
            such as 16: the map is the last layer of the network before the
            next step down, through which all paths lead. `None` is the end of
            the network, as a rule 32. What comes after it is not built in.
            Several, such as `(4, 8, 16, 32)`, give a list of maps.
        attention: String, a name in `GATES`: a gate of that kind is put into
            the network at each place that `where` chooses, and starts as the
            identity. `None` puts none in.
        attention_args: Dict of arguments of the gates, or `None`.
        where: String, as `keras_attention.attach_attention` takes it:
            `"before_sum"`, the end of each residual branch; or a pattern of
            layers' names, such as `"*_project_BN"`.
        **kwargs: Keras's own.

    Call arguments:
        inputs: `(B, H, W, 3)`, float 0 to 255, red first.
        training: Boolean.

    Returns:
        `(B, h, w, C)`; for several strides, a list of these, the finest first.

    Raises:
        ValueError: If there is no such network, or none of that stride,
            several strides do not grow, the image is too small or not of
            three channels, or there is no such gate or place.

    Example:

    >>> Backbone("MobileNetV3Small", (64, 96, 3), 16).output_map
    (4, 6, 288)
    """

    def __init__(
        self,
        application,
        image_shape,
        stride=None,
        attention=None,
        attention_args=None,
        where="before_sum",
        **kwargs,
    ):
        pixels = _checked(application, image_shape)
        _check_attention(attention, attention_args, where)
        # Cast by the network: colours are told apart in float32.
        super().__init__(autocast=False, **kwargs)
        self.application = application
        self.image_shape = tuple(image_shape)
        several = isinstance(stride, list | tuple)
        self.stride = tuple(stride) if several else stride
        self.attention = attention
        self.attention_args = dict(attention_args or {})
        self.where = where
        self.pixels = pixels
        with numbers.dtype_policy(self.dtype_policy.name):
            if attention is None:
                self.network = self._cut(new=True)
            else:
                with numbers.apart():
                    network = self._cut(new=True)
                self.network = self._attached(network)
        for layer in self.network._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = MOMENTUM

    @property
    def output_map(self):
        """`(h, w, C)`, the feature map of an image; of several, a list."""
        shape = self.network.output_shape
        if isinstance(self.stride, tuple):
            return [each[1:] for each in shape]
        return shape[1:]

    @property
    def own_layers(self):
        """The layers of the network itself: none of a gate, none of layers."""
        gates = {
            id(layer)
            for gate in self._gates(self.network)
            for layer in gate._flatten_layers()
        }
        return [
            layer
            for layer in self.network._flatten_layers()
            if id(layer) not in gates
            and not layer._flatten_layers(include_self=False)
        ]

    def build(self, inputs_shape):
        if self.pixels != "stored":
            return
        for name, start in (("pixel_scale", 1 / 255), ("pixel_offset", 0.0)):
            variable = self.add_weight(
                name=name,
                shape=(3,),
                initializer=keras.initializers.Constant(start),
                dtype="float32",
                autocast=False,
                trainable=False,
            )
            setattr(self, name, variable)

    def compute_output_shape(self, inputs_shape):
        if isinstance(self.stride, tuple):
            return [(inputs_shape[0], *each) for each in self.output_map]
        return (inputs_shape[0], *self.output_map)

    def call(self, inputs, training=None):
        x = self.preprocess(inputs)
        return self.network(x, training=training and self.trainable)

    def preprocess(self, inputs):
        """The pixels that the network was trained with, float32.

        Args:
            inputs: `(B, H, W, 3)`, 0 to 255.

        Returns:
            The same shape.
        """
        x = ops.cast(inputs, "float32")
        if self.pixels == "tf":
            return x / 127.5 - 1.0
        if self.pixels == "torch":
            return (x / 255.0 - _tensor(MEAN)) / _tensor(DEVIATION)
        if self.pixels == "caffe":
            return ops.flip(x, axis=-1) - _tensor(CAFFE_MEAN)
        if self.pixels == "stored":
            return x * self.pixel_scale + self.pixel_offset
        return x

    def load(self, weights):
        """Brings trained weights in; gates keep theirs.

        Args:
            weights: As `load_backbone_weights`.

        Raises:
            ValueError: As `load_backbone_weights`.
            ConnectionError: As `load_backbone_weights`.
        """
        with numbers.dtype_policy("float32"):
            trained = application(self.application, self.image_shape)
            if weights == "imagenet":
                trained.set_weights(_downloaded(self.application))
            else:
                numbers.load_file(trained, weights)
            if self.pixels == "stored":
                self._read_pixels(trained)
            trained = self._cut(trained)
            if self.attention is not None:
                trained = self._attached(trained)
                for gate, own in zip(
                    self._gates(trained), self._gates(self.network)
                ):
                    gate.set_weights(own.get_weights())
        self.network.set_weights(trained.get_weights())

    def _attached(self, network):
        """A copy with attention inside; its weights are in the same order."""
        arguments = {"identity_start": True, **self.attention_args}
        return attach_attention(
            network, lambda: GATES[self.attention](**arguments), self.where
        )

    def _gates(self, network):
        kinds = tuple(GATES.values())
        return [x for x in network._flatten_layers() if isinstance(x, kinds)]

    def _cut(self, network=None, new=False):
        """The part of a whole network that is kept; new layers if asked."""
        part = self.stride is not None or self.pixels == "stored"
        if network is None:
            with numbers.apart() if part else contextlib.nullcontext():
                network = application(self.application, self.image_shape)
        if not part:
            return network
        begins, ends = network.input, network.output
        if self.stride is not None:
            ends = _ends(network, self.stride, self.application)
        if self.pixels == "stored":
            begins = _normalization(network).output
        network = keras.Model(begins, ends, name=network.name)
        if not new:
            return network
        # Layers know what reads them: as they are, nothing would be let go.
        image = keras.Input(self.image_shape, dtype="float32")
        return keras.models.clone_model(network, input_tensors=image)

    def _read_pixels(self, network):
        """Takes over mean and variance of a network's own normalization.

        Keras's layer copies them at its start, where `set_weights` and a
        checkpoint do not reach. And for ImageNet, whose deviations its files
        call variances, Keras divides once more, by a layer that a network with
        weights at random lacks; here it is in the same two numbers.
        """
        mean, variance, _ = map(
            np.float64, _normalization(network).get_weights()
        )
        if np.allclose(mean, MEAN, atol=1e-6) and np.allclose(
            variance, DEVIATION, atol=1e-6
        ):
            variance = variance**2
        deviation = np.sqrt(variance)
        self.pixel_scale.assign(1 / (255 * deviation))
        self.pixel_offset.assign(-mean / deviation)

    def get_config(self):
        return {
            **super().get_config(),
            "application": self.application,
            "image_shape": list(self.image_shape),
            "stride": (
                list(self.stride)
                if isinstance(self.stride, tuple)
                else self.stride
            ),
            "attention": self.attention,
            "attention_args": self.attention_args,
            "where": self.where,
        }


def application(name, input_shape, weights=None):
    """A network of `keras.applications` without its head, channels last.

    Args:
        name: String, one of `names`.
        input_shape: `(H, W, 3)`.
        weights: `None`, at random; or `"imagenet"`, Keras's own, which it
            downloads.

    Returns:
        A `keras.Model` from what the network's `preprocess_input` gives.

    Raises:
        ValueError: If there is no such network, or the image does not fit it.
    """
    _checked(name, input_shape)
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        # Pinned, whatever Keras's global `floatx` is.
        image = keras.Input(input_shape, dtype="float32")
        network = getattr(keras.applications, name)(
            include_top=False,
            weights=weights,
            input_tensor=image,
            input_shape=tuple(input_shape),
        )
        # Some have a list of one input.
        return keras.Model(image, network.outputs[0], name=network.name)
    finally:
        keras.config.set_image_data_format(before)


def _downloaded(name):
    """The weights of a network that Keras gives out, a list of arrays."""
    try:
        network = application(name, (*own_size(name), 3), "imagenet")
    except Exception as error:  # Keras raises no narrower one
        if "URL fetch failure" not in str(error):
            raise
        raise ConnectionError(
            "The weights `imagenet` are downloaded by Keras; without a "
            "network, download them elsewhere and give their file as "
            f"`weights` (in a shell --backbone-weights). Received: {error}"
        ) from error
    return network.get_weights()


def load_backbone_weights(model, weights):
    """Brings trained weights into the backbone of a network.

    Only numbers are read from a file, and its path is not kept.

    Args:
        model: `keras.Model` with one `Backbone`, however deep inside.
        weights: Path of a file of the same network of `keras.applications`,
            built with `include_top=False`: `.weights.h5`, `.keras`, or `.h5` as
            Keras gives its own out. Or `"imagenet"`: Keras's own, which it
            downloads.

    Raises:
        ValueError: If the model has no backbone, or the file does not fit it.
        ConnectionError: If they cannot be downloaded.

    Example:

    >>> from zoo import bottom_up_top_down_vqa
    >>> model = bottom_up_top_down_vqa(
    ...     (224, 224, 3), 30, 5, backbone="VGG16", backbone_stride=16
    ... )
    >>> load_backbone_weights(model, "imagenet")  # doctest: +SKIP
    """
    backbone_of(model).load(weights)


def check_weights(weights):
    """Raises ValueError unless it is `"imagenet"` or a path of a file."""
    if weights != "imagenet":
        numbers.check_file(weights)


def backbone_of(model):
    """The `Backbone` of a network.

    Args:
        model: `keras.Model`.

    Returns:
        `Backbone`.

    Raises:
        ValueError: If there is none, or more than one.
    """
    found = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, Backbone)
    ]
    if len(found) != 1:
        raise ValueError(
            'The weights of a backbone, and `recipe="gradual"`, are for a '
            "network that has one, such as `attention_backbone` or one built "
            f"with `backbone`. Received: {model.name} with {len(found)}"
        )
    return found[0]


def _tensor(numbers_of_colours):
    return ops.convert_to_tensor(numbers_of_colours, dtype="float32")


def _pixels(name):
    """How a network wants its pixels, or `None` where there is no such one."""
    if not isinstance(name, str) or not hasattr(keras.applications, name):
        return None
    for pattern, pixels in PIXELS.items():
        if re.fullmatch(pattern, name):
            return pixels
    return None


def pixels_of(name, argument="backbone"):
    """How a network wants its pixels, a value of `PIXELS`.

    Args:
        name: Anything.
        argument: String, how the error calls it.

    Returns:
        String.

    Raises:
        ValueError: If it is not one of `names`.
    """
    pixels = _pixels(name)
    if pixels is None:
        known = names()
        near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
        raise ValueError(
            f"`{argument}` must be a network of keras.applications. "
            f"Received: {argument}={name!r}; "
            f"{'near' if near else 'known'}: {near or known}"
        )
    return pixels


def _check_attention(attention, arguments, where):
    """Raises unless a card may say so: names, and never a callable."""
    if attention is not None and (
        not isinstance(attention, str) or attention not in GATES
    ):
        raise ValueError(
            "The attention inside a backbone must start as the identity: one "
            f"of {sorted(GATES)}, or None. Received: attention={attention!r}"
        )
    if arguments is not None and not isinstance(arguments, dict):
        raise ValueError(
            "`attention_args` must be a dict of arguments of the gates, or "
            f"None. Received: attention_args={arguments!r}"
        )
    if not isinstance(where, str):
        raise ValueError(
            '`where` must be "before_sum" or a pattern of names of layers. '
            f"Received: where={where!r}"
        )


def _checked(name, shape):
    """How a network wants its pixels, if it and the image are known."""
    pixels = pixels_of(name)
    if len(shape) != 3 or shape[-1] != 3 or not all(shape):
        raise ValueError(
            "A backbone sees colour pictures of a known size, (H, W, 3). "
            f"Received: input_shape={tuple(shape)}, backbone={name!r}"
        )
    return pixels


def _normalization(network):
    return next(
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Normalization)
    )


def _ends(network, stride, name):
    """The map of a stride; for a tuple of strides, a list of maps."""
    if not isinstance(stride, tuple):
        return _end(network, stride, name)
    found = _ends_by_stride(network)
    known = [*found]
    if (
        not stride
        or any(each not in known for each in stride)
        or list(stride) != sorted({*stride})
    ):
        raise ValueError(
            f"Several strides must grow, and be of {known}, where {name} has "
            "one layer through which all paths lead. "
            f"Received: stride={stride!r}, backbone={name!r}"
        )
    return [found[each] for each in stride]


def _end(network, stride, name):
    """The map of a stride, as `_ends_by_stride` finds it."""
    found = _ends_by_stride(network)
    if isinstance(stride, bool) or stride not in found:
        raise ValueError(
            f"`backbone_stride` must be one of {[*found]}, where {name} has "
            "one layer through which all paths lead, or None. "
            f"Received: backbone_stride={stride!r}"
        )
    return found[stride]


def _ends_by_stride(network):
    """The last tensor of each stride through which all that follows leads.

    Beside it the tensors of branches, such as that of a residual or of a gate,
    are not all that is known of the image.

    Returns:
        Dict from stride to tensor.
    """
    steps = network.operations  # each after those that it reads
    nodes = [step._inbound_nodes[-1] for step in steps]
    place = {id(node.output_tensors[0]): at for at, node in enumerate(nodes)}
    strides, last_read = [], [0] * len(nodes)
    for at, (step, node) in enumerate(zip(steps, nodes)):
        read = [place[id(tensor)] for tensor in node.input_tensors]
        for each in read:
            last_read[each] = at
        strides.append(
            _stride(step) * max((strides[each] for each in read), default=1)
        )
    found, reach = {}, 0
    for at, (step, node) in enumerate(zip(steps, nodes)):
        # Padding is made for the layer after it.
        padding = isinstance(step, keras.layers.ZeroPadding2D)
        if reach <= at and strides[at] > 1 and not padding:
            found[strides[at]] = node.output_tensors[0]
        reach = max(reach, last_read[at])
    return found


def _stride(step):
    """How many times smaller a layer makes a map; 0 for what is no map."""
    if isinstance(step, keras.layers.GlobalAveragePooling2D):
        return 0
    if isinstance(step, keras.Model):  # ConvNeXt's steps down
        return int(np.prod([_stride(layer) for layer in step.layers]))
    strides = getattr(step, "strides", 1)
    return strides if isinstance(strides, int) else strides[0]
