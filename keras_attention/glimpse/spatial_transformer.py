"""Spatial transformer of Jaderberg et al. (2015)."""

import copy

import keras
from keras import ops

from keras_attention.arguments import (
    check_known_depth,
    check_size_pair,
    check_sizes,
)
from keras_attention.functional.axes import check_rank
from keras_attention.functional.known import as_floats
from keras_attention.functional.sampling import (
    attention_matrix,
    bilinear_sample,
    check_padding,
    composed,
    control_points,
    splined,
    target_places,
    transformed,
)
from keras_attention.shapes import shapes_by_tracing

# Each kind of transform, and its parameters where it changes nothing.
STARTS = {
    "affine": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "attention": (1.0, 0.0, 0.0),
    "translation": (0.0, 0.0),
    "projective": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    "tps": None,  # the control points
}
LOOKED_AT = (32, 32)  # what the default localisation network reads


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class SpatialTransformer(keras.layers.Layer):
    """Spatial transformer: looks at an image, then turns it the way it wants.

        parameters = W localization(images) + b
        place = T(parameters) (x, y)
        output[i, j] = images read at place, between pixels by their distance

    A localisation network says for each image how to move, scale, turn or bend
    it; the image is read at the places which that transform gives to the
    pixels of the output. All of it is learned from what comes after. At the
    start W is zero and b is the identity: the image comes back exactly.

    | transform | parameters | T |
    |---|---|---|
    | `"affine"` | 6 | a 2x3 matrix |
    | `"attention"` | s, x, y | rows (s, 0, x), (0, s, y): a part, upright |
    | `"translation"` | x, y | rows (1, 0, x), (0, 1, y) |
    | `"projective"` | 8 | a 3x3 matrix, whose last entry is 1 |
    | `"tps"` | 2 k k | thin-plate spline through k by k control points |

    Args:
        localization: A Keras layer or model from images to features `(B, D)`.
            `None` is a small convolutional network, which reads the image
            brought to 32x32 without antialiasing: for images much larger than
            that give your own.
        transform: A name of the table.
        output_size: `(height, width)` of the output; `None` is the images'.
        steps: Positive integer. How many times the localisation network looks;
            each time it sees what the transform so far reads of the original
            image, and adds a transform of its own to it.
        align_corners: Boolean. See Convention.
        padding: What is read outside of the image: `"zeros"`, `"border"` or
            `"reflection"`, as in
            `keras_attention.functional.sampling.bilinear_sample`.
        points: Integer, at least 2: the k of `"tps"`.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        images: `(B, H, W, C)`, channels last. H and W may be unknown where the
            localisation network allows it, as the default does.
        return_attention_scores: Boolean. Whether to return the transform too.
        training: Boolean, for the localisation network.

    Returns:
        `(B, h, w, C)`; with `return_attention_scores=True` a pair with the
        transform: `(B, 2, 3)`; `(B, 3, 3)` for `"projective"`; for `"tps"`
        where in the image the control points are found, `(B, k * k, 2)`, row by
        row (after several steps more is bent than they tell).

    Raises:
        ValueError: If an argument is none of the above, the images are not of
            rank 4, or the localisation network does not give `(B, D)`.

    Example:

    >>> import numpy as np
    >>> images = np.ones((2, 28, 20, 1), "float32")
    >>> layer = SpatialTransformer(transform="affine", output_size=(14, 10))
    >>> output, transform = layer(images, return_attention_scores=True)
    >>> tuple(output.shape), tuple(transform.shape)
    ((2, 14, 10, 1), (2, 2, 3))

    Convention: Places are `(x, y)`, x to the right and y down, the centre of
        the image at (0, 0). -1 and 1 are the centres of the corner pixels with
        `align_corners=True`, the edges of the image without. The transform
        takes places of the output to places of the image: a scale of 0.5 shows
        the middle of the image, twice as large.

    Notation: `images` is U, the features f_loc(U), `parameters` theta, the grid
    of places T_theta(G) and the output V in the paper.

    Departures: `steps` is of Lin and Lucey (2017), whose steps each have a
    network of their own; here they share one. Several steps of a spline are
    done one after the other. The transform is computed in float32 in any
    policy. A projective transform that puts a place on its horizon (a third
    coordinate below 1e-6 in size) reads far outside of the image there.

    Reference:
        Jaderberg, Simonyan, Zisserman, Kavukcuoglu. Spatial Transformer
        Networks. NeurIPS 2015, section 3. https://arxiv.org/abs/1506.02025

        Lin, Lucey. Inverse Compositional Spatial Transformer Networks. CVPR
        2017, section 4. https://arxiv.org/abs/1612.03897
    """

    def __init__(
        self,
        localization=None,
        transform="affine",
        output_size=None,
        steps=1,
        align_corners=True,
        padding="zeros",
        points=4,
        **kwargs,
    ):
        if localization is not None and not isinstance(
            localization, keras.layers.Layer
        ):
            raise ValueError(
                "`localization` must be a Keras layer or model from images to "
                "features (B, D), or None. "
                f"Received: localization={localization!r}"
            )
        if transform not in STARTS:
            raise ValueError(
                f"`transform` must be one of {tuple(STARTS)}. "
                f"Received: transform={transform!r}"
            )
        if output_size is not None:
            check_size_pair("output_size", output_size, "of what is read")
        check_sizes("how often the network looks", steps=steps)
        check_padding(padding)
        check_sizes("control points along a side", points=points)
        if points < 2:
            raise ValueError(
                "`points` must be at least 2, the corners of the image. "
                f"Received: points={points}"
            )
        super().__init__(**kwargs)
        self.localization = localization
        self.small_network = (
            _small_network(self.dtype_policy) if localization is None else []
        )
        self.transform = transform
        self.output_size = output_size
        self.steps = steps
        self.align_corners = align_corners
        self.padding = padding
        self.points = points

    def build(self, input_shape):
        check_rank(self, input_shape, (4,))
        check_known_depth(self, input_shape=input_shape)
        images = keras.KerasTensor(input_shape, dtype=self.compute_dtype)
        features = self._features(images, training=False).shape
        if len(features) != 2 or features[1] is None:
            raise ValueError(
                "The localisation network must give features (B, D), D known; "
                "end it with Flatten or a global pooling. "
                f"Received: {self.localization.name!r}, which gives {features} "
                f"of images {tuple(input_shape)}"
            )
        start = STARTS[self.transform]
        if start is None:
            start = control_points(self.points).ravel()
        # In float32 whatever the policy: half a bit here is a pixel there.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(features[1], len(start)),
            initializer="zeros",
            dtype="float32",
            autocast=False,
        )
        self.bias = self.add_weight(
            name="bias",
            shape=(len(start),),
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(
                start, dtype=dtype
            ),
            dtype="float32",
            autocast=False,
        )

    def call(self, images, return_attention_scores=False, training=None):
        images = as_floats(images, self.compute_dtype)
        shape = ops.shape(images)
        size = tuple(
            known or found
            for known, found in zip(images.shape[1:3], shape[1:3])
        )
        found = [self._transform(images, training)]
        for _ in range(self.steps - 1):
            seen = self._read(images, found, size)
            found = self._with(found, self._transform(seen, training))
        output = self._read(images, found, self.output_size or size)
        if not return_attention_scores:
            return output
        return output, ops.cast(self._as_one(found), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "localization": keras.saving.serialize_keras_object(
                self.localization
            ),
            "transform": self.transform,
            "output_size": self.output_size,
            "steps": self.steps,
            "align_corners": self.align_corners,
            "padding": self.padding,
            "points": self.points,
        }

    @classmethod
    def from_config(cls, config):
        localization = config.get("localization")
        if isinstance(localization, dict):
            # Of a copy: Keras takes a functional model's apart.
            localization = keras.saving.deserialize_keras_object(
                copy.deepcopy(localization)
            )
        return cls(**{**config, "localization": localization})

    def _features(self, images, training):
        if not self.small_network:
            return self.localization(images, training=training)
        features = ops.image.resize(
            images,
            LOOKED_AT,
            interpolation="bilinear",
            data_format="channels_last",
        )
        for layer in self.small_network:
            features = layer(features)
        return features

    def _transform(self, images, training):
        """What the localisation network asks for."""
        features = ops.cast(self._features(images, training), "float32")
        parameters = ops.matmul(features, self.kernel) + self.bias
        if self.transform == "affine":
            return ops.reshape(parameters, (-1, 2, 3))
        if self.transform == "attention":
            return attention_matrix(parameters[:, :1], parameters[:, 1:])
        if self.transform == "translation":
            return attention_matrix(1.0, parameters)
        if self.transform == "projective":
            last = ops.ones_like(parameters[:, :1])
            return ops.reshape(
                ops.concatenate([parameters, last], axis=-1), (-1, 3, 3)
            )
        return ops.reshape(parameters, (-1, self.points**2, 2))

    def _with(self, found, another):
        """The transforms so far, and one more that is done before them."""
        if self.transform == "tps":
            return [*found, another]
        return [composed(found[0], another)]

    def _read(self, images, found, size):
        places = self._places(found, target_places(size, self.align_corners))
        grid = ops.reshape(places, (-1, *size, 2))
        return bilinear_sample(images, grid, self.align_corners, self.padding)

    def _places(self, found, places):
        """Places of the output as places of the image, the last step first."""
        move = splined if self.transform == "tps" else transformed
        for each in reversed(found):
            places = move(each, places)
        return places

    def _as_one(self, found):
        if len(found) == 1:
            return found[0]
        # Where the control points are found, by all splines.
        return self._places(found[:-1], found[-1])


def _small_network(policy):
    pinned = {"data_format": "channels_last", "dtype": policy}
    layers = []
    for number, filters in enumerate((16, 32), start=1):
        layers += [
            keras.layers.Conv2D(
                filters, 5, activation="relu", name=f"conv_{number}", **pinned
            ),
            keras.layers.MaxPooling2D(name=f"pool_{number}", **pinned),
        ]
    return [
        *layers,
        keras.layers.Flatten(name="flatten", **pinned),
        keras.layers.Dense(
            32, activation="relu", name="features", dtype=policy
        ),
    ]
