"""grad_cam against the equations, written out in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import grad_cam
from tests.numbers import close, convolve, numpy, randomize, relu

layers = keras.layers
# Neither square nor a multiple of the batch.
IMAGES = np.random.default_rng(0).normal(size=(5, 6, 9, 3)).astype("float32")
IMAGES *= np.array([0.1, 1, 2, 0.2, 5], "float32")[:, None, None, None]
CLASSES = [2, 0, 3, 1, 2]
PLACES = 6 * 9


def features_of(model, name="conv"):
    conv = model.get_layer(name)
    kernel, bias = map(numpy, (conv.kernel, conv.bias))
    return np.stack([relu(convolve(x, kernel) + bias) for x in IMAGES])


def conv(filters=4, **options):
    options = {"padding": "same", "activation": "relu", **options}
    return layers.Conv2D(filters, 3, name="conv", **options)


def pooled(activation=None, ending=None):
    """Convolution, mean over all places, four classes."""
    image = keras.Input((6, 9, 3), name="image")
    x = layers.GlobalAveragePooling2D()(conv()(image))
    x = layers.Dense(4, activation=activation, name="classes")(x)
    model = keras.Model(image, ending(x) if ending else x)
    randomize(model)
    return model


def by_hand(model, classes):
    """Class activation maps: the weights are those of the last layer."""
    kernel = numpy(model.get_layer("classes").kernel)[:, classes]  # (C, B)
    weighted = features_of(model) * kernel.T[:, None, None]
    return relu(weighted.sum(-1)) / PLACES


def test_after_a_mean_over_places_it_is_the_class_activation_map():
    model = pooled()
    maps = grad_cam(model, IMAGES, target=CLASSES)
    assert maps.shape == (5, 6, 9) and maps.dtype == "float32"
    assert (maps == 0).any() and (maps > 0).any()
    close(maps, by_hand(model, CLASSES))
    close(grad_cam(model, IMAGES, target=3), by_hand(model, [3] * 5))
    highest = numpy(model(IMAGES)).argmax(-1)
    assert len(set(highest)) > 1
    close(grad_cam(model, IMAGES), by_hand(model, highest))


def test_batches_do_not_change_the_maps():
    model = pooled()
    for target in (None, CLASSES):
        maps = grad_cam(model, IMAGES, target=target, batch_size=2)
        close(maps, grad_cam(model, IMAGES, target=target))


def test_weights_are_the_mean_of_the_gradient_where_places_differ():
    image = keras.Input((6, 9, 3))
    x = layers.Flatten()(conv()(image))
    x = layers.Dense(5, activation="tanh", name="hidden")(x)
    model = keras.Model(image, layers.Dense(4, name="classes")(x))
    randomize(model)
    features = features_of(model)
    hidden, classes = model.get_layer("hidden"), model.get_layer("classes")
    kernel, bias = map(numpy, (hidden.kernel, hidden.bias))
    state = np.tanh(features.reshape(5, -1) @ kernel + bias)
    slope = numpy(classes.kernel)[:, CLASSES].T * (1 - state**2)
    weights = (slope @ kernel.T).reshape(features.shape).mean((1, 2))
    expected = relu((features * weights[:, None, None]).sum(-1))
    close(grad_cam(model, IMAGES, target=CLASSES), expected)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "softmax"},
        {"ending": layers.Softmax},
        {"ending": lambda: layers.Activation("softmax")},
        {"ending": lambda: ops.softmax},
    ],
    ids=["activation", "Softmax", "Activation", "operation"],
)
def test_the_score_is_from_before_the_softmax(options):
    if "ending" in options:
        options = {"ending": options["ending"]()}
    model = pooled(**options)
    before = numpy(model(IMAGES)).copy()
    close(before.sum(-1), np.ones(5))
    maps = grad_cam(model, IMAGES, target=CLASSES)
    close(maps, by_hand(model, CLASSES))
    close(grad_cam(model, IMAGES), by_hand(model, before.argmax(-1)))
    close(model(IMAGES), before, rtol=0, atol=0)


def test_a_softmax_inside_the_model_counts():
    image = keras.Input((6, 9, 3))
    x = layers.Softmax()(conv()(image))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(4)(x))
    randomize(model)
    maps = grad_cam(model, IMAGES, "conv", target=1)
    close(maps, grad_cam(model, IMAGES, "conv", target=lambda x: x[:, 1]))
    assert maps.any()


def test_a_function_is_given_what_the_model_returns():
    model = pooled("softmax")
    maps = grad_cam(model, IMAGES, target=lambda x: x[:, 1])
    p = numpy(model(IMAGES))
    kernel = numpy(model.get_layer("classes").kernel)
    weights = p[:, 1:2] * (kernel[:, 1] - p @ kernel.T) / PLACES
    expected = (features_of(model) * weights[:, None, None]).sum(-1)
    close(maps, relu(expected), atol=1e-7)


def test_the_features_are_those_of_the_layer_that_is_named():
    image = keras.Input((6, 9, 3))
    x = layers.Conv2D(2, 3, name="last")(conv(activation=None)(image))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    randomize(model)
    assert grad_cam(model, IMAGES).shape == (5, 4, 7)
    close(grad_cam(model, IMAGES), grad_cam(model, IMAGES, layer="last"))
    assert grad_cam(model, IMAGES, layer="conv").shape == (5, 6, 9)


@pytest.mark.parametrize("kind", ["functional", "Sequential", "unbuilt"])
def test_a_nested_model_gives_paths(kind):
    inner = pooled().layers[1]
    parts = [inner] if kind == "unbuilt" else [keras.Input((6, 9, 3)), inner]
    backbone = keras.Sequential(parts, name="backbone")
    head = [layers.GlobalAveragePooling2D(), layers.Dense(4, name="classes")]
    if kind == "functional":
        image = keras.Input((6, 9, 3))
        model = keras.Model(image, head[1](head[0](backbone(image))))
    else:
        model = keras.Sequential([backbone, *head])
    model(IMAGES)
    expected = by_hand_of(inner, head[1])
    for layer in (None, "backbone", "backbone/conv"):
        maps = grad_cam(model, IMAGES, layer=layer, target=CLASSES)
        close(maps, expected)


def by_hand_of(inner, head):
    kernel, bias = map(numpy, (inner.kernel, inner.bias))
    features = np.stack([relu(convolve(x, kernel) + bias) for x in IMAGES])
    weights = numpy(head.kernel)[:, CLASSES].T / PLACES
    return relu((features * weights[:, None, None]).sum(-1))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.conv = conv()
        self.classes = layers.Dense(4, name="classes")

    def call(self, inputs):
        return self.classes(ops.mean(self.conv(inputs), axis=(1, 2)))


def test_a_subclassed_model_need_not_be_built():
    model = Subclassed()
    maps = grad_cam(model, IMAGES, target=CLASSES)
    close(maps, by_hand_of(model.conv, model.classes))


def test_a_layer_called_again_is_named_again():
    image = keras.Input((6, 9, 3))
    shared = conv(3)
    x = shared(shared(image))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    randomize(model)
    first, second = (grad_cam(model, IMAGES, n) for n in ("conv", "conv_2"))
    assert not np.allclose(first, second)
    close(grad_cam(model, IMAGES), second)
    features = numpy(shared(shared(IMAGES)))
    highest = numpy(model(IMAGES)).argmax(-1)
    chosen = np.stack([x[..., k] for x, k in zip(features, highest)])
    close(second, chosen / PLACES)


def test_a_sum_counts_and_a_map_of_one_place_does_not():
    image = keras.Input((6, 9, 3))
    x = conv()(image)
    x = x + layers.Conv2D(4, 1, name="branch")(x)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(4, 1, name="classes")(x)
    model = keras.Model(image, layers.Flatten()(x))
    randomize(model)
    maps = grad_cam(model, IMAGES, target=CLASSES)
    features = features_of(model)
    kernel, bias = map(numpy, model.get_layer("branch").weights)
    features = features + features @ kernel[0, 0] + bias
    weights = numpy(model.get_layer("classes").kernel)[0, 0][:, CLASSES].T
    expected = relu((features * weights[:, None, None]).sum(-1)) / PLACES
    close(maps, expected)


def test_weights_of_attention_are_no_feature_map():
    image = keras.Input((6, 9, 3))
    x = layers.Reshape((54, 4))(conv()(image))
    x = layers.MultiHeadAttention(2, 3, flash_attention=False)(x, x)
    model = keras.Model(image, layers.GlobalAveragePooling1D()(x))
    maps = grad_cam(model, IMAGES)
    close(maps, grad_cam(model, IMAGES, layer="conv"))


@pytest.mark.parametrize("explicit", [False, True])
def test_channels_first_gives_the_same_places(explicit):
    last = pooled()
    image = keras.Input((3, 6, 9))
    first = {"data_format": "channels_first"}
    x = conv(activation=None, **first)(image)
    x = layers.ReLU(name="relu")(x)  # has no data format of its own
    x = layers.GlobalAveragePooling2D(**first)(x)
    model = keras.Model(image, layers.Dense(4, name="classes")(x))
    model.set_weights(last.get_weights())
    maps = grad_cam(
        model,
        np.moveaxis(IMAGES, -1, 1).copy(),
        target=CLASSES,
        **(first if explicit else {}),
    )
    close(maps, by_hand(last, CLASSES))


def test_the_data_format_may_be_told_where_no_layer_has_one():
    image = keras.Input((3, 6, 9))
    x = layers.Rescaling(2.0, name="rescaled")(image)
    model = keras.Model(image, ops.mean(x, axis=(2, 3)))
    data = np.moveaxis(IMAGES, -1, 1).copy()
    options = {"layer": "rescaled", "target": 1}
    maps = grad_cam(model, data, data_format="channels_first", **options)
    close(maps, relu(2 * IMAGES[..., 1] / PLACES))
    assert grad_cam(model, data, **options).shape == (5, 3, 6)


def test_inputs_come_as_the_model_takes_them():
    plain = pooled()
    scale = keras.Input((1,), name="scale")
    image = keras.Input((6, 9, 3), name="image")
    model = keras.Model(
        {"image": image, "scale": scale}, plain(image) * (2 * scale)
    )
    scales = np.arange(1, 6, dtype="float32")[:, None]
    inputs = {"image": IMAGES, "scale": scales}
    maps = grad_cam(model, inputs, target=CLASSES)
    expected = by_hand(plain, CLASSES) * 2 * scales[..., None]
    close(maps, expected)


def test_the_model_is_left_as_it_was():
    image = keras.Input((6, 9, 3))
    x = layers.BatchNormalization()(conv()(image))
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.5)(x))
    model = keras.Model(image, layers.Dense(4, activation="softmax")(x))
    randomize(model)
    model.get_layer("conv").trainable = False
    state = [numpy(w).copy() for w in model.weights]
    members = [dict(vars(layer)) for layer in model.layers]
    maps = grad_cam(model, IMAGES)
    close(grad_cam(model, IMAGES), maps, rtol=0, atol=1e-7)
    for weight, before in zip(model.weights, state, strict=True):
        close(weight, before, rtol=0, atol=0)
        assert getattr(weight.value, "grad", None) is None
    for layer, before in zip(model.layers, members, strict=True):
        assert vars(layer).keys() == before.keys()
        assert vars(layer).get("activation") is before.get("activation")
    assert len(model.trainable_weights) == 4
    with pytest.raises(ValueError, match="target"):
        grad_cam(model, IMAGES, target=lambda outputs: outputs)
    assert not any("call" in vars(layer) for layer in model.layers)


def test_maps_in_half_precision_are_float32():
    keras.config.set_dtype_policy("mixed_float16")
    model = pooled()
    maps = grad_cam(model, IMAGES, target=CLASSES)
    assert maps.dtype == "float32"
    close(maps, by_hand(model, CLASSES), rtol=0.02, atol=2e-3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layer": "pool"}, r"'conv': \(5, 6, 9, 4\).*layer='pool'"),
        ({"layer": "classes"}, "rank 4.*layer='classes'"),
        ({"target": 4}, "below 4"),
        ({"target": -1}, "0 or greater.*target=-1"),
        ({"target": [0, 1]}, "5 samples"),
        ({"target": 1.0}, "target=1.0"),
        ({"target": True}, "target=True"),
        ({"target": lambda x: x}, "one score for each sample"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"data_format": "last"}, "data_format='last'"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        grad_cam(pooled(), IMAGES, **options)


def test_refuses_models_without_a_map_or_a_class():
    with pytest.raises(ValueError, match="type Dense"):
        grad_cam(layers.Dense(2), IMAGES)
    flat = keras.Sequential([layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="more than one place"):
        grad_cam(flat, IMAGES)
    with pytest.raises(ValueError, match=r"outputs=\(5, 6, 9, 4\)"):
        grad_cam(keras.Sequential([conv()]), IMAGES)
