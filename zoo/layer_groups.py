"""Groups of a network's layers: which are frozen, and how fast each learns."""

import contextlib

import keras

# Learning rates, of AdamW and of SGD: where a part of the backbone learns, or
# what has learned before; and of new heads alone, a decoder or a linear layer.
USUAL_RATE = 1e-3
WORDS_RATE = 3e-3  # where all learns, and words are new to it
TOPIC_RATE = 0.01  # where all learns, and its head is new as well
DECODER_RATE = 0.01
LINEAR_RATE = 0.1


def freeze(model, frozen, heads):
    """Freezes layers for good.

    A frozen layer computes in training as at inference: its normalisations
    keep their statistics, and it drops nothing.

    Args:
        model: `keras.Model`.
        frozen: `None`, nothing; `"backbone"`, all but the heads; or beginnings
            of layers' names, a string or several.
        heads: Names of the layers that are the head.

    Raises:
        ValueError: If nothing is left to learn, or no layer is named so.
    """
    if frozen is None:
        return
    layers = model.layers
    if frozen == "backbone":
        chosen = [layer for layer in layers if layer.name not in heads]
    else:
        beginnings = (frozen,) if isinstance(frozen, str) else tuple(frozen)
        chosen = [la for la in layers if la.name.startswith(beginnings)]
    for layer in chosen:
        still(layer)
    if not chosen or not model.trainable_variables:
        names = sorted({group(layer.name) for layer in layers})
        raise ValueError(
            '`freeze` must be None, "backbone", or beginnings of layers\' '
            "names that leave something to learn; the groups are "
            f"{names}. Received: freeze={frozen!r}"
        )


def still(layer):
    """Freezes a layer, with all that is in it.

    Args:
        layer: `keras.layers.Layer`.
    """
    layer.trainable = False
    for each in layer._flatten_layers():
        if isinstance(each, keras.layers.Dropout):
            each.rate = 0.0


@contextlib.contextmanager
def frozen_meanwhile(layers):
    """Freezes layers as `still` does; afterwards they are as before.

    Args:
        layers: List of `keras.layers.Layer`, none of which is in another.

    Yields:
        Nothing.
    """
    before = [(layer, layer.trainable) for layer in layers]
    rates = [(x, x.rate) for x in layers if isinstance(x, keras.layers.Dropout)]
    for layer in layers:
        still(layer)
    try:
        yield
    finally:
        for layer, trainable in before:
            layer.trainable = trainable
        for layer, rate in rates:
            layer.rate = rate


def learning_rate(model, heads, anew, new_words=False):
    """The learning rate that fits what learns, and why it does.

    The usual one, where a part below the heads learns, or heads that were
    trained before: these are near their optimum, and would lose at a higher
    rate what a few examples do not tell. Where there are new words, which begin
    far from it, three times that; with new heads too, ten times, since at a
    lower rate what was learned of other texts stays in the way of what these
    are about; measured for classes of texts (`benchmarks/own_texts.py`), and
    taken over for pairs and questions. New heads on features that stay as
    they are have nothing to lose: linear ones, which have but one optimum, take
    a rate a hundred times higher, and those that are networks, such as
    decoders, one ten times higher.

    Args:
        model: `keras.Model`, after `freeze`.
        heads: Names of the layers that are the head.
        anew: Those of them whose weights are drawn at random.
        new_words: Boolean. Whether words have vectors drawn at random.

    Returns:
        `(rate, why)`, a float and a string.
    """
    learning = {
        layer.name: layer for layer in model.layers if layer.trainable_variables
    }
    new_heads = learning.keys() & set(anew)
    if learning.keys() <= set(heads) and new_heads:
        linear = not any(
            layer._flatten_layers(include_self=False)
            for layer in learning.values()
        )
        rate = LINEAR_RATE if linear else DECODER_RATE
        return rate, "new heads on frozen layers"
    if new_words and new_heads:
        return TOPIC_RATE, "words and heads are new to it"
    if new_words:
        return WORDS_RATE, "words are new to it"
    return USUAL_RATE, "the usual one"


def multipliers(model, layer_decay, heads):
    """Factors of the learning rate.

    Args:
        model: `keras.Model`.
        layer_decay: Float in (0, 1]. The rate is multiplied by it for each
            group of layers further from the head.
        heads: Names of the layers that are the head, which are one group.

    Returns:
        Dict from path of a variable to its factor; empty where all are 1.
    """
    if layer_decay == 1:
        return {}
    groups = {}
    for layer in model.layers:
        if layer.trainable_variables:
            name = heads if layer.name in heads else group(layer.name)
            groups.setdefault(name, []).append(layer)
    top = len(groups) - 1
    return {
        variable.path: layer_decay ** (top - depth)
        for depth, layers in enumerate(groups.values())
        for layer in layers
        for variable in layer.trainable_variables
    }


def group(layer_name):
    """`stage_1_block_2_conv` is of `stage_1`; `stem_conv` of `stem`."""
    words = layer_name.split("_")
    long = len(words) > 1 and words[1].isdigit()
    return "_".join(words[: 2 if long else 1])
