"""Bottom-up and top-down attention: a question weighs the places of a picture.

The network of Anderson et al. (2018, the VQA model): a GRU reads the question,
whose last state scores every place through a gated tanh; the weighed picture
and the question are multiplied, and the product is the answer's. The baseline
averages the places.

Departures: the places are the cells of a small convolutional grid, which is
trained along, in place of the regions that a detector proposes. There is one
right answer, so a softmax and its cross-entropy take the place of a sigmoid for
each answer and soft scores. Word vectors start at random, not from GloVe.
"""

import keras
from keras import ops

from keras_attention.functional import masked_softmax, weighted_sum
from keras_attention.sequence.gated_tanh import GatedTanh
from keras_attention.shapes import shapes_by_tracing
from zoo.picture_grids import grid_encoder
from zoo.word_networks import AveragePooling, classify, embed

PRESETS = {
    "tiny": {
        "filters": (4, 6),
        "embedding_dim": 6,
        "units": 8,
        "attention_units": 8,
    },
    "scenes": {
        "filters": (32, 48, 64),
        "embedding_dim": 32,
        "units": 128,
        "attention_units": 64,
    },
}


DEVIATION = 0.5  # of the entries of word vectors at the start


def bottom_up_top_down_vqa(
    input_shape,
    vocabulary_size,
    num_classes,
    length=12,
    filters=(32, 48, 64),
    embedding_dim=32,
    units=128,
    attention_units=64,
    attention=True,
    dropout=0.0,
    backbone=None,
    backbone_stride=None,
    backbone_attention=None,
    name="bottom_up_top_down_vqa",
):
    """Builds the network; logits out.

    Args:
        input_shape: `(H, W, C)`, any number of channels; `H` and `W` multiples
            of `2 ** len(filters)`. With `backbone` any `(H, W, 3)` that it
            takes. The weights fit any of these: a place is told by its share
            of the image.
        vocabulary_size: Integer of at least 3. Rows of the embedding: padding,
            the unknown word, and those that are known.
        num_classes: Integer of at least 2. The answers.
        length: Positive integer. Words of a question.
        filters: Integers, as those of `zoo.picture_grids.grid_encoder`.
        embedding_dim: Positive integer. Size of a word's vector.
        units: Positive integer. Width of the question's vector and of what is
            made of it and of the picture.
        attention_units: Positive integer. Width of the scoring network.
        attention: Boolean. Whether the question weighs the places; if not, they
            are averaged, the baseline.
        dropout: Float in [0, 1). Share dropped of the last vector.
        backbone: String, a name in `keras.applications` for the picture, in
            place of `filters`; or `None`. Its weights begin at random:
            `zoo.backbones.load_backbone_weights` brings trained ones in.
        backbone_stride: Integer, pixels for a place, such as 16; `None` is the
            backbone's end, as a rule 32.
        backbone_attention: `"se"`, `"cbam"` or `"bam"`, put into the backbone
            before each of its residual sums; or `None`.
        name: String. The model's name.

    Returns:
        A `keras.Model` from a dict of `image`, float 0 to 255 `(B, H, W, C)`,
        and `token_ids`, int32 `(B, length)`, where 0 is padding, to logits
        `(B, num_classes)`.

    Raises:
        ValueError: If a size or the backbone is none of the above.

    Example:

    >>> sizes = {"vocabulary_size": 30, "num_classes": 5, **PRESETS["tiny"]}
    >>> model = bottom_up_top_down_vqa((32, 32, 3), **sizes)
    >>> model.output_shape
    (None, 5)
    """
    encoder = grid_encoder(
        input_shape,
        filters,
        backbone=backbone,
        backbone_stride=backbone_stride,
        backbone_attention=backbone_attention,
    )
    token_ids, question = read_question(
        length, vocabulary_size, embedding_dim, units
    )
    if attention:
        seen = QuestionedAttention(attention_units, name="attention")(
            question, encoder.output
        )
    else:
        seen = AveragePooling(name="average")(encoder.output)
    x = keras.layers.Multiply(name="joint")(
        [
            GatedTanh(units, name="joint_question")(question),
            GatedTanh(units, name="joint_picture")(seen),
        ]
    )
    x = GatedTanh(units, name="answer")(x)
    logits = classify(x, num_classes, dropout)
    inputs = {"image": encoder.input, "token_ids": token_ids}
    return keras.Model(inputs, logits, name=name)


def read_question(length, vocabulary_size, embedding_dim, units):
    """A question's words, and the last state of a GRU that reads them.

    Word vectors start as long as trained ones are. With Keras's short ones all
    questions are much the same to begin with, and the network learns for long
    to answer without them.

    Args:
        length: Positive integer. Words of a question.
        vocabulary_size: Integer of at least 3.
        embedding_dim: Positive integer. Size of a word's vector.
        units: Positive integer. Size of the state.

    Returns:
        `(token_ids, question)`: the input, and `(B, units)`.
    """
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    words = embed(
        token_ids,
        vocabulary_size,
        embedding_dim,
        keras.initializers.RandomNormal(stddev=DEVIATION),
    )
    return token_ids, keras.layers.GRU(units, name="question")(words)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
@shapes_by_tracing
class QuestionedAttention(keras.layers.Layer):
    """Attention over places whose scores see place and question together.

        scores[j] = w . f([value[j]; query])
        weights = softmax(scores)
        context = sum_j weights[j] * value[j]

    `f` is a `GatedTanh`; `w` has no bias, which the softmax would not feel.

    Args:
        units: Positive integer. Width of `f`.
        **kwargs: Keras's own.

    Call arguments:
        query: `(B, Dq)`.
        value: `(B, L, Dv)`.
        return_attention_scores: Boolean. Whether to return the weights too.

    Returns:
        The context, `(B, Dv)`; with `return_attention_scores=True`
        `(context, weights)`, where weights is `(B, L)`.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.joint = GatedTanh(units, dtype=self.dtype_policy, name="joint")
        self.score = keras.layers.Dense(
            1, use_bias=False, dtype=self.dtype_policy, name="score"
        )

    def build(self, query_shape, value_shape):
        depth = query_shape[-1] + value_shape[-1]
        self.joint.build((*value_shape[:-1], depth))
        self.score.build((*value_shape[:-1], self.units))

    def call(self, query, value, return_attention_scores=False):
        asked = ops.zeros_like(value[..., :1]) + query[:, None]
        both = self.joint(ops.concatenate([value, asked], axis=-1))
        weights = masked_softmax(self.score(both)[..., 0])
        context = weighted_sum(weights[:, None], value)[:, 0]
        return (context, weights) if return_attention_scores else context

    def get_config(self):
        return {**super().get_config(), "units": self.units}
