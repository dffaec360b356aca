"""Recurrent attention model: glimpses of an image, and where to look next.

The network of Mnih et al. (2014). The image is only ever read through a small
retina. What it showed and where is added to a recurrent state, and the state
says where to look next. Cutting out a patch has no gradient to its place, so
that choice is learned by REINFORCE, from whether the answer was right
(section 3). Ours: pixels come in as 0 to 255 and are brought to [-1, 1] inside
the network, and outside of the image is the grey in the middle, 0.
"""

import keras
from keras import ops

from keras_attention.arguments import check_positive, check_sizes
from keras_attention.functional.estimators import (
    gaussian_log_probability,
    score_function_loss,
)
from keras_attention.glimpse.glimpse_sensor import GlimpseSensor
from keras_attention.shapes import shapes_by_tracing
from zoo.own_loss import NetworkWithOwnLoss

POLICIES = ("learned", "random", "centre")

PRESETS = {
    "tiny": {
        "num_glimpses": 3,
        "glimpse_size": 4,
        "num_scales": 2,
        "glimpse_units": 8,
        "units": 12,
    },
    "mnist": {"num_glimpses": 6, "glimpse_size": 8},
    "translated_40": {
        "num_glimpses": 4,
        "glimpse_size": 8,
        "num_scales": 2,
        "deviation": 0.2,
    },
    "translated_60": {"num_glimpses": 6, "glimpse_size": 12, "num_scales": 3},
}


def recurrent_attention_model(
    input_shape,
    num_classes,
    num_glimpses=6,
    glimpse_size=8,
    num_scales=1,
    scale=2,
    glimpse_units=128,
    units=256,
    deviation=0.15,
    policy="learned",
    score_weight=1.0,
    name="recurrent_attention_model",
):
    """Builds the classifier; logits out.

    In training, the loss is the cross-entropy plus

        mean_t (b_t - R)^2 - score_weight * sum_t (R - b_t) log pi(l_{t+1})

    where `R` is 1 if the answer is right and 0 if it is wrong, `b_t` the
    baseline, and `l_{t+1}` the place that was drawn at glimpse `t`, of all but
    the last. The second term trains the locator alone and the first the
    baseline alone; the rest learns from the cross-entropy.

    Args:
        input_shape: `(H, W, C)`, any number of channels; `H` and `W` may be
            `None`. The weights fit any; a glimpse, which is counted in pixels,
            shows less of a larger image.
        num_classes: Integer of at least 2.
        num_glimpses: Positive integer; at least 2 with a learned policy. The
            first glimpse is not chosen.
        glimpse_size: Positive integer. Side of a glimpse, in pixels.
        num_scales: Positive integer. Patches in a glimpse, around one place.
        scale: Integer. How many times larger each patch is than the one before
            it; all are shrunk to `glimpse_size`.
        glimpse_units: Positive integer. Width of the layers that read the
            patches and the place.
        units: Positive integer. Width of a glimpse's vector and of the state.
        deviation: Positive float. Standard deviation of the places that are
            drawn in training, the image's sides being 2.
        policy: `"learned"`; or one of the two that learn no policy:
            `"random"`, places drawn from all over the image, in inference too,
            so that answers vary; and `"centre"`, always the centre.
        score_weight: Positive float. Weight of the locator's loss. Adam
            divides it away.
        name: String. The model's name.

    Returns:
        A `keras.Model` from images `(B, H, W, C)`, float 0 to 255, to logits
        `(B, num_classes)`.

    Raises:
        ValueError: If a size is no positive integer, `deviation` or
            `score_weight` is not positive, `policy` is unknown, a learned
            policy has a single glimpse, or there are fewer than two classes.

    Example:

    >>> model = recurrent_attention_model((40, 40, 1), 10, **PRESETS["tiny"])
    >>> model.output_shape
    (None, 10)
    """
    if num_classes < 2:
        raise ValueError(
            "`num_classes` must be at least 2: with one class there is nothing "
            f"to tell apart. Received: num_classes={num_classes}"
        )
    check_positive(
        "score_weight", score_weight, "or the locator would not learn"
    )
    # Pinned, whatever Keras's global `floatx` and `image_data_format` are.
    image = keras.Input(input_shape, dtype="float32", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(image)
    seen = Glimpses(
        num_glimpses,
        glimpse_size,
        num_scales,
        scale,
        glimpse_units,
        units,
        deviation,
        policy,
        name="glimpses",
    )(x)
    state = seen.pop("state")
    logits = keras.layers.Dense(num_classes, dtype="float32", name="logits")(
        state
    )
    if policy != "learned":
        return keras.Model(image, logits, name=name)

    def own_loss(labels, logits, more):
        return reinforce_loss(labels, logits, **more, weight=score_weight)

    return NetworkWithOwnLoss(image, logits, seen, own_loss, name=name)


def reinforce_loss(labels, logits, log_probability, baseline, weight=1.0):
    """The loss of the places that were drawn, and of their baseline.

    Args:
        labels: Integers `(B,)`, the classes.
        logits: `(B, K)`, the answers after the last glimpse.
        log_probability: `(B, T)`, of the places drawn, by the policy.
        baseline: `(B, T)`, the reward expected before each was drawn.
        weight: Float. Weight of the score function's loss.

    Returns:
        `(B,)`: `mean_t (b_t - R)^2` plus `weight` times the score function's
        loss, where `R` is 1 if the highest logit is the label's and 0 if not.
    """
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    answers = ops.cast(ops.argmax(logits, axis=-1), "int32")
    reward = ops.cast(ops.equal(answers, labels), baseline.dtype)[:, None]
    reward = ops.stop_gradient(reward + ops.zeros_like(baseline))
    error = ops.mean(ops.square(baseline - reward), axis=-1)
    return error + weight * score_function_loss(
        log_probability, reward, baseline
    )


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class Glimpses(keras.layers.Layer):
    """A recurrent state that reads an image by glimpses, and says where next.

    At glimpse `t`, with `rho` the patches of the retina at the place `l_t`:

        h_g = relu(W_g rho + b_g),  h_l = relu(W_l l_t + b_l)
        g_t = relu(W_gg h_g + W_gl h_l + b)
        h_t = relu(W_hh h_{t-1} + W_hg g_t + b)
        mean_{t+1} = tanh(W h_t + b),  l_{t+1} ~ N(mean_{t+1}, deviation^2)
        b_t = W h_t + b

    where no gradient flows from the last two lines to `h_t`. In training the
    first place is uniform over the image and the others are drawn; in inference
    the first is the centre and the others are the means. A drawn place that is
    outside of the image is moved to its edge, and its probability is that of
    the place before.

    Args:
        num_glimpses: Positive integer; at least 2 with a learned policy.
        size: Positive integer. Side of a patch as it is read.
        num_scales: Positive integer. Patches of a glimpse.
        scale: Integer. How many times larger each is than the one before.
        glimpse_units: Positive integer. Width of `h_g` and `h_l`.
        units: Positive integer. Width of `g_t` and `h_t`.
        deviation: Positive float. Standard deviation of the places drawn.
        policy: `"learned"`; or, without locator and baseline, `"random"`, all
            places uniform over the image, in inference too, or `"centre"`, all
            at the centre.
        seed: Integer or `None`. Seed of the places drawn.
        **kwargs: Keras's own.

    Call arguments:
        images: `(B, H, W, C)`.
        return_attention_scores: Boolean. Whether to return where it looked too.
        training: Boolean. Whether to draw places.

    Returns:
        Dict of `state`, `(B, units)`, after the last glimpse; and with a
        learned policy `log_probability` and `baseline`, both float32
        `(B, num_glimpses - 1)`: of each choice, none being left to make after
        the last glimpse. With `return_attention_scores=True` that, and a dict
        of `glimpses`, `(B, num_glimpses, num_scales, 2, 3)`: the affine
        transforms of the patches, as `GlimpseSensor` gives them.

    Raises:
        ValueError: If a size is no positive integer, `deviation` is not
            positive, `policy` is unknown, or a learned policy has a single
            glimpse.
    """

    def __init__(
        self,
        num_glimpses,
        size,
        num_scales=1,
        scale=2,
        glimpse_units=128,
        units=256,
        deviation=0.15,
        policy="learned",
        seed=None,
        **kwargs,
    ):
        check_sizes("how often it looks", num_glimpses=num_glimpses)
        check_sizes(
            "the width of its layers", glimpse_units=glimpse_units, units=units
        )
        check_positive("deviation", deviation, "how far it tries other places")
        if policy not in POLICIES:
            raise ValueError(
                f"`policy` must be one of {POLICIES}, how places are chosen. "
                f"Received: policy={policy!r}"
            )
        if policy == "learned" and num_glimpses < 2:
            raise ValueError(
                "`num_glimpses` must be at least 2 with a learned policy: the "
                "first place is not chosen. "
                f"Received: num_glimpses={num_glimpses}"
            )
        super().__init__(**kwargs)
        self.num_glimpses = num_glimpses
        self.size = size
        self.num_scales = num_scales
        self.scale = scale
        self.glimpse_units = glimpse_units
        self.units = units
        self.deviation = deviation
        self.policy = policy
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.sensor = GlimpseSensor(
            size, num_scales, scale, dtype=self.dtype_policy, name="sensor"
        )
        self.patches = self._dense(glimpse_units, "patches", activation="relu")
        self.place = self._dense(glimpse_units, "place", activation="relu")
        self.from_patches = self._dense(units, "from_patches")
        self.from_place = self._dense(units, "from_place", use_bias=False)
        self.from_glimpse = self._dense(units, "from_glimpse")
        self.from_state = self._dense(units, "from_state", use_bias=False)
        if policy == "learned":
            # What a place's probability is made of needs float32.
            self.locator = keras.layers.Dense(
                2, activation="tanh", dtype="float32", name="locator"
            )
            self.baseline = keras.layers.Dense(
                1, dtype="float32", name="baseline"
            )

    def _dense(self, units, name, **options):
        return keras.layers.Dense(
            units, dtype=self.dtype_policy, name=name, **options
        )

    def build(self, images_shape):
        pixels = self.size * self.size * self.num_scales * images_shape[-1]
        self.patches.build((None, pixels))
        self.place.build((None, 2))
        for layer in (self.from_patches, self.from_place):
            layer.build((None, self.glimpse_units))
        for layer in (self.from_glimpse, self.from_state):
            layer.build((None, self.units))
        if self.policy == "learned":
            self.locator.build((None, self.units))
            self.baseline.build((None, self.units))

    def call(self, images, return_attention_scores=False, training=None):
        batch = ops.shape(images)[0]
        state = ops.zeros((batch, self.units), self.compute_dtype)
        location = self._first(batch, training)
        taken, log_probabilities, baselines = [], [], []
        for glimpse in range(self.num_glimpses):
            if glimpse and self.policy != "learned":
                location = self._first(batch, training)
            elif glimpse:
                before = ops.stop_gradient(state)
                mean = self.locator(before)
                drawn = self._drawn(mean) if training else mean
                log_probabilities.append(
                    gaussian_log_probability(drawn, mean, self.deviation)
                )
                baselines.append(self.baseline(before)[:, 0])
                location = ops.clip(drawn, -1.0, 1.0)
            patches, transforms = self.sensor(
                images, location, return_attention_scores=True
            )
            taken.append(transforms)
            state = self._step(state, self._glimpse(patches, location))

        outputs = {"state": state}
        if self.policy == "learned":
            outputs["log_probability"] = ops.stack(log_probabilities, axis=1)
            outputs["baseline"] = ops.stack(baselines, axis=1)
        if return_attention_scores:
            return outputs, {"glimpses": ops.stack(taken, axis=1)}
        return outputs

    def _first(self, batch, training):
        drawn = training and self.policy != "centre"
        if drawn or self.policy == "random":
            return self._uniform(batch)
        return ops.zeros((batch, 2), "float32")

    def _uniform(self, batch):
        return keras.random.uniform(
            (batch, 2), -1.0, 1.0, dtype="float32", seed=self.seed_generator
        )

    def _drawn(self, mean):
        noise = keras.random.normal(
            ops.shape(mean), dtype="float32", seed=self.seed_generator
        )
        return ops.stop_gradient(mean + self.deviation * noise)

    def _glimpse(self, patches, location):
        pixels = self.size * self.size * patches.shape[-1]
        what = self.patches(ops.reshape(patches, (-1, pixels)))
        where = self.place(location)
        return ops.relu(self.from_patches(what) + self.from_place(where))

    def _step(self, state, glimpse):
        return ops.relu(self.from_state(state) + self.from_glimpse(glimpse))

    def get_config(self):
        return {
            **super().get_config(),
            "num_glimpses": self.num_glimpses,
            "size": self.size,
            "num_scales": self.num_scales,
            "scale": self.scale,
            "glimpse_units": self.glimpse_units,
            "units": self.units,
            "deviation": self.deviation,
            "policy": self.policy,
            "seed": self.seed,
        }
