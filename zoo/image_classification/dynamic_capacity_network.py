"""Dynamic Capacity Network: a fine network only where it matters.

The network of Almahairi et al. (2016). A cheap coarse network reads the whole
image, and a network on top of it classifies. The places of the coarse map to
which the entropy of that answer is most sensitive are the salient ones; there,
and only there, an expensive fine network reads the image again, its vectors
replace the coarse ones, and the same top network answers.

    c = coarse(image)                             (B, h, w, D)
    saliency[i, j] = ||d entropy(softmax(top(c))) / d c[i, j]||
    f[i, j] = fine(the patch around i, j)         for the k most salient
    r[i, j] = f[i, j] if selected else c[i, j]
    logits = top(r)

In training the hint, the squared distance of `c[i, j]` from `f[i, j]` over the
selected places, pulls the coarse vectors towards the fine ones, which the top
network then reads as one kind.

Departures: no convolution pads, so that a fine vector is the same whether the
fine network reads the patch alone or the whole image: with every place
selected, the network is the fine one. Convolutions with strides stand in place
of pooling. Beyond the image's edge is black. Pixels come in as 0 to 255 and are
brought to [-1, 1] inside the network.

Reference: Almahairi et al., "Dynamic Capacity Networks", ICML 2016, sections 3
and 4.1, https://arxiv.org/abs/1511.07838.
"""

import functools

import keras
import numpy as np
from keras import ops

from keras_attention.functional.known import as_floats
from keras_attention.functional.sampling import attention_matrix, hard_crop
from keras_attention.glimpse.entropy_saliency import EntropySaliency
from keras_attention.shapes import shapes_by_tracing
from zoo.own_loss import NetworkWithOwnLoss

CAPACITIES = ("dynamic", "coarse", "fine")
KEYS = ("filters", "kernel_sizes", "strides")

# The networks of the paper's section 4.1, but for the departures above.
COARSE = {"filters": [12, 24], "kernel_sizes": [7, 3], "strides": [2, 2]}
FINE = {
    "filters": [24, 24, 24, 24],
    "kernel_sizes": [3, 3, 3, 3],
    "strides": [1, 2, 1, 2],
}
TOP = {"filters": [96], "kernel_sizes": [4], "strides": [2]}

PRESETS = {
    "tiny": {
        "num_patches": 2,
        "coarse": {
            "filters": [4, 8],
            "kernel_sizes": [3, 3],
            "strides": [2, 1],
        },
        "fine": {"filters": [8, 8], "kernel_sizes": [3, 5], "strides": [1, 2]},
        "top": {"filters": [8], "kernel_sizes": [2], "strides": [1]},
    },
    "cluttered_mnist": {
        "num_patches": 8,
        "coarse": COARSE,
        "fine": FINE,
        "top": TOP,
    },
}


def dynamic_capacity_network(
    input_shape,
    num_classes,
    capacity="dynamic",
    num_patches=8,
    hint_weight=0.01,
    coarse=COARSE,
    fine=FINE,
    top=TOP,
    name="dynamic_capacity_network",
):
    """Builds the classifier; logits out.

    Each convolution is followed by batch normalisation and ReLU, and none pads.
    The patch of a coarse place is as large as what one fine vector reads, and
    has the same centre as what the coarse vector reads (half a pixel to the
    upper left, where one size is even and the other odd). Beyond the image's
    edge it is black.

    Batch normalisation of the fine network sees the selected patches only, in
    training and, by its moving averages, afterwards. To find the saliency the
    top network always uses its moving averages.

    Args:
        input_shape: `(H, W, C)`, `H` and `W` known. The weights fit any that
            are large enough; patches, which are counted in pixels, cover less
            of a larger image.
        num_classes: Integer of at least 2.
        capacity: `"dynamic"`; or what it is compared with: `"coarse"`, the
            coarse network under the top network, or `"fine"`, the fine network
            over the whole image in its place. Layers that two forms share have
            the same names and weights of the same shapes.
        num_patches: Positive integer, at most the places of the coarse map:
            how many patches the fine network reads.
        hint_weight: Float of at least 0. Weight of the hint in the loss. Its
            gradient reaches the coarse network only.
        coarse: Dict of three lists of integers, `"filters"`, `"kernel_sizes"`
            and `"strides"`, an entry for each convolution of the coarse
            network, bottom first.
        fine: The same of the fine network. It must end in as many filters as
            the coarse one, and take the same stride in all.
        top: The same of the top network. Global max pooling and `logits`
            follow.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, num_classes)`; a `zoo.own_loss.NetworkWithOwnLoss` where there is a
        hint.

    Raises:
        ValueError: If the image's size is unknown or too small, there are more
            patches than places, the two networks do not fit each other, or an
            argument is out of range.

    Example:

    >>> model = dynamic_capacity_network((16, 16, 1), 10, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 10)
    """
    coarse, fine, top = _stacks(coarse=coarse, fine=fine, top=top)
    sizes = _sizes(input_shape, coarse, fine, top)
    _check(num_classes, capacity, num_patches, hint_weight, sizes)
    high, wide = sizes["map"]

    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    head = _layers("top", top, rescale=False)
    head.append(
        keras.layers.GlobalMaxPooling2D(
            data_format="channels_last", name="top_pool"
        )
    )
    head.append(keras.layers.Dense(num_classes, dtype="float32", name="logits"))
    # Before the saliency asks them, so that they are not named after it.
    shape = (None, high, wide, coarse[-1][0])
    for layer in head:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)

    if capacity == "fine":
        x = _in_turn(_layers("fine", fine), _framed(image, sizes))
        return keras.Model(image, _in_turn(head, x), name=name)

    x = _in_turn(_layers("coarse", coarse), image)
    if capacity == "coarse":
        return keras.Model(image, _in_turn(head, x), name=name)

    # By the weights, which do not vanish where the answer is very sure, and in
    # full precision, so that no two places are alike by rounding.
    _, saliency = EntropySaliency(
        head,
        own_top=False,
        dtype="float32",
        name="entropy_saliency",
    )(x, return_attention_scores=True)
    patches, positions = SalientPatches(
        num_patches,
        sizes["patch"],
        sizes["stride"],
        sizes["offset"],
        name="salient_patches",
    )(image, saliency)
    vectors = _in_turn(_layers("fine", fine), patches)
    refined = RefinedMap(name="refined_map")(x, vectors, positions)
    logits = _in_turn(head, refined)
    if not hint_weight:
        return keras.Model(image, logits, name=name)
    return NetworkWithOwnLoss(
        image,
        logits,
        {"coarse": x, "fine": vectors, "positions": positions},
        functools.partial(_weighted_hint, hint_weight),
        name=name,
    )


def hint_loss(coarse_map, fine, positions):
    """How far the coarse vectors are from the fine ones, where selected.

        sum over the selected of ||c[i, j] - f[i, j]||^2

    The fine vectors are constants: their network learns nothing by it.

    Args:
        coarse_map: `(B, h, w, D)`.
        fine: `(B * k, 1, 1, D)`, a vector for each patch.
        positions: int32 `(B, k)`, places of the patches in the map, row by row.

    Returns:
        `(B,)`, float32.
    """
    depth, count = coarse_map.shape[-1], positions.shape[1]
    places = coarse_map.shape[1] * coarse_map.shape[2]
    coarse = ops.take_along_axis(
        ops.cast(ops.reshape(coarse_map, (-1, places, depth)), "float32"),
        positions[..., None],
        axis=1,
    )
    fine = ops.cast(ops.reshape(fine, (-1, count, depth)), "float32")
    return ops.sum((coarse - ops.stop_gradient(fine)) ** 2, axis=(1, 2))


def multiply_adds(
    input_shape,
    num_classes,
    capacity="dynamic",
    num_patches=8,
    hint_weight=0.01,
    coarse=COARSE,
    fine=FINE,
    top=TOP,
):
    """Counts the multiply-adds of one image's way through the network.

    Counted is every product of a weight with what it weighs, in convolutions
    and in the last layer; for the saliency, the top network once forwards, and
    once backwards as far as the coarse map, which takes as many. The patches'
    overlap is read twice and counted twice. Normalisations, activations,
    pooling and the selection are not counted: they grow with the number of
    features only, and not with their products.

    Args:
        input_shape: As of `dynamic_capacity_network`.
        num_classes: Likewise.
        capacity: Likewise.
        num_patches: Likewise.
        hint_weight: Likewise; it changes nothing, being part of training only.
        coarse: Likewise.
        fine: Likewise.
        top: Likewise.

    Returns:
        Dict of integers: `"coarse"`, `"saliency"`, `"fine"`, `"top"`, those
        that the form has, and their sum, `"total"`.

    Raises:
        ValueError: As `dynamic_capacity_network`.
    """
    coarse, fine, top = _stacks(coarse=coarse, fine=fine, top=top)
    sizes = _sizes(input_shape, coarse, fine, top)
    _check(num_classes, capacity, num_patches, hint_weight, sizes)
    channels, patch = input_shape[2], sizes["patch"]
    above = _products(top, sizes["map"], coarse[-1][0]) + (
        top[-1][0] * num_classes
    )
    counts = {}
    if capacity != "fine":
        counts["coarse"] = _products(coarse, input_shape[:2], channels)
    if capacity == "dynamic":
        counts["saliency"] = 2 * above
        counts["fine"] = num_patches * _products(fine, (patch, patch), channels)
    if capacity == "fine":
        counts["fine"] = _products(fine, sizes["frame"], channels)
    counts["top"] = above
    return {**counts, "total": sum(counts.values())}


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class SalientPatches(keras.layers.Layer):
    """Cuts the most salient patches out of an image.

    Args:
        num_patches: Positive integer, `k`.
        patch_size: Positive integer. Side of a patch, in pixels.
        stride: Positive integer. Pixels from one place of the map to the next.
        offset: Integer. The pixel at which the patch of the first place begins,
            along either axis; negative outside of the image.
        **kwargs: Keras's own.

    Call arguments:
        image: `(B, H, W, C)`.
        saliency: `(B, h, w)`, of each place of the map.
        return_attention_scores: Boolean. Whether to return where they are too.

    Returns:
        `(patches, positions)`: `(B * k, patch_size, patch_size, C)`, those of
        an image one after the other, and int32 `(B, k)`, their places in the
        map, row by row, the most salient first. With
        `return_attention_scores=True`, a dict as well: `"saliency"`, as given,
        and `"patches"` `(B, k, 2, 3)`, the affine transform of each patch, -1
        and 1 being the image's edges.
    """

    def __init__(self, num_patches, patch_size, stride, offset, **kwargs):
        # The saliency keeps its precision: its order is what counts.
        super().__init__(autocast=False, **kwargs)
        self.num_patches = num_patches
        self.patch_size = patch_size
        self.stride = stride
        self.offset = offset

    def build(self, image_shape, saliency_shape):
        pass

    def call(self, image, saliency, return_attention_scores=False):
        image = as_floats(image, self.compute_dtype)
        high, wide = saliency.shape[1:]
        flat = ops.reshape(saliency, (-1, high * wide))
        _, positions = ops.top_k(flat, self.num_patches)
        positions = ops.cast(positions, "int32")
        rows = positions // wide
        places = ops.stack([positions - rows * wide, rows], axis=-1)
        corners = places * self.stride + self.offset
        size = (self.patch_size, self.patch_size)
        # One after the other: all at once would take a copy of the image each.
        patches = ops.stack(
            [
                hard_crop(image, corners[:, number], size)
                for number in range(self.num_patches)
            ],
            axis=1,
        )
        patches = ops.reshape(patches, (-1, *size, image.shape[-1]))
        if not return_attention_scores:
            return patches, positions
        sides = np.array(image.shape[2:0:-1], "float32")  # width, height
        corners = ops.cast(ops.reshape(corners, (-1, 2)), "float32")
        transforms = attention_matrix(
            self.patch_size / sides,
            (2 * corners + self.patch_size) / sides - 1,
        )
        transforms = ops.reshape(transforms, (-1, self.num_patches, 2, 3))
        shown = {"saliency": saliency, "patches": transforms}
        return patches, positions, shown

    def get_config(self):
        return {
            **super().get_config(),
            "num_patches": self.num_patches,
            "patch_size": self.patch_size,
            "stride": self.stride,
            "offset": self.offset,
        }


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class RefinedMap(keras.layers.Layer):
    """Puts fine vectors in their places of a coarse map.

    Call arguments:
        coarse_map: `(B, h, w, D)`.
        fine: `(B * k, 1, 1, D)`, those of a map one after the other.
        positions: int32 `(B, k)`, their places, row by row, each another.

    Returns:
        `(B, h, w, D)`: the fine vectors where there are, elsewhere the coarse
        ones.
    """

    def build(self, coarse_map_shape, fine_shape, positions_shape):
        pass

    def compute_output_spec(self, coarse_map, fine, positions):
        # Not by tracing, which takes all unknown sizes for the same.
        return keras.KerasTensor(coarse_map.shape, dtype=self.compute_dtype)

    def call(self, coarse_map, fine, positions):
        high, wide, depth = coarse_map.shape[1:]
        count = positions.shape[1]
        places = ops.arange(high * wide, dtype="int32")
        found = ops.cast(positions[:, None] == places[:, None], "int32")
        # Of each place: whether it is selected, and which patch is there.
        selected = ops.sum(found, axis=-1)
        patch = ops.sum(found * ops.arange(count, dtype="int32"), axis=-1)
        fine = ops.reshape(fine, (-1, count, depth))
        fine = ops.take_along_axis(fine, patch[..., None], axis=1)
        flat = ops.reshape(coarse_map, (-1, high * wide, depth))
        refined = ops.where(selected[..., None] > 0, fine, flat)
        return ops.reshape(refined, (-1, high, wide, depth))


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
def rectified(x):
    """ReLU, as `EntropySaliency` exports it to LiteRT."""
    return ops.maximum(x, 0)


def _weighted_hint(weight, target, output, more):
    return weight * hint_loss(more["coarse"], more["fine"], more["positions"])


def _layers(part, stack, rescale=True):
    """The layers of a stack of convolutions, named after its part."""
    layers = []
    if rescale:
        layers.append(
            keras.layers.Rescaling(
                1 / 127.5, offset=-1, name=f"{part}_rescaling"
            )
        )
    for number, (filters, kernel_size, stride) in enumerate(stack, 1):
        layers += [
            keras.layers.Conv2D(
                filters,
                kernel_size,
                stride,
                data_format="channels_last",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"{part}_{number}_conv",
            ),
            keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, name=f"{part}_{number}_norm"
            ),
            keras.layers.Activation(rectified, name=f"{part}_{number}_relu"),
        ]
    return layers


def _in_turn(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def _framed(image, sizes):
    """The part of the image that the patches of all places cover together."""
    add, cut = [], []
    for length, covered in zip(image.shape[1:3], sizes["frame"]):
        before = -sizes["offset"]
        after = covered - length - before
        add.append((max(before, 0), max(after, 0)))
        cut.append((max(-before, 0), max(-after, 0)))
    pinned = {"data_format": "channels_last"}
    if any(map(any, cut)):
        image = keras.layers.Cropping2D(cut, name="fine_cut", **pinned)(image)
    if any(map(any, add)):
        image = keras.layers.ZeroPadding2D(add, name="fine_pad", **pinned)(
            image
        )
    return image


def _sizes(input_shape, coarse, fine, top):
    """What follows from the convolutions: sizes in pixels, and of the map."""
    if len(input_shape) != 3 or None in tuple(input_shape):
        raise ValueError(
            "`input_shape` must be (H, W, C) with every size known: the places "
            "of the coarse map, and so the patches, depend on it. "
            f"Received: input_shape={tuple(input_shape)}"
        )
    field, stride = _field(coarse)
    patch, fine_stride = _field(fine)
    if coarse[-1][0] != fine[-1][0] or stride != fine_stride:
        raise ValueError(
            "`coarse` and `fine` must end in as many filters, which the top "
            "network reads of either, and take the same stride in all, one "
            "fine vector for each coarse one. Received: coarse with "
            f"{coarse[-1][0]} filters and a stride of {stride}, fine with "
            f"{fine[-1][0]} filters and a stride of {fine_stride}"
        )
    places = tuple(_lengths(coarse, side)[-1] for side in input_shape[:2])
    if min(places) < _field(top)[0]:
        raise ValueError(
            "`input_shape` must be large enough for the convolutions: the top "
            f"network reads {_field(top)[0]} x {_field(top)[0]} places of the "
            "coarse map at least. Received: "
            f"input_shape={tuple(input_shape)}, whose coarse map is "
            f"{max(places[0], 0)} x {max(places[1], 0)}"
        )
    return {
        "map": places,
        "patch": patch,
        "stride": stride,
        "offset": (field - patch) // 2,
        "frame": tuple(stride * (count - 1) + patch for count in places),
    }


def _field(stack):
    """How many pixels one place reads, and how many lie between two."""
    field, stride = 1, 1
    for _, kernel_size, step in stack:
        field += (kernel_size - 1) * stride
        stride *= step
    return field, stride


def _lengths(stack, length):
    """Lengths of an axis after each convolution."""
    lengths = []
    for _, kernel_size, stride in stack:
        length = (length - kernel_size) // stride + 1
        lengths.append(length)
    return lengths


def _products(stack, size, channels):
    """Multiply-adds of a stack of convolutions."""
    total = 0
    for (filters, kernel_size, _), high, wide in zip(
        stack, _lengths(stack, size[0]), _lengths(stack, size[1])
    ):
        total += high * wide * kernel_size**2 * channels * filters
        channels = filters
    return total


def _stacks(**given):
    """Convolutions as `(filters, kernel size, stride)`, stack by stack."""
    stacks = []
    for name, stack in given.items():
        lists = [
            stack.get(key) if isinstance(stack, dict) else None for key in KEYS
        ]
        if (
            not all(isinstance(x, (list, tuple)) and x for x in lists)
            or len(stack) > len(KEYS)
            or len(set(map(len, lists))) > 1
            or not all(
                type(x) is int and x > 0 for x in sum(map(list, lists), [])
            )
        ):
            raise ValueError(
                f"`{name}` must be a dict of {', '.join(KEYS)}, lists of "
                "positive integers, an entry for each convolution. "
                f"Received: {name}={stack}"
            )
        stacks.append(list(zip(*lists)))
    return stacks


def _check(num_classes, capacity, num_patches, hint_weight, sizes):
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    if capacity not in CAPACITIES:
        raise ValueError(
            f"`capacity` must be one of {CAPACITIES}. "
            f"Received: capacity={capacity!r}"
        )
    high, wide = sizes["map"]
    if not 1 <= num_patches <= high * wide:
        raise ValueError(
            "`num_patches` must be at least 1 and at most the places of the "
            f"coarse map, {high} x {wide} = {high * wide}. "
            f"Received: num_patches={num_patches}"
        )
    if not hint_weight >= 0:
        raise ValueError(
            "`hint_weight` must be at least 0. "
            f"Received: hint_weight={hint_weight}"
        )
