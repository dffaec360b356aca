"""The contract of mixtures itself: each fault goes red."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.shapes import shapes_by_tracing
from tests import contract


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class RightMix(keras.layers.Layer):
    """A learned mean of a list, with parts that a fault can replace."""

    def __init__(self, num_outputs=1, **kwargs):
        super().__init__(**kwargs)
        self.num_outputs = num_outputs

    def build(self, input_shape):
        self.logits = self.add_weight(
            name="logits", shape=(len(input_shape), self.num_outputs)
        )

    def call(self, inputs, return_attention_scores=False):
        weights = self.weigh(ops.softmax(self.logits, axis=0))
        sample = ops.expand_dims(ops.zeros_like(inputs[0][:, :1, :1]), axis=0)
        weights = ops.transpose(weights)[None] + sample[0]
        outputs = [
            sum(
                self.share(weights, i, j) * x
                for i, x in enumerate(self.branches(inputs))
            )
            for j in range(self.num_outputs)
        ]
        return (outputs, weights) if return_attention_scores else outputs

    def weigh(self, weights):
        return weights

    def share(self, weights, i, j):
        return weights[:, j : j + 1, i : i + 1]

    def branches(self, inputs):
        return inputs

    def get_config(self):
        return {**super().get_config(), "num_outputs": self.num_outputs}


class NotOfOne(RightMix):
    def weigh(self, weights):
        return weights * 0.9


class BelowZero(RightMix):
    def weigh(self, weights):
        return 2 * weights - 1 / weights.shape[0]


class AnotherShare(RightMix):
    def share(self, weights, i, j):
        return super().share(weights, (i + 1) % weights.shape[2], j)


class OfOneTask(RightMix):
    def share(self, weights, i, j):
        return weights[:, :1, i : i + 1]


class Unlike(RightMix):
    def branches(self, inputs):
        return [x * 1.01 for x in inputs]


class OtherNames(RightMix):
    def call(self, layers, return_attention_scores=False):
        return super().call(layers, return_attention_scores)


def check(layer_class, folder):
    contract.check_mixture_layer(
        layer_class,
        inits=[{"num_outputs": 2}],
        shapes={"inputs": [(3, 5, 8)] * 3},
        output=[[(3, 5, 8)] * 2],
        weights=(3, 2, 3),
        folder=folder,
        branches=lambda layer, inputs: np.stack(inputs),
        sum_axis=-1,
        litert_batches=(),
    )


def test_a_right_mixture_passes(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(
        contract.mixture, "check_layer", lambda *_, **__: called.append(1)
    )
    check(RightMix, tmp_path)
    assert called == [1]


@pytest.mark.parametrize(
    "layer_class, complaint",
    [
        (NotOfOne, "sums of 1"),
        (BelowZero, "weights below zero"),
        (AnotherShare, "a mix is not the weighted sum"),
        (OfOneTask, "a mix is not the weighted sum"),
        (Unlike, "a mix is not the weighted sum"),
        (OtherNames, "call must begin with"),
    ],
)
def test_a_fault_in_a_mixture_is_red(
    layer_class, complaint, tmp_path, monkeypatch
):
    monkeypatch.setattr(contract.mixture, "check_layer", lambda *_, **__: None)
    with pytest.raises(AssertionError, match=complaint):
        check(layer_class, tmp_path)
