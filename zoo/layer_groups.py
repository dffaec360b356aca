"""Groups of a network's layers: which are frozen, and how fast each learns."""

USUAL_RATE = 1e-3
# Weights of new linear heads grow to some units within a few hundred steps.
HEADS_RATE = 0.1


def freeze(model, frozen, heads):
    """Freezes layers for good.

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
        layer.trainable = False
    if not chosen or not model.trainable_variables:
        names = sorted({group(layer.name) for layer in layers})
        raise ValueError(
            '`freeze` must be None, "backbone", or beginnings of layers\' '
            "names that leave something to learn; the groups are "
            f"{names}. Received: freeze={frozen!r}"
        )


def learning_rate(model, heads, anew):
    """The learning rate that fits what learns.

    The usual one, where a part below the heads learns too, or a head is a
    network by itself, such as a decoder. New linear heads on features that
    stay as they are begin far from their one optimum, and learn at a rate a
    hundred times higher; a head that was trained before is near it, and would
    lose at such a rate what a few examples do not tell.

    Args:
        model: `keras.Model`, after `freeze`.
        heads: Names of the layers that are the head.
        anew: Those of them whose weights are drawn at random.

    Returns:
        Float.
    """
    learning = {
        layer.name: layer for layer in model.layers if layer.trainable_variables
    }
    only_heads = learning.keys() <= set(heads)
    linear = not any(
        layer._flatten_layers(include_self=False) for layer in learning.values()
    )
    new = learning.keys() & set(anew)
    return HEADS_RATE if only_heads and linear and new else USUAL_RATE


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
