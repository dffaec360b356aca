"""The calls of a model in order, and where its residual branches end."""

import keras
import numpy as np
import pytest

from keras_attention.graphs import branch_ends, calls_of, is_graph, rebuilt

layers = keras.layers


def ends(outputs, *inputs):
    calls = calls_of(keras.Model(list(inputs), outputs))
    return [call.layer.name for call in branch_ends(calls)]


def convs(x, count, name):
    for i in range(count):
        x = layers.Conv2D(4, 3, padding="same", name=f"{name}_{i}")(x)
    return x


@pytest.fixture
def image():
    return keras.Input((6, 5, 4), name="image")


@pytest.mark.parametrize("swapped", [False, True])
def test_the_longer_way_is_the_branch_in_any_order(image, swapped):
    parts = [convs(image, 2, "shortcut"), convs(image, 3, "branch")]
    total = layers.Add()(parts[::-1] if swapped else parts)
    assert ends(total, image) == ["branch_2"]
    total = image + parts[0] if swapped else parts[0] + image
    assert ends(total, image) == ["shortcut_1"]


def test_the_longest_way_counts_within_a_branch(image):
    """A gate beside a short path, as in squeeze-and-excitation."""
    x = convs(image, 1, "expand")
    gate = convs(x, 3, "gate")
    branch = layers.Multiply(name="excite")([x, gate])
    shortcut = convs(image, 4, "shortcut")
    assert ends(shortcut + branch, image) == ["excite"]


def test_three_tensors_have_one_shortcut(image):
    total = layers.Add()([convs(image, 2, "b"), image, convs(image, 1, "a")])
    assert ends(total, image) == ["b_1", "a_0"]


def test_equal_ways_have_no_branch(image):
    assert not ends(convs(image, 2, "a") + convs(image, 2, "b"), image)


def test_sums_that_are_not_residual_have_no_branch(image):
    other = keras.Input((6, 5, 4))
    assert not ends(image + convs(other, 2, "a"), image, other)
    bias = keras.ops.mean(convs(image, 3, "b"), axis=(1, 2), keepdims=True)
    assert not ends(image + bias, image)
    assert not ends(convs(image, 1, "c") + 1.0, image)
    assert not ends(layers.Maximum()([image, convs(image, 1, "d")]), image)


class LayerScale(layers.Layer):
    def call(self, inputs):
        return inputs * 0.1


@pytest.mark.parametrize(
    "tail",
    [
        [layers.Dropout(0.2, noise_shape=(None, 1, 1, 1))],
        [LayerScale(), layers.Activation("linear")],
        [LayerScale(), layers.SpatialDropout2D(0.2), layers.Identity()],
    ],
)
def test_what_only_scales_at_the_end_of_a_branch_is_skipped(image, tail):
    x = convs(image, 2, "branch")
    for layer in tail:
        x = layer(x)
    assert ends(image + x, image) == ["branch_1"]


def test_other_activations_at_the_end_are_not_skipped(image):
    x = layers.ReLU(name="relu")(convs(image, 2, "branch"))
    assert ends(image + x, image) == ["relu"]


def test_skipping_stops_before_the_shortcut(image):
    x = convs(image, 1, "trunk")
    dropped = layers.Dropout(0.1, name="drop")(x)
    assert ends(x + dropped, image) == ["drop"]


def test_a_model_inside_counts_its_layers(image):
    inner = keras.Model(image, convs(image, 3, "inner"), name="block")
    x = keras.Input((6, 5, 4))
    assert ends(convs(x, 2, "shortcut") + inner(x), x) == ["block"]


def test_calls_come_with_what_they_take(image):
    x = layers.ReLU(name="relu")(convs(image, 1, "conv"))
    model = keras.Model(image, layers.Add(name="sum")([image, x]))
    calls = calls_of(model)
    assert [call.layer.name for call in calls] == ["conv_0", "relu", "sum"]
    assert all(call.layer is model.get_layer(call.layer.name) for call in calls)
    conv, relu, total = calls
    assert relu.feeders == [conv] and total.feeders[1] is relu
    assert total.before == {*total.feeders, conv}
    assert [call.depth for call in calls] == [2, 3, 4]
    assert [call.output.shape for call in calls] == [(None, 6, 5, 4)] * 3
    assert relu.data_format == "channels_last"
    assert relu.dtype_policy.name == "float32"


def test_the_data_format_is_that_of_the_layer_before_until_axes_move(image):
    x = layers.Conv2D(4, 1, data_format="channels_first")(image)
    x = layers.BatchNormalization(axis=1)(x) + 1.0
    x = layers.ReLU()(layers.Permute((2, 3, 1))(x))
    x = layers.MaxPooling2D(data_format="channels_last")(x)
    x = layers.ReLU()(keras.ops.transpose(layers.ReLU()(x), (0, 3, 1, 2)))
    formats = [call.data_format for call in calls_of(keras.Model(image, x))]
    first, last = ["channels_first"], ["channels_last"]
    assert formats == 3 * first + 2 * [None] + 2 * last + 2 * [None]


def test_asking_changes_nothing_of_the_model(image):
    x = layers.BatchNormalization(name="norm")(convs(image, 1, "conv"))
    model = keras.Model(image, layers.Dropout(0.5, seed=1)(x))
    before = [np.array(v) for v in map(number, model.variables)]
    nodes = [len(layer._inbound_nodes) for layer in model.layers]
    users = [len(layer._outbound_nodes) for layer in model.layers]
    calls_of(model)
    assert nodes == [len(layer._inbound_nodes) for layer in model.layers]
    assert users == [len(layer._outbound_nodes) for layer in model.layers]
    for old, new in zip(before, map(number, model.variables), strict=True):
        np.testing.assert_array_equal(old, new)


def test_rebuilt_keeps_what_inputs_say(image):
    model = keras.Sequential([layers.Conv2D(2, 3)])
    model(np.ones((5, 6, 5, 4)))
    assert model.inputs[0].shape[0] == 5
    new = rebuilt(model, lambda layer: layers.Conv2D(2, 3), plainly)
    assert new.input.shape == (None, 6, 5, 4)

    fixed = keras.Input(batch_shape=(2, 6, 5, 4), dtype="uint8", name="pixels")
    flat = layers.Rescaling(0.5)(fixed)
    new = rebuilt(keras.Model(fixed, flat), lambda _: layers.ReLU(), plainly)
    assert new.input.shape == (2, 6, 5, 4) and new.input.dtype == "uint8"
    assert new.layers[0].name == "pixels"


def test_a_model_with_a_call_of_its_own_is_no_graph(image):
    class Doubled(keras.Model):
        def call(self, inputs):
            return 2 * super().call(inputs)

    class Trained(keras.Model):
        def train_step(self, *args):
            return {}

    x = convs(image, 1, "conv")
    assert is_graph(Trained(image, x)) and not is_graph(Doubled(image, x))
    assert not is_graph(keras.Sequential([layers.ReLU()]))
    assert not is_graph(layers.ReLU())


def plainly(layer, *args, **kwargs):
    return layer(*args, **kwargs)


def number(x):
    return keras.ops.convert_to_numpy(x)
