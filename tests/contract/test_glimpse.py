"""The contract of glimpses itself: each fault goes red."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.functional.sampling import (
    affine_grid,
    attention_matrix,
    bilinear_sample,
)
from keras_attention.shapes import shapes_by_tracing
from tests import contract


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class RightGlimpse(keras.layers.Layer):
    """Zooms by a half, with parts that a fault can replace."""

    padding = "zeros"

    def __init__(self, output_size=(4, 5), **kwargs):
        super().__init__(**kwargs)
        self.output_size = output_size

    def build(self, images_shape, place_shape):
        pass

    def call(self, images, place, return_attention_scores=False):
        matrix = attention_matrix(0.5, self.move(place))
        seen = self.prepare(images)
        grid = affine_grid(matrix, self.size())
        glimpse = self.show(bilinear_sample(seen, grid, padding=self.padding))
        if return_attention_scores:
            return glimpse, self.tell(matrix)
        return glimpse

    def size(self):
        return tuple(self.output_size)

    def move(self, place):
        return place

    def prepare(self, images):
        return images

    def show(self, glimpse):
        return glimpse

    def tell(self, matrix):
        return matrix

    def get_config(self):
        return {**super().get_config(), "output_size": self.output_size}


class OtherNames(RightGlimpse):
    def call(self, inputs, place, return_attention_scores=False):
        return super().call(inputs, place, return_attention_scores)


class XIsHalved(RightGlimpse):
    def move(self, place):
        return place * ops.convert_to_tensor([0.5, 1.0])


class SquareOutput(RightGlimpse):
    def size(self):
        return (self.output_size[0],) * 2


class WidthFirst(RightGlimpse):
    """The height of the image is asked for where the width belongs."""

    def move(self, place):
        return place * (1 + 0.1 * self.width)

    def call(self, images, place, return_attention_scores=False):
        self.width = ops.shape(images)[2]
        return super().call(images, place, return_attention_scores)


class TellsXAlone(RightGlimpse):
    def tell(self, matrix):
        return matrix * ops.convert_to_tensor([[1.0], [0.0]])


class PrefersAChannel(RightGlimpse):
    def prepare(self, images):
        return images * ops.convert_to_tensor([1.0, 2.0, 1.0])


class SubtractsTheMean(RightGlimpse):
    def prepare(self, images):
        return images - ops.mean(images, axis=-1, keepdims=True)


class RepeatsTheBorder(RightGlimpse):
    padding = "border"


class FillsWithHalf(RightGlimpse):
    def prepare(self, images):
        return images - 0.5

    def show(self, glimpse):
        return glimpse + 0.5


class FollowsTheGlobalFormat(RightGlimpse):
    def prepare(self, images):
        pool = keras.layers.AveragePooling2D(3, 1, padding="same")
        return pool(images)


class BlindToUnknownSizes(RightGlimpse):
    def prepare(self, images):
        return images * (0 if images.shape[1] is None else 1)


class Blind(RightGlimpse):
    def prepare(self, images):
        return images * 0


@keras.saving.register_keras_serializable(package="keras_attention")
@shapes_by_tracing
class RightStart(keras.layers.Layer):
    """Learns where to look, from the whole image on; told no place."""

    far = 0.0

    def __init__(self, output_size=None, **kwargs):
        super().__init__(**kwargs)
        self.output_size = output_size

    def build(self, images_shape):
        self.place = self.add_weight(
            name="place", shape=(1, 2), initializer="zeros"
        )

    def call(self, images, return_attention_scores=False):
        nothing = ops.zeros_like(images[:, :1, 0, :1])[:, 0]
        place = self.place + self.far + nothing
        matrix = attention_matrix(1.0, place)
        size = self.output_size or ops.shape(images)[1:3]
        glimpse = bilinear_sample(images, affine_grid(matrix, tuple(size)))
        return (glimpse, matrix) if return_attention_scores else glimpse

    def get_config(self):
        return {**super().get_config(), "output_size": self.output_size}


class StartsAside(RightStart):
    far = 1e-3


def check(layer_class, folder, **options):
    shapes = {"images": (3, 9, 7, 3), "place": (3, 2)}
    if issubclass(layer_class, RightStart):
        del shapes["place"]
    contract.check_glimpse_layer(
        layer_class,
        **{
            "inits": [{"output_size": (5, 3)}, {}],
            "shapes": shapes,
            "output": [(3, 5, 3, 3), (3, 4, 5, 3)],
            "weights": (3, 2, 3),
            "folder": folder,
            **options,
        },
    )


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Without what every layer promises, which is tested elsewhere."""
    called = []
    monkeypatch.setattr(
        contract.glimpse, "check_layer", lambda *_, **how: called.append(how)
    )
    return called


def test_a_right_glimpse_passes(tmp_path, alone):
    check(RightGlimpse, tmp_path, litert_batches=())
    check(RightStart, tmp_path)
    assert [how["free_axes"] for how in alone] == [
        {"images": (1, 2), "place": ()},
        {"images": (1, 2)},
    ]
    assert [how["weights_range"] for how in alone] == [(-np.inf, np.inf)] * 2
    assert [how.get("litert_batches") for how in alone] == [(), None]


@pytest.mark.parametrize(
    "layer_class, complaint",
    [
        (OtherNames, "call must begin with"),
        (XIsHalved, "a transposed image is not a transposed glimpse"),
        (SquareOutput, "a transposed image is not a transposed glimpse"),
        (WidthFirst, "a transposed image is not a transposed glimpse"),
        (TellsXAlone, "the weights are not swapped"),
        (PrefersAChannel, "channels are not read alike"),
        (SubtractsTheMean, "a channel sees another"),
        (RepeatsTheBorder, "outside of the image are no zeros"),
        (FillsWithHalf, "outside of the image are no zeros"),
        (FollowsTheGlobalFormat, "global channels_first"),
        pytest.param(
            BlindToUnknownSizes,
            "sizes unknown when built",
            marks=pytest.mark.skipif(
                keras.backend.backend() != "tensorflow",
                reason="elsewhere a model learns the sizes when it runs",
            ),
        ),
        (Blind, "it sees nothing"),
        (StartsAside, "at the start, no identity"),
    ],
)
def test_a_fault_in_a_glimpse_is_red(layer_class, complaint, tmp_path):
    with pytest.raises(AssertionError, match=complaint):
        check(layer_class, tmp_path)


@pytest.mark.parametrize(
    "shape, complaint",
    [((3, 7, 7, 3), "a square image"), ((3, 9, 7, 1), "a single channel")],
)
def test_images_that_hide_a_fault_are_red(shape, complaint, tmp_path):
    with pytest.raises(AssertionError, match=complaint):
        check(
            RightGlimpse,
            tmp_path,
            shapes={"images": shape, "place": (3, 2)},
        )


def test_what_is_outside_may_be_told_or_left(tmp_path):
    check(RepeatsTheBorder, tmp_path, outside=None)
    check(RepeatsTheBorder, tmp_path, outside=[None, None])
    with pytest.raises(AssertionError, match="no zeros"):
        check(RepeatsTheBorder, tmp_path, outside=[None, (5.0, 0.0)])
    with pytest.raises(AssertionError, match="no zeros"):
        check(RightGlimpse, tmp_path, outside=(0.0, 0.0))
    with pytest.raises(AssertionError, match="a row of 2"):
        check(RightGlimpse, tmp_path, outside=(5.0,))


def test_x_and_y_are_swapped_by_shape():
    swapped = contract.glimpse.swapped_by_shape
    x, y, half = np.random.default_rng(0).normal(size=(3, 2, 1))
    row, other = np.hstack([x, y, half]), np.hstack([y, x, half])
    np.testing.assert_array_equal(swapped(row), other)
    np.testing.assert_array_equal(swapped(row[:, :2]), other[:, :2])

    # A transform of a place, against that of the place swapped.
    place = np.array([0.3, -0.2, 1])
    for rows in (2, 3):
        matrix = np.random.default_rng(1).normal(size=(2, 4, rows, 3))
        moved = swapped(matrix) @ place[[1, 0, 2]]
        expected = (matrix @ place)[..., [1, 0, 2][:rows]]
        np.testing.assert_allclose(moved, expected)

    ticks = np.array([0.0, 1.0, 2.0])
    points = np.stack(np.meshgrid(ticks, 9 * ticks), axis=-1)
    turned = np.stack(np.meshgrid(9 * ticks, ticks), axis=-1)
    np.testing.assert_array_equal(
        swapped(points.reshape(1, 9, 2)), turned.reshape(1, 9, 2)
    )


def test_the_filters_of_rows_and_of_columns_are_exchanged(tmp_path):
    class Named(RightGlimpse):
        def tell(self, matrix):
            return {"rows": matrix[:, 1, 1:], "columns": matrix[:, 0, ::2]}

    class Exchanged(RightGlimpse):
        def tell(self, matrix):
            return {"rows": matrix[:, 0, ::2], "columns": matrix[:, 0, ::2]}

    check(Named, tmp_path)
    with pytest.raises(AssertionError, match="the weights are not swapped"):
        check(Exchanged, tmp_path)
