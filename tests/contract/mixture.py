"""The contract of `mixture/`."""

import inspect

import numpy as np

from tests.contract.asking import as_numpy, ask, check_close, randomize
from tests.contract.layer import check_layer, drawn


def check_mixture_layer(
    layer_class, inits, shapes, output, weights, folder, branches, **options
):
    """The contract of `mixture/`: parallel branches, weighed and summed.

    Beyond `check_layer`: the weights of the branches are not negative and sum
    to one for each mix; each mix is the sum of the branches so weighed; equal
    branches are given back, whatever their weights; the weights move from
    their start when the layer has learned.

    Args:
        layer_class: The layer.
        inits: As in `check_layer`.
        shapes: As in `check_layer`, of `inputs`.
        output: As in `check_layer`.
        weights: As in `check_layer`.
        folder: As in `check_layer`.
        branches: Function of a layer and its inputs, to `(E, B, ..., D)`, what
            is mixed.
        **options: Further ones of `check_layer`.
    """
    own = list(inspect.signature(layer_class.call).parameters)
    assert own[:2] == ["self", "inputs"], "call must begin with `inputs`"
    check_layer(layer_class, inits, shapes, output, weights, folder, **options)
    for number, init in enumerate(inits):
        rng = np.random.default_rng(number)
        (shape,) = shapes.values()
        several = isinstance(shape, list)
        inputs = (
            [drawn(rng, one) for one in shape] if several else drawn(rng, shape)
        )
        layer = layer_class(**init)
        layer(inputs)
        randomize(layer, rng)
        check_sum(layer, inputs, branches)
        if several:
            alike = [inputs[0]] * len(inputs)
            for mix in as_mixes(ask(layer, {"inputs": alike})[0]):
                check_close(mix, inputs[0], "equal branches are changed")


def check_sum(layer, inputs, branches):
    """Each mix is the branches times their weights."""
    mixed, weights = ask(layer, {"inputs": inputs})
    shares, parts = as_numpy(weights), branches(layer, inputs)
    if not getattr(layer, "scores_of_samples", True):  # (B, E, M)
        shares = np.swapaxes(shares, 1, 2)
    assert shares.shape[-1] == len(parts), "a weight for each branch"
    assert (shares >= 0).all(), "weights below zero"
    check_close(shares.sum(axis=-1), np.ones(shares.shape[:-1]), "sums of 1")
    mixes = as_mixes(mixed)
    assert len(mixes) == shares.shape[1], "weights for each mix"
    for place, mix in enumerate(mixes):
        expected = np.einsum("be,eb...->b...", shares[:, place], parts)
        check_close(mix, expected, "a mix is not the weighted sum")


def as_mixes(mixed):
    """The mixes apart: a list, or `(B, M, D)` along its second axis."""
    if isinstance(mixed, (list, tuple)):
        return [as_numpy(mix) for mix in mixed]
    return list(np.moveaxis(as_numpy(mixed), 1, 0))
