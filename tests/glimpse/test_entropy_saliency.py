"""EntropySaliency against the entropy's differences, in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.glimpse.entropy_saliency import EntropySaliency
from tests.contract import check_layer
from tests.numbers import as_float32, close, numpy, randomize

BACKEND = keras.backend.backend()
FEATURES = np.random.default_rng(0).normal(size=(3, 5, 7, 4)).astype("float32")
LAST = {"data_format": "channels_last"}


def top(policy="float32", relu=False, trainable=True, pool="max", strides=2):
    """A convolution, batch normalisation, ReLU and a dense layer."""
    activation = keras.layers.ReLU(dtype=policy) if relu else rectified
    pooling = {
        "max": keras.layers.GlobalMaxPooling2D,
        "average": keras.layers.GlobalAveragePooling2D,
    }[pool]
    features = keras.Input((None, None, 4))
    x = keras.layers.Conv2D(6, 3, strides, dtype=policy, **LAST)(features)
    x = keras.layers.BatchNormalization(dtype=policy)(x)
    x = activation(x)
    x = pooling(dtype=policy, **LAST)(x)
    x = keras.layers.Dense(5, dtype=policy)(x)
    model = keras.Model(features, x)
    randomize(model, seed=3)
    model.trainable = trainable
    return model


def rectified(x):
    return ops.maximum(x, 0)


def entropy(logits):
    """In float64, of `(N, classes)`."""
    logits = np.asarray(logits, "float64")
    logs = logits - logits.max(-1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(-1, keepdims=True))
    return -(np.exp(logs) * logs).sum(-1)


def numpy_top(model, x):
    """The same network as `top`, written out in float64, `(N, classes)`."""
    conv, norm, dense = (
        layer for layer in model.layers if layer.count_params()
    )
    kernel, bias = (numpy(w).astype("float64") for w in conv.weights)
    gamma, beta, mean, variance = (
        numpy(w).astype("float64") for w in norm.weights
    )
    high, wide = ((side - 3) // 2 + 1 for side in x.shape[1:3])
    hidden = np.zeros((len(x), high, wide, kernel.shape[-1]))
    for i, j in np.ndindex(high, wide):
        window = x[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        hidden[:, i, j] = np.einsum("nabc,abcd->nd", window, kernel) + bias
    hidden = (hidden - mean) / np.sqrt(variance + norm.epsilon) * gamma + beta
    hidden = np.maximum(hidden, 0).max((1, 2))
    weights, shift = (numpy(w).astype("float64") for w in dense.weights)
    return hidden @ weights + shift


def expected_saliency(function, features):
    """By central differences of the entropy in every feature."""
    step = 1e-5
    slopes = np.zeros(features.shape)
    for place in np.ndindex(features.shape[1:]):
        moved = features.astype("float64")
        moved[(slice(None), *place)] += step
        above = entropy(function(moved))
        moved[(slice(None), *place)] -= 2 * step
        slopes[(slice(None), *place)] = above - entropy(function(moved))
    return np.sqrt(((slopes / (2 * step)) ** 2).sum(-1))


@pytest.mark.slow
def test_contract(tmp_path):
    # The saliency trains nothing, so that the top's weights are frozen; and
    # the top keeps its own policy: half precision is tested below. Where sizes
    # are unknown, JAX has no maximum and no gradient of strides.
    network = top(trainable=False, pool="average", strides=1)
    check_layer(
        EntropySaliency,
        inits=[
            {"top": network},
            {"top": network.layers[1:]},
        ],
        shapes={"features": (3, 5, 7, 4)},
        output=(3, 5, 7),
        weights=(3, 5, 7),
        folder=tmp_path,
        sum_axis=(1, 2),
        free_axes=(1, 2),
        litert_batches=(1, 3),
        policies=["float32"],
        beside=["own_top"],  # else weights are the model's around
    )


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("size", [1, 3])
def test_equals_the_entropys_differences(size, relu):
    network = top(relu=relu)
    features = FEATURES * size
    saliency, weights = EntropySaliency(network)(
        features, return_attention_scores=True
    )
    expected = expected_saliency(lambda x: numpy_top(network, x), features)
    assert (expected.max((1, 2)) > 1e-3).all()
    close(saliency, expected, 1e-3, 1e-4 * expected.max())
    totals = expected.sum((1, 2), keepdims=True)
    close(weights, expected / totals, 1e-3, 1e-5)


def test_tells_the_only_place_that_counts():
    """A classifier that reads one place, and another that reads all alike."""
    reader = keras.Sequential(
        [
            keras.layers.Cropping2D(((2, 2), (4, 2)), **LAST),
            keras.layers.Flatten(**LAST),
            keras.layers.Dense(3),
        ]
    )
    saliency = numpy(EntropySaliency(reader)(FEATURES))
    where = np.zeros((5, 7), "bool")
    where[2, 4] = True
    assert (saliency[:, where] > 1e-3).all() and not saliency[:, ~where].any()
    mean = keras.Sequential(
        [keras.layers.GlobalAveragePooling2D(**LAST), keras.layers.Dense(3)]
    )
    _, weights = EntropySaliency(mean)(FEATURES, return_attention_scores=True)
    close(weights, np.full((3, 5, 7), 1 / 35))


def test_an_answer_that_no_place_decides_has_no_saliency():
    """Of equal logits the entropy is greatest: its slope is zero."""
    network = top()
    network.layers[-1].set_weights([np.zeros((6, 5)), np.ones(5)])
    saliency, weights = EntropySaliency(network)(
        FEATURES, return_attention_scores=True
    )
    assert not numpy(saliency).any() and not numpy(weights).any()


@pytest.mark.parametrize("factor", [50.0, 1e4, 1e8])
def test_is_finite_however_sure_the_classifier_is(factor):
    """Where `-p * log(p)` of a share that is zero would be NaN."""
    network = top()
    head = network.layers[-1]
    head.set_weights([factor * numpy(w) for w in head.weights])
    saliency, weights = EntropySaliency(network)(
        FEATURES, return_attention_scores=True
    )
    for tensor in (saliency, weights):
        assert np.isfinite(numpy(tensor)).all()
    shares = numpy(weights).sum((1, 2))
    assert ((abs(shares - 1) < 1e-4) | (shares == 0)).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("sure", [1.0, 20.0])
def test_half_precision_finds_the_same_places(policy, sure):
    """Sure or not: what runs back is of size 1, and never too small."""
    if BACKEND == "jax" and policy == "mixed_bfloat16":
        pytest.skip("compiled anew for each dtype")
    full, half = (top(kind, pool="average") for kind in ("float32", policy))
    for network in (full, half):
        head = network.layers[-1]
        bias = numpy(head.bias) + sure * np.eye(5)[2]
        head.set_weights([numpy(head.kernel), bias])
    expected, shares = EntropySaliency(full)(
        FEATURES, return_attention_scores=True
    )
    if sure > 1:
        assert numpy(expected).max() < 1e-6
    layer = EntropySaliency(half, dtype=policy)
    saliency, weights = layer(FEATURES, return_attention_scores=True)
    for tensor in (saliency, weights):
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        assert dtype == layer.compute_dtype
    # Other logits, other entropy, but the same places.
    loose = 0.05 if policy == "mixed_float16" else 0.2
    close(as_float32(weights), shares, 0, loose * numpy(shares).max())
    # In a layer of full precision the saliency is kept, too.
    own = as_float32(EntropySaliency(half)(FEATURES))
    assert (own[numpy(expected) > 0] > 0).all()


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # so it must be
def test_no_gradient_flows_and_no_statistics_are_recorded():
    inputs = keras.Input((5, 7, 4))
    network = top()
    coarse = keras.layers.Conv2D(4, 1, **LAST)
    scale = keras.layers.Dense(1)
    features = coarse(inputs)
    saliency = EntropySaliency(network)(features)
    output = scale(keras.layers.Flatten()(saliency))
    model = keras.Model(inputs, output)
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    silent = [*coarse.weights, *network.weights]
    before = [np.array(numpy(w)) for w in silent]
    kernel = np.array(numpy(scale.kernel))
    model.fit(FEATURES, np.ones((3, 1)), epochs=2, verbose=0)
    for old, weight in zip(before, silent):
        np.testing.assert_array_equal(numpy(weight), old)
    assert np.abs(numpy(scale.kernel) - kernel).max() > 0


def shared_model():
    """A classifier that says where it is unsure: one network on top of both."""
    inputs = keras.Input((5, 7, 4))
    features = keras.layers.Conv2D(4, 1, name="coarse", **LAST)(inputs)
    network = keras.Sequential(
        [
            keras.layers.Conv2D(6, 3, strides=2, name="conv", **LAST),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.ReLU(name="relu"),
            keras.layers.GlobalMaxPooling2D(name="pool", **LAST),
            keras.layers.Dense(5, name="logits"),
        ],
        name="top",
    )
    logits = network(features)
    saliency = EntropySaliency(network, name="saliency")(features)
    return keras.Model(inputs, {"logits": logits, "saliency": saliency})


def test_the_top_may_be_shared_with_the_model():
    model = shared_model()
    layer, network = model.get_layer("saliency"), model.get_layer("top")
    assert layer.top is network
    assert len(model.weights) == 2 + len(network.weights)

    plain = keras.Model(model.inputs[0], model.output["logits"])
    twin = keras.models.clone_model(plain)
    twin.set_weights(plain.get_weights())
    target = np.array([0, 3, 1])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = {"logits": loss, "saliency": None}
    # Not compiled: JAX without its optimizations, as tests run, compiles a
    # wrong gradient of this classifier, with or without the saliency.
    model.compile(keras.optimizers.SGD(0.1), losses, jit_compile=False)
    twin.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    model.fit(FEATURES, {"logits": target}, epochs=3, verbose=0)
    twin.fit(FEATURES, target, epochs=3, verbose=0)
    for one, other in zip(plain.get_weights(), twin.get_weights(), strict=True):
        close(one, other)  # statistics, too: recorded once a step
    moving = network.get_layer("norm").moving_mean
    assert np.abs(numpy(moving)).max() > 0


def test_the_top_is_shared_again_in_a_model_from_disk(tmp_path):
    model = shared_model()
    model.get_layer("top").get_layer("logits").bias.assign(np.arange(5.0))
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert reloaded.get_layer("saliency").top is reloaded.get_layer("top")
    assert len(reloaded.weights) == len(model.weights)
    expected, found = model(FEATURES), reloaded(FEATURES)
    for name in expected:
        close(found[name], expected[name])


def asking_model(as_list):
    """A saliency that asks the layers after it, and owns none of them."""
    inputs = keras.Input((5, 7, 4))
    features = keras.layers.Conv2D(4, 1, name="coarse", **LAST)(inputs)
    conv = keras.layers.Conv2D(6, 3, name="conv", **LAST)
    pool = keras.layers.GlobalMaxPooling2D(name="pool", **LAST)
    logits = keras.layers.Dense(5, name="logits")
    network = [conv, pool, logits]
    if not as_list:
        network = keras.Sequential(network, name="top")
        network.build((None, 5, 7, 4))
        conv = pool = lambda x: x
        logits = network
    layer = EntropySaliency(network, own_top=False, name="saliency")
    saliency = layer(features)
    scaled = keras.layers.Multiply()([features, saliency[..., None]])
    return keras.Model(inputs, [logits(pool(conv(scaled))), saliency])


@pytest.mark.parametrize("as_list", [True, False])
def test_a_top_that_is_not_its_own_is_the_models(as_list, tmp_path):
    model = asking_model(as_list)
    randomize(model, seed=5)
    layer = model.get_layer("saliency")
    assert not layer.weights and len(model.weights) == 6
    layer.trainable = False
    assert len(model.trainable_weights) == 6
    twin = type(layer).from_config(layer.get_config())
    x = FEATURES[:2]
    close(twin(x), layer(x))

    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(reloaded.weights) == 6
    for found, expected in zip(reloaded(x), model(x), strict=True):
        assert np.abs(numpy(expected)).max() > 0
        close(found, expected)
    # What is learned afterwards, both know.
    for variable in reloaded.weights:
        variable.assign(variable / 2)
    for variable in model.weights:
        variable.assign(variable / 2)
    for found, expected in zip(reloaded(x), model(x), strict=True):
        close(found, expected)


def test_the_recipe_makes_a_top_of_its_own():
    network = top()
    layer = EntropySaliency(network)
    config = layer.get_config()
    twin = EntropySaliency.from_config(config)
    assert twin.top is not network and config == layer.get_config()
    twin(FEATURES)
    twin.top.set_weights(network.get_weights())
    close(twin(FEATURES), layer(FEATURES))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow's export")
@pytest.mark.parametrize(
    "layers",
    [
        [keras.layers.Conv2D(6, 3, strides=2, padding="same", **LAST)],
        [keras.layers.Conv2D(6, 3, activation="tanh", **LAST)],
        [keras.layers.Conv2D(6, 3, activation="sigmoid", **LAST)],
        [keras.layers.BatchNormalization(), keras.layers.LayerNormalization()],
    ],
    ids=["strides", "tanh", "sigmoid", "normalisations"],
)
@pytest.mark.parametrize("pool", ["flatten", "average", "max"])
def test_exports_to_litert_as_the_docstring_says(tmp_path, layers, pool):
    if pool != "max" and layers[0].name.startswith("batch"):
        pytest.skip("tested with a pooling")
    pooling = {
        "flatten": keras.layers.Flatten,
        "average": keras.layers.GlobalAveragePooling2D,
        "max": keras.layers.GlobalMaxPooling2D,
    }[pool](**LAST)
    layers = [
        keras.layers.deserialize(keras.layers.serialize(x)) for x in layers
    ]
    network = keras.Sequential([*layers, pooling, keras.layers.Dense(5)])
    inputs = keras.Input((5, 7, 4), batch_size=1)
    model = keras.Model(inputs, EntropySaliency(network)(inputs))
    check_litert(model, tmp_path / "model.tflite")


def check_litert(model, file):
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    model.export(
        str(file),
        format="litert",
        verbose=False,
        input_signature=[keras.InputSpec(shape=(1, 5, 7, 4), dtype="float32")],
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )
    interpreter = Interpreter(str(file))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (said,) = interpreter.get_output_details()
    for sample in range(3):
        one = FEATURES[sample : sample + 1]
        interpreter.set_tensor(given["index"], one)
        interpreter.invoke()
        expected = numpy(model(one))
        assert expected.any()
        close(interpreter.get_tensor(said["index"]), expected)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow's export")
def test_exports_where_relu_is_a_maximum(tmp_path):
    network = top()
    inputs = keras.Input((5, 7, 4), batch_size=1)
    model = keras.Model(inputs, EntropySaliency(network)(inputs))
    check_litert(model, tmp_path / "model.tflite")


class Plain(keras.layers.Layer):
    """A top whose `call` knows no `training`."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

    def call(self, features):
        return ops.matmul(ops.mean(features, axis=(1, 2)), self.kernel)


def test_any_layer_may_be_the_top_even_one_that_knows_no_training():
    layer = EntropySaliency(Plain())
    saliency = layer(FEATURES)
    kernel = numpy(layer.top.kernel)
    expected = expected_saliency(lambda x: x.mean((1, 2)) @ kernel, FEATURES)
    close(saliency, expected, 1e-3, 1e-6)


def test_integers_are_read_as_floats():
    layer = EntropySaliency(top())
    integers = (FEATURES * 3).astype("int32")
    expected = layer(integers.astype("float32"))
    close(layer(integers), expected)
    assert numpy(expected).max() > 1e-3


@pytest.mark.parametrize(
    "given", [None, "top", lambda x: x, {"a": 1}, 3, [], [lambda x: x], ["top"]]
)
def test_refuses_a_top_that_is_no_layer(given):
    with pytest.raises(ValueError, match="`top` must be a Keras.*top="):
        EntropySaliency(given)


@pytest.mark.parametrize(
    "network, shape",
    [
        (keras.layers.Flatten, None),
        (lambda: keras.layers.Dense(3), r"\(.*5, 7, 3\)"),
        (
            lambda: keras.Sequential(
                [keras.layers.Flatten(), keras.layers.Dense(1)]
            ),
            r"\(3, 1\)",
        ),
    ],
)
def test_refuses_a_top_that_gives_no_logits(network, shape):
    layer = EntropySaliency(network())
    if shape is None:  # 140 "classes" are a vector as any other
        assert tuple(layer(FEATURES).shape) == (3, 5, 7)
        return
    with pytest.raises(ValueError, match=f"`top` must give.*{shape}"):
        layer(FEATURES)


def test_refuses_features_of_another_rank():
    with pytest.raises(ValueError, match=r"Received: .*\(3, 5, 7\)"):
        EntropySaliency(top())(FEATURES[..., 0])
