"""Transparent attention of Bapna et al. (2018): an encoder's layers mixed."""

import keras
from keras import ops

from keras_attention.arguments import check_share, check_sizes
from keras_attention.functional import as_floats, masked_softmax
from keras_attention.shapes import shapes_by_tracing


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class TransparentAttention(keras.layers.Layer):
    """Mixes the outputs of an encoder's layers, anew for each reader.

    A reader, such as the cross attention of one block of a decoder, sees a
    learned mean of the embeddings and of all layers above them, in place of the
    last one alone. So every layer has a short way to the loss, and deep
    encoders can be trained:

        weights = softmax over i of dropout(W)
        outputs[j] = sum_i weights[i, j] * inputs[i]

    The weights are learned, the same for all samples and places.

    Args:
        num_outputs: Positive integer, M: how many mixes, one for each reader.
        dropout: Float in [0, 1). In training, the chance that an entry of `W`
            counts as 0; the others grow by `1 / (1 - dropout)`.
        seed: Integer or `None`. Seed of the dropout.
        **kwargs: Keras's own: `name`, `dtype`, `trainable`.

    Call arguments:
        inputs: List of E tensors of one shape, `(B, T, D)` or any other: the
            embeddings first, then each layer's output. A Keras mask is handed
            on, that of the first tensor that carries one.
        return_attention_scores: Boolean. Whether to return the weights too.
        training: Boolean. Whether entries are dropped.

    Returns:
        List of `num_outputs` tensors shaped like one of the inputs; with
        `return_attention_scores=True` a pair with the weights, `(E,
        num_outputs)`, which sum to one over E.

    Raises:
        ValueError: If `num_outputs` is not positive, `dropout` is outside of
            [0, 1), or the inputs are no list of tensors of one shape.

    Example:

    >>> import numpy as np
    >>> layers = [np.full((2, 5, 8), x, "float32") for x in (1, 2, 6)]
    >>> layer = TransparentAttention(num_outputs=4)
    >>> mixes, weights = layer(layers, return_attention_scores=True)
    >>> len(mixes), tuple(mixes[0].shape), tuple(weights.shape)
    (4, (2, 5, 8), (3, 4))
    >>> first = keras.ops.convert_to_numpy(mixes[0])
    >>> round(float(first[0, 0, 0]), 5)  # at the start, the mean
    3.0

    Notation: `inputs[i]` is h^i, `outputs[j]` is z^j and `weights` is s_ij in
    the paper; E is N + 1 and M is the number of the decoder's layers.

    Departures: none known. Where the encoder's layers are normalised before
    and not after, their outputs differ in size, and the last one dominates:
    normalise each first.

    Reference:
        Bapna, Chen, Firat, Cao, Wu. Training Deeper Neural Machine Translation
        Models with Transparent Attention. EMNLP 2018, section 3.
        https://aclanthology.org/D18-1338
    """

    # `attention_maps` gives the same weights for each sample.
    scores_of_samples = False

    def __init__(self, num_outputs, dropout=0.0, seed=None, **kwargs):
        check_sizes("how many mixes there are", num_outputs=num_outputs)
        check_share("dropout", dropout, "the chance that a logit is dropped")
        super().__init__(**kwargs)
        self.num_outputs = num_outputs
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def build(self, input_shape):
        _check_shapes(input_shape)
        self.logits = self.add_weight(
            name="logits",
            shape=(len(input_shape), self.num_outputs),
            initializer="zeros",
            dtype="float32",
            autocast=False,
        )

    def call(self, inputs, return_attention_scores=False, training=None):
        # In a graph of TensorFlow a size that they share may be unknown of one.
        shapes = keras.tree.map_structure(lambda x: tuple(x.shape), inputs)
        _check_shapes(shapes, unknown=(None,))
        if len(inputs) != self.logits.shape[0]:
            raise ValueError(
                "There must be as many inputs as the layer was built for, "
                f"{self.logits.shape[0]}. Received: {len(inputs)} inputs"
            )
        logits = ops.convert_to_tensor(self.logits)
        if training and self.dropout:
            logits = keras.random.dropout(
                logits, self.dropout, seed=self.seed_generator
            )
        weights = ops.cast(masked_softmax(logits, axis=0), self.compute_dtype)
        inputs = [as_floats(each, self.compute_dtype) for each in inputs]
        # One after the other: stacked, they would be kept a second time.
        outputs = [
            sum(weights[i, j] * each for i, each in enumerate(inputs))
            for j in range(self.num_outputs)
        ]
        return (outputs, weights) if return_attention_scores else outputs

    def compute_mask(self, inputs, previous_mask=None):
        masks = keras.tree.flatten(previous_mask)
        found = next((mask for mask in masks if mask is not None), None)
        return [found] * self.num_outputs

    def get_config(self):
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "dropout": self.dropout,
            "seed": self.seed,
        }


def _check_shapes(shapes, unknown=()):
    """Raises ValueError unless they are a list of one shape."""
    several = (
        isinstance(shapes, (list, tuple))
        and len(shapes) > 0
        and all(isinstance(shape, (list, tuple)) for shape in shapes)
    )
    if (
        not several
        or len({len(shape) for shape in shapes}) > 1
        or any(len({*sizes} - {*unknown}) > 1 for sizes in zip(*shapes))
    ):
        raise ValueError(
            "The inputs must be a list of tensors of one shape, the "
            "embeddings and the output of each layer. "
            f"Received: input_shape={shapes}"
        )
