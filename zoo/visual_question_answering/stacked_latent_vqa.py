"""Stacked latent attention: a question that is answered in several looks.

After Fan and Zhou (2018): each layer of the stack weighs the places of a
picture by the question and by what it saw before, and hands on what it thought
of each place. The baseline, after Yang et al. (2016), hands on only what was
read, so that all it knows of a place is forgotten between two looks.

Departures: both read the cells of a small convolutional grid, which is trained
along, and a GRU's last state; what the stack gives and the question pass one
hidden layer. Word vectors start at random.
"""

import keras

from keras_attention.sequence.stacked_attention import StackedAttention
from keras_attention.sequence.stacked_latent_attention import (
    StackedLatentAttention,
)
from zoo.picture_grids import grid_encoder
from zoo.visual_question_answering.bottom_up_top_down_vqa import (
    read_question,
)
from zoo.word_networks import classify

STACKS = {"latent": StackedLatentAttention, "plain": StackedAttention}

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


def stacked_latent_vqa(
    input_shape,
    vocabulary_size,
    num_classes,
    length=12,
    filters=(32, 48, 64),
    embedding_dim=32,
    units=128,
    attention_units=64,
    stack="latent",
    num_layers=2,
    dropout=0.0,
    backbone=None,
    backbone_stride=None,
    backbone_attention=None,
    name="stacked_latent_vqa",
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
        units: Positive integer. Width of the question's vector and of the
            hidden layer.
        attention_units: Positive integer. Width of the scoring networks, which
            in the latent stack is that of what is thought of each place.
        stack: `"latent"`, or `"plain"`, the baseline.
        num_layers: Positive integer. How many times the network looks.
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
        ValueError: If `stack` is unknown, or a size or the backbone is none
            of the above.

    Example:

    >>> sizes = {"vocabulary_size": 30, "num_classes": 5, **PRESETS["tiny"]}
    >>> model = stacked_latent_vqa((32, 32, 3), num_layers=3, **sizes)
    >>> model.output_shape
    (None, 5)
    """
    if stack not in STACKS:
        raise ValueError(
            f"`stack` must be one of {sorted(STACKS)}. "
            f"Received: stack={stack!r}"
        )
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
    looking = STACKS[stack](attention_units, num_layers, name="attention")
    seen = looking(question, encoder.output)
    x = keras.layers.Concatenate(name="joint")([seen, question])
    x = keras.layers.Dense(units, activation="relu", name="hidden")(x)
    logits = classify(x, num_classes, dropout)
    inputs = {"image": encoder.input, "token_ids": token_ids}
    return keras.Model(inputs, logits, name=name)
