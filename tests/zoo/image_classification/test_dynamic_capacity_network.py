"""dynamic_capacity_network: saliency, patches, refined map, hint, costs."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import attention_maps
from tests.numbers import close, numpy, randomize, relu
from tests.zoo.contract import check_task
from tests.zoo.tiny import LABELS, tiny_data
from zoo.data.images import ImageData
from zoo.image_classification.dynamic_capacity_network import (
    PRESETS,
    RefinedMap,
    dynamic_capacity_network,
    hint_loss,
    multiply_adds,
)
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image
from zoo.outputs.label import Label
from zoo.own_loss import NetworkWithOwnLoss


# Of one size with the coarse network's field, larger, and smaller: 7 pixels.
def convolutions(*stack):
    """Of `(filters, kernel size, stride)` each, as the network takes them."""
    keys = ("filters", "kernel_sizes", "strides")
    return dict(zip(keys, map(list, zip(*stack))))


COARSE = convolutions((4, 3, 2), (6, 3, 1))
FINE = {
    7: convolutions((5, 3, 1), (6, 5, 2)),
    9: convolutions((5, 5, 1), (6, 5, 2)),
    4: convolutions((5, 2, 1), (6, 3, 2)),
}
TOP = convolutions((5, 2, 1))
SHAPE = (12, 15, 2)  # a map of 3 x 5 places, 2 pixels apart
PLACES = 15


def network(capacity="dynamic", patch=9, seed=0, **arguments):
    model = dynamic_capacity_network(
        SHAPE,
        3,
        capacity,
        **{
            "coarse": COARSE,
            "fine": FINE[patch],
            "top": TOP,
            "num_patches": 4,
            **arguments,
        },
    )
    for layer in model.layers:
        randomize(layer, seed + sum(map(ord, layer.name)))
    return model


def images(count=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(0, 255, (count, *SHAPE)).astype("float32")


def middle(model, x):
    """What is inside: the outputs of the layers, by their names."""
    outputs = {}
    values = {"image": ops.convert_to_tensor(x)}
    for layer in model.layers[1:]:
        if layer.name == "entropy_saliency":
            features = outputs["coarse_2_relu"]
            _, last = layer(features, return_attention_scores=True)
            saliency = last
        elif layer.name == "salient_patches":
            patches, positions = layer(values["image"], saliency)
            outputs[layer.name] = last = patches
            outputs["positions"] = positions
        elif layer.name == "refined_map":
            outputs["fine"] = last
            last = layer(outputs["coarse_2_relu"], last, outputs["positions"])
        else:
            last = layer(values["image"] if len(outputs) == 0 else last)
        outputs[layer.name] = last
    return {name: numpy(each) for name, each in outputs.items()}


def copied(source, target, rename=lambda name: name):
    """Gives layers the weights of those of the same names, if there are."""
    there = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if layer.weights and rename(layer.name) in there:
            layer.set_weights(there[rename(layer.name)].get_weights())


def compiled(model, rate=0.0, **options):
    model.compile(
        keras.optimizers.SGD(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **options,
    )
    return model


def weights(model):
    return {v.path: numpy(v).copy() for v in model.variables}


def test_the_forms_share_layers_of_the_same_names_and_shapes():
    forms = {name: network(name) for name in ("dynamic", "coarse", "fine")}
    shapes = {
        name: {v.path: tuple(v.shape) for v in model.weights}
        for name, model in forms.items()
    }
    assert shapes["coarse"].items() <= shapes["dynamic"].items()
    assert shapes["fine"].items() <= shapes["dynamic"].items()
    assert not any(path.startswith("fine") for path in shapes["coarse"])
    assert not any(path.startswith("coarse") for path in shapes["fine"])
    both = {**shapes["coarse"], **shapes["fine"]}
    assert both == shapes["dynamic"]
    # Nothing is made, or counted, twice for the saliency's sake.
    assert len(shapes["dynamic"]) == len(forms["dynamic"].weights)


def test_has_the_parameters_of_its_convolutions():
    model = dynamic_capacity_network((60, 60, 1), 10)
    norms = 2 * (12 + 24) + 2 * 4 * 24 + 2 * 96
    expected = (
        *(49 * 12, 9 * 12 * 24),
        *(9 * 24, 9 * 24 * 24, 9 * 24 * 24, 9 * 24 * 24),
        16 * 24 * 96,
        96 * 10 + 10,
    )
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert trainable == sum(expected) + norms


def test_with_all_places_and_the_coarse_weights_it_is_the_coarse_network():
    both = {"fine": COARSE, "num_patches": PLACES}
    coarse = network("coarse", **both)
    dynamic = network(seed=1, **both)
    assert not np.allclose(dynamic(images()), coarse(images()), atol=0.01)
    copied(coarse, dynamic, lambda name: name.replace("fine", "coarse"))
    close(dynamic(images()), coarse(images()))


@pytest.mark.parametrize("patch", FINE)
def test_with_all_places_it_is_the_fine_network(patch):
    fine = network("fine", patch)
    dynamic = network(patch=patch, num_patches=PLACES, seed=1)
    copied(fine, dynamic)
    close(dynamic(images()), fine(images()))
    few = network(patch=patch, num_patches=4, seed=1)
    copied(dynamic, few)
    assert not np.allclose(few(images()), fine(images()), atol=1e-3)


def entropy(model, features):
    """By plain NumPy, float64: the top network's, at inference."""
    top = {
        v.path: numpy(v).astype("float64")
        for name in ("top_1_conv", "top_1_norm", "logits")
        for v in model.get_layer(name).weights
    }
    kernel = top["top_1_conv/kernel"]
    size = kernel.shape[0]
    high, wide = features.shape[1] - size + 1, features.shape[2] - size + 1
    x = sum(
        features[:, i : i + high, j : j + wide] @ kernel[i, j]
        for i in range(size)
        for j in range(size)
    )
    x = (x - top["top_1_norm/moving_mean"]) / np.sqrt(
        top["top_1_norm/moving_variance"] + 1e-5
    )
    x = relu(x * top["top_1_norm/gamma"] + top["top_1_norm/beta"])
    z = x.max(axis=(1, 2)) @ top["logits/kernel"] + top["logits/bias"]
    o = np.exp(z - z.max(axis=-1, keepdims=True))
    o /= o.sum(axis=-1, keepdims=True)
    return -(o * np.log(o)).sum(axis=-1)


def test_the_saliency_is_the_norm_of_the_entropys_gradient():
    model, x = network(), images(2)
    shown = attention_maps(model, x)["salient_patches"]
    coarse = middle(model, x)["coarse_2_relu"].astype("float64")
    for image, features in enumerate(coarse):
        steps = 1e-6 * np.eye(features.size).reshape(-1, *features.shape)
        slopes = entropy(model, features + steps)
        slopes = (slopes - entropy(model, features - steps)) / 2e-6
        expected = np.linalg.norm(slopes.reshape(features.shape), axis=-1)
        assert expected.max() > 2 * expected.mean() > 1e-5
        expected /= expected.sum()
        close(shown["saliency"][image], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("patch", FINE)
def test_the_patches_are_around_the_most_salient_places(patch):
    model, x = network(patch=patch), images(2)
    shown = attention_maps(model, x)["salient_patches"]
    found = middle(model, x)
    patches = found["salient_patches"].reshape(2, 4, patch, patch, 2)
    for image in range(2):
        saliency = shown["saliency"][image]
        order = np.argsort(-saliency.reshape(-1), kind="stable")[:4]
        np.testing.assert_array_equal(found["positions"][image], order)
        for number, place in enumerate(order):
            row, column = divmod(place, 5)
            # The coarse vector reads 7 pixels from 2 * place on.
            top, left = (2 * i + (7 - patch) // 2 for i in (row, column))
            black = np.pad(x[image], ((9, 9), (9, 9), (0, 0)))
            expected = black[top + 9 :, left + 9 :][:patch, :patch]
            np.testing.assert_array_equal(patches[image, number], expected)
            (sx, _, tx), (_, sy, ty) = shown["patches"][image, number]
            # -1 and 1 are the edges of the image, 12 pixels high, 15 wide.
            corners = [(tx - sx + 1) * 7.5, (ty - sy + 1) * 6]
            np.testing.assert_allclose(corners, [left, top], atol=1e-4)
            sides = [15 * sx, 12 * sy]
            np.testing.assert_allclose(sides, [patch, patch], rtol=1e-5)


def test_patches_reach_beyond_the_edge():
    model = network(num_patches=PLACES)
    found = middle(model, images(1))
    corner = list(found["positions"][0]).index(0)
    patch = found["salient_patches"][corner]
    assert not patch[0].any() and not patch[:, 0].any()
    np.testing.assert_array_equal(patch[1:, 1:], images(1)[0, :8, :8])


def test_the_refined_map_is_fine_where_selected_and_coarse_elsewhere():
    generator = np.random.default_rng(0)
    coarse = generator.normal(size=(2, 3, 4, 5)).astype("float32")
    fine = generator.normal(size=(6, 1, 1, 5)).astype("float32")
    positions = np.array([[11, 0, 4], [7, 6, 5]], "int32")
    expected = coarse.copy()
    for image in range(2):
        for number, place in enumerate(positions[image]):
            row, column = divmod(place, 4)
            expected[image, row, column] = fine[3 * image + number, 0, 0]
    refined = RefinedMap()(coarse, fine, positions)
    np.testing.assert_array_equal(numpy(refined), expected)


def test_the_networks_answer_is_the_tops_of_the_refined_map():
    model, x = network(), images()
    found = middle(model, x)
    close(model(x), found["logits"])
    coarse, refined = found["coarse_2_relu"], found["refined_map"]
    changed = (coarse != refined).any(axis=-1).reshape(3, -1)
    for image in range(3):
        assert set(np.flatnonzero(changed[image])) <= set(
            found["positions"][image]
        )
    assert changed.sum() >= 6


def test_the_hint_is_the_squared_distance_where_selected():
    generator = np.random.default_rng(0)
    coarse = generator.normal(size=(2, 3, 4, 5)).astype("float32")
    fine = generator.normal(size=(6, 1, 1, 5)).astype("float32")
    positions = np.array([[11, 0, 4], [7, 6, 5]], "int32")
    expected = [
        sum(
            ((coarse[i].reshape(12, 5)[p] - fine[3 * i + n, 0, 0]) ** 2).sum()
            for n, p in enumerate(positions[i])
        )
        for i in range(2)
    ]
    close(hint_loss(coarse, fine, positions), expected)


def frozen(model, but):
    """All that is frozen normalises in training as at inference."""
    for layer in model.layers:
        layer.trainable = layer.name == but
    return model


def test_training_adds_the_hint_by_its_weight():
    x, y = images(), np.array([0, 2, 1])
    plain = network(hint_weight=0.0)
    assert not isinstance(plain, NetworkWithOwnLoss)
    loss = compiled(frozen(plain, but="logits")).train_on_batch(x, y)
    hinted = frozen(network(hint_weight=0.3), but="logits")
    found = middle(hinted, x)
    own = numpy(
        hint_loss(found["coarse_2_relu"], found["fine"], found["positions"])
    )
    assert own.min() > 0.1
    found = compiled(hinted).train_on_batch(x, y)
    assert found == pytest.approx(loss + 0.3 * own.mean(), rel=1e-4)
    assert hinted.evaluate(x, y, verbose=0) == pytest.approx(loss, rel=1e-4)


def gradients(model, loss):
    """Path -> gradient of what `loss` makes of the model in training."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss(model.whole(images(), training=True))
    found = tape.gradient(value, [v.value for v in model.trainable_variables])
    return {
        v.path: None if g is None else numpy(g)
        for v, g in zip(model.trainable_variables, found)
    }


def test_the_hint_moves_the_coarse_network_only():
    model = network()
    found = gradients(
        model,
        lambda said: ops.sum(model.own_loss(None, None, said["more"])),
    )
    moved = {path for path, g in found.items() if g is not None and np.any(g)}
    coarse = {path for path in found if path.startswith("coarse")}
    assert moved == coarse and len(coarse) == 6


def test_the_answers_loss_moves_everything():
    found = gradients(network(), lambda said: ops.sum(said["output"] ** 2))
    assert all(g is not None and np.any(g) for g in found.values())


def test_the_saliency_is_a_constant():
    import tensorflow as tf

    model = network()
    layer = model.get_layer("entropy_saliency")
    features = tf.constant(
        np.random.default_rng(0).normal(size=(2, 3, 5, 6)), "float32"
    )
    with tf.GradientTape() as tape:
        tape.watch(features)
        _, saliency = layer(features, return_attention_scores=True)
        value = tf.reduce_sum(saliency[:, 0])
    head = [v.value for v in model.get_layer("logits").weights]
    assert tape.gradient(value, [features, *head]) == [None, None, None]


def test_without_doubt_the_saliency_is_finite():
    model = network()
    kernel = model.get_layer("logits").kernel
    kernel.assign(1e6 * numpy(kernel))
    shown = attention_maps(model, images())["salient_patches"]["saliency"]
    assert np.isfinite(shown).all()
    assert np.isfinite(compiled(model).train_on_batch(images(), np.zeros(3)))


@pytest.mark.parametrize("name", ["fine_1_norm", "top_1_norm"])
def test_averages_are_of_what_is_read_and_moved_once_a_step(name):
    # Of the patches, and of the refined map: not of the coarse map as well,
    # which the top network reads for the saliency.
    model, x = frozen(network(), but=name), images()
    before, found = weights(model), middle(model, x)
    compiled(model).train_on_batch(x, np.zeros(3))
    seen = found[name.replace("norm", "conv")]
    expected = 0.9 * before[f"{name}/moving_mean"]
    expected = expected + 0.1 * seen.mean(axis=(0, 1, 2))
    found = weights(model)[f"{name}/moving_mean"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_samples_do_not_see_each_other():
    model, x = network(), images()
    whole = numpy(model(x))
    for image in range(3):
        close(model(x[image : image + 1])[0], whole[image])


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_trains_compiled_by_xla(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = dynamic_capacity_network(
            (16, 16, 1), 3, **PRESETS["tiny"], hint_weight=0.1
        )
    finally:
        keras.config.set_dtype_policy(before)
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 255, (4, 16, 16, 1)).astype("float32")
    old = weights(model)
    compiled(model, 0.1, jit_compile=True).train_on_batch(x, np.arange(4) % 3)
    assert all(
        np.any(numpy(v) != old[v.path]) for v in model.trainable_variables
    )
    assert model(x).dtype == "float32" and np.isfinite(numpy(model(x))).all()


def test_is_kept_as_the_plain_network(tmp_path):
    model = network()
    plain = keras.Model(model.input, model.output)
    plain.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        numpy(loaded(images())), numpy(model(images()))
    )
    # The saliency still asks the layers that answer.
    top = loaded.get_layer("entropy_saliency")._layers_of_top()
    assert top[-1] is loaded.get_layer("logits")
    assert top[0] is loaded.get_layer("top_1_conv")
    assert len(loaded.weights) == len(model.weights)


@pytest.mark.slow
def test_keeps_the_contract_of_a_task(tmp_path):
    from PIL import Image as Pillow

    recipe = {
        "builder": "dynamic_capacity_network",
        "builder_args": {
            "input_shape": [16, 16, 3],
            **{k: v for k, v in PRESETS["tiny"].items()},
        },
        "training": {
            "epochs": 6,
            "batch_size": 8,
            "optimizer": "adamw",
            "learning_rate": 0.02,
            "schedule": "one_cycle",
            "weight_decay": 0.0,
            "seed": 0,
        },
    }
    keras.utils.set_random_seed(0)
    task = ImageClassification.untrained(
        recipe, Image((16, 16), 3), Label(LABELS)
    )
    task.card["data"] = {"name": "tiny"}
    data = tiny_data(24)
    task.follow(data, recipe, verbose=0)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Pillow.fromarray(pixels).save(file)
    check_task(
        task,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        ImageData(data.images, data.labels % 2, ["night", "day"]),
    )
    shown = task.look(data.images[:1])[0]["attention"]
    assert {name: x.shape for name, x in shown.items()} == {
        "entropy_saliency": (5, 5),
        "salient_patches/saliency": (5, 5),
        "salient_patches/patches": (2, 2, 3),
    }


def test_multiply_adds_are_those_counted_by_hand():
    sizes = {
        "coarse": COARSE,
        "fine": FINE[9],
        "top": TOP,
        "num_patches": 4,
    }
    # 12 x 15 pixels: 5 x 7, then 3 x 5; the top network 2 x 4.
    coarse = 5 * 7 * 9 * 2 * 4 + 3 * 5 * 9 * 4 * 6
    top = 2 * 4 * 4 * 6 * 5 + 5 * 3
    # A patch of 9 x 9: 5 x 5, then one.
    patch = 5 * 5 * 25 * 2 * 5 + 25 * 5 * 6
    # All patches together are 13 x 17: 9 x 13, then 3 x 5.
    fine = 9 * 13 * 25 * 2 * 5 + 3 * 5 * 25 * 5 * 6
    assert multiply_adds(SHAPE, 3, "coarse", **sizes) == {
        "coarse": coarse,
        "top": top,
        "total": coarse + top,
    }
    assert multiply_adds(SHAPE, 3, "fine", **sizes) == {
        "fine": fine,
        "top": top,
        "total": fine + top,
    }
    assert multiply_adds(SHAPE, 3, **sizes) == {
        "coarse": coarse,
        "saliency": 2 * top,
        "fine": 4 * patch,
        "top": top,
        "total": coarse + 3 * top + 4 * patch,
    }


@pytest.mark.parametrize("capacity", ["dynamic", "coarse", "fine"])
@pytest.mark.parametrize("patch", FINE)
def test_multiply_adds_are_those_of_the_layers(capacity, patch):
    model = network(capacity, patch)
    found = middle(model, images(1))
    total = 0
    for layer in model.layers:
        if layer.name.endswith("conv"):
            places = np.prod(found[layer.name].shape[:-1])
            total += int(places * np.prod(layer.kernel.shape))
        elif layer.name == "logits":
            total += int(np.prod(layer.kernel.shape))
    counts = multiply_adds(
        SHAPE, 3, capacity, 4, coarse=COARSE, fine=FINE[patch], top=TOP
    )
    assert counts["total"] - counts.get("saliency", 0) == total


def test_the_fine_network_reads_the_patches_only():
    counts = multiply_adds((60, 60, 1), 10)
    whole = multiply_adds((60, 60, 1), 10, "fine")
    assert counts["total"] < whole["total"] / 2 + 2
    model = dynamic_capacity_network((60, 60, 1), 10)
    (patches, _) = model.get_layer("salient_patches").output
    assert patches.shape == (None, 13, 13, 1)


def test_reads_pixels_from_0_to_255():
    model = network()
    for name in ("coarse_rescaling", "fine_rescaling"):
        scaled = model.get_layer(name)(np.array([[0.0, 127.5, 255.0]]))
        np.testing.assert_allclose(numpy(scaled), [[-1, 0, 1]], atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"input_shape": (None, 15, 2)}, r"known.*input_shape=\(None, 15, 2\)"),
        ({"input_shape": (12, None, 2)}, r"input_shape=\(12, None, 2\)"),
        ({"input_shape": (6, 15, 2)}, "large enough.*coarse map is 0 x 5"),
        ({"input_shape": (8, 15, 2)}, "large enough.*coarse map is 1 x 5"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"capacity": "medium"}, "capacity='medium'"),
        ({"num_patches": 16}, "3 x 5 = 15. Received: num_patches=16"),
        ({"num_patches": 0}, "num_patches=0"),
        ({"hint_weight": -1}, "hint_weight=-1"),
        ({"hint_weight": float("nan")}, "hint_weight=nan"),
        ({"coarse": {}}, r"`coarse` must be.*coarse=\{\}"),
        ({"coarse": convolutions()}, "`coarse` must be"),
        ({"coarse": [[4, 3, 2]]}, "`coarse` must be"),
        ({"coarse": {**COARSE, "padding": [1, 1]}}, "`coarse` must be"),
        ({"fine": {**COARSE, "strides": [2]}}, "`fine` must be"),
        ({"fine": {**COARSE, "strides": 2}}, "`fine` must be"),
        ({"top": convolutions((5, 0, 1))}, "`top` must be"),
        ({"top": convolutions((5, 2.5, 1))}, "`top` must be"),
        ({"fine": convolutions((4, 7, 2))}, "same stride.*fine with 4 filters"),
        (
            {"fine": convolutions((6, 7, 1))},
            "stride of 2, fine.*stride of 1",
        ),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {
        "input_shape": SHAPE,
        "num_classes": 3,
        "coarse": COARSE,
        "fine": FINE[9],
        "top": TOP,
    }
    for function in (dynamic_capacity_network, multiply_adds):
        with pytest.raises(ValueError, match=message):
            function(**{**good, **arguments})
