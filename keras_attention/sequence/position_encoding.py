"""Position encodings: where in the sequence each element stands."""

import keras
import numpy as np
from keras import ops

from keras_attention.arguments import check_positive, check_sizes
from keras_attention.functional import as_floats, known_integer
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class SinusoidalPositionEncoding(keras.layers.Layer):
    """Waves of many lengths, added to the inputs.

    Attention knows no order; this tells it. Each pair of channels holds the
    sine and the cosine of the position, at its own speed:

        output[t, 2i] = inputs[t, 2i] + sin(t / max_wavelength^(2i / D))
        output[t, 2i + 1] = inputs[t, 2i + 1] + cos(t / max_wavelength^(2i / D))

    The waves have height 1; the paper multiplies its embeddings by `sqrt(D)`
    before the sum, so that the words are not drowned.

    Args:
        max_wavelength: Positive number. The slowest wave repeats after nearly
            `2 pi max_wavelength` positions.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, T, D)`, with an even D. A Keras mask that it carries is
            handed on.
        start: Integer, or a scalar integer tensor. The position of the first
            element, 0 or more, as when decoding step by step.

    Returns:
        `(B, T, D)`.

    Raises:
        ValueError: If `max_wavelength` is not positive, the input's rank is
            not 3, its depth is odd or not known, or `start` is negative.

    Example:

    >>> import numpy as np
    >>> layer = SinusoidalPositionEncoding()
    >>> output = layer(np.zeros((1, 3, 4), "float32"))
    >>> np.array(output[0]).round(2).tolist()[1]
    [0.8399999737739563, 0.5400000214576721, 0.009999999776482582, 1.0]

    Notation: `t` is pos, `D` is d_model, `max_wavelength` is 10000.

    Departures: none.

    Reference:
        Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin.
        Attention Is All You Need. NeurIPS 2017, section 3.5.
        https://arxiv.org/abs/1706.03762
    """

    def __init__(self, max_wavelength=10000, **kwargs):
        check_positive(
            "max_wavelength", max_wavelength, "the slowest wave's over 2 pi"
        )
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.supports_masking = True

    def build(self, inputs_shape):
        _check_shape(inputs_shape)
        if inputs_shape[-1] % 2:
            raise ValueError(
                "The depth of the input, its last axis, must be even: sines "
                "and cosines come in pairs. "
                f"Received: inputs_shape={inputs_shape}"
            )

    def call(self, inputs, start=0):
        _check_start(start)
        inputs = as_floats(inputs, self.compute_dtype)
        length, depth = ops.shape(inputs)[1], inputs.shape[-1]
        speeds = self.max_wavelength ** -(np.arange(0, depth, 2) / depth)
        positions = ops.arange(length, dtype="int32") + ops.cast(start, "int32")
        positions = ops.cast(positions[:, None], "float32")
        angles = positions * ops.cast(speeds, "float32")
        waves = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
        encoding = ops.reshape(waves, (-1, depth))
        return inputs + ops.cast(encoding, inputs.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "max_wavelength": self.max_wavelength,
        }


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class LearnedPositionEncoding(keras.layers.Layer):
    """A learned vector for each position, added to the inputs.

        output[t] = inputs[t] + embeddings[t]

    `embeddings` is `(max_length, D)` and starts as small noise, of standard
    deviation 0.02 as in BERT and GPT.

    Args:
        max_length: Positive integer. The longest sequence; the vectors of
            positions that training never reaches stay noise.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: `(B, T, D)`, with T at most `max_length`. A Keras mask that it
            carries is handed on.
        start: Integer, or a scalar integer tensor. The position of the first
            element, 0 or more, as when decoding step by step.

    Returns:
        `(B, T, D)`.

    Raises:
        ValueError: If `max_length` is below 1, the input's rank is not 3, its
            depth is not known, `start` is negative, or the sequence reaches
            beyond `max_length`, as far as that is known before the layer runs.

    Example:

    >>> import numpy as np
    >>> layer = LearnedPositionEncoding(max_length=512)
    >>> output = layer(np.zeros((2, 5, 16), "float32"))
    >>> tuple(output.shape), layer.count_params()
    ((2, 5, 16), 8192)

    Notation: `embeddings` is w, the position embeddings of the paper.

    Departures: the noise is that of BERT and GPT; the paper only calls its
    vectors learned.

    Reference:
        Gehring, Auli, Grangier, Yarats, Dauphin. Convolutional Sequence to
        Sequence Learning. ICML 2017, section 3.1.
        https://arxiv.org/abs/1705.03122
    """

    def __init__(self, max_length, **kwargs):
        check_sizes("the longest sequence", max_length=max_length)
        super().__init__(**kwargs)
        self.max_length = max_length
        self.supports_masking = True

    def build(self, inputs_shape):
        _check_shape(inputs_shape)
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.max_length, inputs_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, inputs, start=0):
        self._check_length(inputs, start)
        inputs = as_floats(inputs, self.compute_dtype)
        places = ops.arange(ops.shape(inputs)[1], dtype="int32")
        positions = places + ops.cast(start, "int32")
        return inputs + ops.take(self.embeddings, positions, axis=0)

    def compute_output_spec(self, inputs, start=0):
        # Tracing would fill an unknown length with a number of its own.
        self._check_length(inputs, start)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def _check_length(self, inputs, start):
        length, first = inputs.shape[1], _check_start(start)
        if first + (length if isinstance(length, int) else 0) > self.max_length:
            raise ValueError(
                "The sequence must end within `max_length`: there is no vector "
                "for a position beyond it. Received: "
                f"max_length={self.max_length}, start={start}, "
                f"inputs of shape {tuple(inputs.shape)}"
            )

    def get_config(self):
        return {**super().get_config(), "max_length": self.max_length}


def _check_shape(inputs_shape):
    if len(inputs_shape) != 3 or inputs_shape[-1] is None:
        raise ValueError(
            "The input must be `(B, T, D)` with a known D, the depth of every "
            f"position's vector. Received: inputs_shape={inputs_shape}"
        )


def _check_start(start):
    """The first position, as far as it is known; else 0."""
    first = known_integer("start", start) or 0
    if first < 0:
        raise ValueError(
            "`start` must not be negative: the first position is 0. "
            f"Received: start={start}"
        )
    return first
