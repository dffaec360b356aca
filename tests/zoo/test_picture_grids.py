"""A picture as a grid: every cell sees what lies around it, and says where."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.picture_grids import PlacesOfGrid, grid_encoder, grid_shape

SHAPE, FILTERS = (32, 48, 3), (4, 6, 8)


def seen_of(model, cell, shape):
    """The rows and the columns of pixels that change a cell's features."""
    generator = np.random.default_rng(0)
    image = generator.uniform(0, 255, (1, *shape)).astype("float32")
    before = ops.convert_to_numpy(model(image))[0, cell]
    found = []
    for axis in (1, 2):
        changed = np.repeat(image, shape[axis - 1], axis=0)
        for place in range(shape[axis - 1]):
            index = [place, slice(None), slice(None)]
            index[axis] = place
            changed[tuple(index)] = 255 - changed[tuple(index)]
        after = ops.convert_to_numpy(model(changed))[:, cell]
        differs = np.abs(after - before).max(axis=-1) > 1e-4  # not rounding
        found.append(np.flatnonzero(differs))
    return found


def test_the_field_of_each_cell_is_centred_on_it():
    keras.utils.set_random_seed(0)
    model = grid_encoder(SHAPE, FILTERS, coordinates=False)
    # ReLU may hide a pixel; what is left of it is linear.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.beta.assign(np.full(layer.beta.shape, 50.0))
    height, width = grid_shape(SHAPE, FILTERS)
    assert (height, width) == (4, 6)
    # Of 22 pixels, 7 more than the cell's 8 on either side.
    for row, column in ((1, 2), (2, 3), (2, 1)):
        rows, columns = seen_of(model, row * width + column, SHAPE)
        for pixels, place in ((rows, row), (columns, column)):
            first, last = 8 * place - 7, 8 * place + 8 + 7
            side = SHAPE[0] if pixels is rows else SHAPE[1]
            np.testing.assert_array_equal(
                pixels, np.arange(max(0, first), min(side, last))
            )


def test_features_of_a_place_end_in_its_centre():
    keras.utils.set_random_seed(0)
    image = np.random.default_rng(0).uniform(0, 255, (2, *SHAPE))
    model = grid_encoder(SHAPE, FILTERS)
    found = ops.convert_to_numpy(model(image.astype("float32")))
    assert model.output_shape == (None, 24, 10)
    x, y = np.meshgrid(
        np.array([-5, -3, -1, 1, 3, 5]) / 6, np.array([-3, -1, 1, 3]) / 4
    )
    expected = np.stack([x.ravel(), y.ravel()], axis=-1)
    for row in found:
        np.testing.assert_allclose(row[:, 8:], expected, atol=1e-6)
    plain = grid_encoder(SHAPE, FILTERS, coordinates=False)
    plain.set_weights(model.get_weights())
    assert plain.output_shape == (None, 24, 8)
    same = ops.convert_to_numpy(plain(image.astype("float32")))
    np.testing.assert_allclose(found[..., :8], same, atol=1e-5)


def test_places_are_told_row_by_row_in_any_policy():
    grid = np.arange(2 * 2 * 3 * 2, dtype="float32").reshape(2, 2, 3, 2)
    for dtype in ("float32", "mixed_bfloat16", "float16"):
        layer = PlacesOfGrid(dtype=dtype)
        found = layer(grid)
        assert keras.backend.standardize_dtype(found.dtype) == (
            layer.compute_dtype
        )
        found = ops.convert_to_numpy(ops.cast(found, "float32"))
        np.testing.assert_array_equal(found[..., :2], grid.reshape(2, 6, 2))
        np.testing.assert_allclose(
            found[0, 1], [2, 3, 0, -0.5], atol=1e-2, err_msg=dtype
        )
    again = PlacesOfGrid.from_config(PlacesOfGrid(False).get_config())
    assert again(grid).shape == (2, 6, 2)


def test_layers_are_named_after_the_encoder_and_settle_fast():
    model = grid_encoder(SHAPE, FILTERS)
    assert model.name == "encoder"
    names = [layer.name for layer in model.layers[1:]]
    assert all(name.startswith("encoder_") for name in names)
    norms = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 4 and {norm.momentum for norm in norms} == {0.9}


def test_goes_on_inside_a_larger_model():
    encoder = grid_encoder(SHAPE, FILTERS)
    pooled = keras.layers.GlobalAveragePooling1D()(encoder.output)
    flat = keras.Model(encoder.input, pooled)
    nested = keras.Sequential([encoder, keras.layers.GlobalAveragePooling1D()])
    image = np.random.default_rng(1).uniform(0, 255, (2, *SHAPE))
    np.testing.assert_allclose(
        ops.convert_to_numpy(flat(image.astype("float32"))),
        ops.convert_to_numpy(nested(image.astype("float32"))),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    "shape, filters",
    [
        ((30, 32, 3), FILTERS),
        ((32, 100, 3), FILTERS),
        ((None, 32, 3), FILTERS),
        (SHAPE, ()),
    ],
)
def test_refuses_a_picture_that_no_grid_fits(shape, filters):
    for build in (grid_encoder, grid_shape):
        with pytest.raises(ValueError, match="multiples of .*input_shape="):
            build(shape, filters)
