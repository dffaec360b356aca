"""A copy of a layer answers as the layer does, and shares nothing with it."""

import keras
import numpy as np
import pytest

from keras_attention.copying import copy_layer, copy_state

layers = keras.layers
DATA = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


def cube(x):
    return x**3


class Unregistered(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = layers.Dense(units, activation=cube)

    def build(self, shape):
        self.inner.build(shape)
        self.scale = self.add_weight(shape=(self.units,), initializer="normal")

    def call(self, inputs):
        return self.inner(inputs) * self.scale

    def get_config(self):
        return {**super().get_config(), "units": self.units}


factor = 3.0


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(2, bias_initializer="normal", name="mine"),
        layers.Dense(2, activation=cube),
        layers.Lambda(cube),
        layers.Lambda(lambda x: factor * x),
        layers.BatchNormalization(),
        Unregistered(5),
        keras.Sequential([layers.Dense(3), Unregistered(2)]),
    ],
    ids=lambda layer: layer.name,
)
def test_a_copy_gives_the_same(layer):
    layer(DATA)
    for variable in layer.weights:
        variable.assign(np.random.default_rng(1).random(variable.shape))
    copy = copy_layer(layer)
    copy(DATA)
    copy_state(layer, copy)
    assert copy.name == layer.name and copy is not layer
    same(copy(DATA), layer(DATA))
    for variable in copy.weights:
        variable.assign(variable + 1.0)
    moved = not np.allclose(number(copy(DATA)), number(layer(DATA)))
    assert moved == bool(layer.weights)


def test_a_layer_that_has_adapted_needs_no_data_again():
    layer = layers.Normalization()
    layer.adapt(DATA * 4 + 7)
    copy = copy_layer(layer)
    copy(DATA)
    copy_state(layer, copy)
    same(copy(DATA), layer(DATA))
    assert not np.allclose(number(copy(DATA)), DATA)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="texts are TensorFlow's"
)
def test_a_vocabulary_is_copied():
    layer = layers.TextVectorization()
    layer.adapt(["a cat", "a dog sat"])
    copy = copy_layer(layer)
    copy_state(layer, copy)
    assert copy.get_vocabulary() == layer.get_vocabulary()
    same(copy(["a dog"]), layer(["a dog"]))
    assert number(copy(["a dog"])).tolist() != [[1, 1]]


def test_what_is_frozen_stays_frozen_to_the_last_part():
    layer = Unregistered(5)
    layer(DATA)
    layer.inner.trainable = False
    copy = copy_layer(layer)
    copy(DATA)
    assert len(copy.trainable_weights) == 3
    copy_state(layer, copy)
    assert [v is copy.scale for v in copy.trainable_weights] == [True]
    assert not copy.inner.trainable and copy.trainable
    layer.trainable = False
    copy_state(layer, copy)
    assert not copy.trainable_weights


def test_a_layer_that_its_configuration_does_not_rebuild_is_refused():
    class Forgetful(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)

        def get_config(self):
            return super().get_config()

    with pytest.raises(ValueError, match="'forgetful' of type Forgetful"):
        copy_layer(Forgetful(3, name="forgetful"))


def number(x):
    return keras.ops.convert_to_numpy(x)


def same(a, b):
    np.testing.assert_array_equal(number(a), number(b))
