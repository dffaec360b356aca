"""The contract of pairs itself: each fault goes red."""

import keras
import pytest
from keras import ops

from keras_attention.arguments import check_known_depth
from keras_attention.functional import check_pair_call, hide
from keras_attention.shapes import shapes_by_tracing
from tests import contract


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class RightPair(keras.layers.Layer):
    """Each side beside the other's sum, with parts that a fault can replace."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, left_shape, right_shape):
        check_known_depth(self, left_shape=left_shape, right_shape=right_shape)

    def call(self, left, right, left_mask=None, right_mask=None):
        masks = self.masks(left, right, left_mask, right_mask)
        sides = [hide(x, self.rows(m)) for x, m in zip((left, right), masks)]
        sums = [ops.sum(x, axis=1, keepdims=True) for x in sides[::-1]]
        left, right = (
            self.shown(x * self.scale(total), self.rows(mask))
            for x, total, mask in zip(sides, sums, masks)
        )
        return left, right

    def masks(self, left, right, left_mask, right_mask):
        return check_pair_call(left, right, left_mask, right_mask)

    def rows(self, mask):
        return None if mask is None else ops.expand_dims(mask, axis=-1)

    def scale(self, total):
        return total

    def shown(self, x, mask):
        return hide(x, mask)

    def compute_mask(self, inputs, previous_mask=None):
        return None


class ReadsPadding(RightPair):
    def masks(self, left, right, left_mask, right_mask):
        return super().masks(left, right, left_mask, right_mask)[0], None


class AnswersForPadding(RightPair):
    def shown(self, x, mask):
        return x + 1


class NothingIsNoNumber(RightPair):
    def scale(self, total):
        return total / total


class DeafToOwnMasks(RightPair):
    def __call__(self, left, right, **masks):
        return super().__call__(left * 1, right * 1, **masks)


class TakesAnyMask(RightPair):
    def masks(self, left, right, left_mask, right_mask):
        return [
            None if m is None or m.ndim < 2 else ops.cast(m, "bool")[:, :1]
            for m in (left_mask, right_mask)
        ]


class OneSided(RightPair):
    def call(self, left, right, left_mask=None, right_mask=None):
        left, right = super().call(left, right, left_mask, right_mask)
        return left * 2, right


class OtherNames(RightPair):
    def call(self, first, second, left_mask=None, right_mask=None):
        return super().call(first, second, left_mask, right_mask)


def check_pair(layer_class, folder):
    contract.check_pair_layer(
        layer_class,
        inits=[{}],
        output=((3, 5, 8), (3, 7, 8)),
        weights=None,
        folder=folder,
        symmetric=True,
        litert_batches=(),
    )


def test_a_right_layer_of_pairs_passes(tmp_path):
    check_pair(RightPair, tmp_path)


@pytest.mark.parametrize(
    "layer_class, complaint",
    [
        (ReadsPadding, "padding of right is read"),
        (AnswersForPadding, "padding of left has an output"),
        (NothingIsNoNumber, "nothing to see"),
        (DeafToOwnMasks, "the masks that tensors carry"),
        (TakesAnyMask, "what is hidden is read|padding|takes"),
        (OneSided, "the sides are not alike"),
        (OtherNames, "call must begin with"),
    ],
)
def test_a_fault_in_a_layer_of_pairs_is_red(
    layer_class, complaint, tmp_path, monkeypatch
):
    monkeypatch.setattr(contract.pair, "check_layer", lambda *_, **__: None)
    with pytest.raises(AssertionError, match=complaint):
        check_pair(layer_class, tmp_path)
