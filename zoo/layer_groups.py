"""Groups of a network's layers: which are frozen, and how fast each learns."""


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
