"""recurrent_attention_model: its glimpses, its choices, and who learns what."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from keras_attention import attention_maps
from tests.numbers import arrays, close, numpy, randomize, relu
from tests.zoo.contract import check_task
from tests.zoo.tiny import LABELS, tiny_data
from zoo import training
from zoo.image_classification.recurrent_attention_model import (
    PRESETS,
    Glimpses,
    recurrent_attention_model,
    reinforce_loss,
)
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image as ImageInput
from zoo.outputs.label import Label
from zoo.own_loss import NetworkWithOwnLoss

RNG = np.random.default_rng(0)
SHAPE = (10, 17, 2)  # not square, so that x and y are told apart
IMAGES = RNG.uniform(0, 255, (5, *SHAPE)).astype("float32")
PIXELS = IMAGES / 127.5 - 1
Y = np.array([0, 1, 2, 1, 0])
TINY = PRESETS["tiny"]
LEAST = {**TINY, "num_glimpses": 2, "num_scales": 1}
CHOSEN = ("locator", "baseline")
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(**arguments):
    keras.utils.set_random_seed(0)
    return recurrent_attention_model(SHAPE, 3, **{**TINY, **arguments})


def glimpses(**arguments):
    """The layer with weights of its own, as large as the tiny network's."""
    options = {"num_glimpses": 3, "size": 4, "num_scales": 2, "seed": 7}
    options |= {"glimpse_units": 5, "units": 6, "deviation": 0.8}
    layer = Glimpses(**{**options, **arguments})
    layer.build(IMAGES.shape)
    randomize(layer)
    return layer


# The paper in NumPy, one image at a time.


def retina(image, place, size, num_scales, scale):
    height, width, channels = image.shape
    patches = []
    for step in range(num_scales):
        factor = scale**step
        side = size * factor
        left = int(np.floor(((place[0] + 1) * width - side) / 2 + 0.501))
        top = int(np.floor(((place[1] + 1) * height - side) / 2 + 0.501))
        patch = np.zeros((side, side, channels))
        for row in range(side):
            for column in range(side):
                if 0 <= top + row < height and 0 <= left + column < width:
                    patch[row, column] = image[top + row, left + column]
        small = np.zeros((size, size, channels))
        for row in range(size):
            for column in range(size):
                rows = slice(row * factor, (row + 1) * factor)
                columns = slice(column * factor, (column + 1) * factor)
                small[row, column] = patch[rows, columns].mean(axis=(0, 1))
        patches.append(small)
    return np.concatenate(patches, axis=-1)


def unrolled(layer, image, places, noise):
    """State, log-probabilities, baselines, and all that they are made of.

    `places` begins with the first place; the others are the means plus noise.
    """
    names = ("patches", "place", "from_patches", "from_glimpse")
    (wp, bp), (wl, bl), (wgp, bg), (whg, bh) = (
        arrays(layer, f"{name}/kernel", f"{name}/bias") for name in names
    )
    wgl, whh = arrays(layer, "from_place/kernel", "from_state/kernel")
    wm, bm, wb, bb = arrays(
        layer,
        *(f"{name}/{part}" for name in CHOSEN for part in ("kernel", "bias")),
    )
    state, place = np.zeros(layer.units), places
    logs, baselines, steps = [], [], []
    for glimpse in range(layer.num_glimpses):
        if glimpse:
            mean = np.tanh(state @ wm + bm)
            drawn = mean + layer.deviation * noise[glimpse - 1]
            density = np.exp(-0.5 * ((drawn - mean) / layer.deviation) ** 2)
            density /= np.sqrt(2 * np.pi) * layer.deviation
            logs.append(np.log(density.prod()))
            baselines.append((state @ wb + bb)[0])
            steps.append((state, mean, drawn))
            place = np.clip(drawn, -1, 1)
        rho = retina(image, place, layer.size, layer.num_scales, layer.scale)
        what = relu(rho.reshape(-1) @ wp + bp)
        where = relu(place @ wl + bl)
        seen = relu(what @ wgp + where @ wgl + bg)
        state = relu(state @ whh + seen @ whg + bh)
    return state, logs, baselines, steps


def draws(layer, batch):
    """What a seed will draw: the first places, and the noise of the others."""
    generator = keras.random.SeedGenerator(layer.seed)
    first = keras.random.uniform((batch, 2), -1.0, 1.0, seed=generator)
    noise = [
        keras.random.normal((batch, 2), seed=generator)
        for _ in range(layer.num_glimpses - 1)
    ]
    return numpy(first), np.stack([numpy(x) for x in noise], axis=1)


# Equations


@pytest.mark.parametrize("scale", [2, 3])
def test_in_inference_it_looks_at_the_centre_and_then_at_the_means(scale):
    layer = glimpses(scale=scale)
    found = layer(PIXELS)
    for index, image in enumerate(PIXELS):
        state, logs, baselines, _ = unrolled(
            layer, image, np.zeros(2), np.zeros((2, 2))
        )
        close(found["state"][index], state)
        close(found["log_probability"][index], logs)
        close(found["baseline"][index], baselines)


def test_in_training_it_draws_and_the_draw_counts_as_it_was():
    layer = glimpses()
    first, noise = draws(layer, 5)
    found = layer(PIXELS, training=True)
    outside = 0
    for index, image in enumerate(PIXELS):
        state, logs, baselines, steps = unrolled(
            layer, image, first[index], noise[index]
        )
        close(found["state"][index], state)
        # Of what was drawn, not of the place at the edge that it is moved to.
        close(found["log_probability"][index], logs)
        close(found["baseline"][index], baselines)
        outside += sum(np.abs(drawn).max() > 1 for *_, drawn in steps)
    assert outside > 2


def test_a_choice_is_left_for_all_glimpses_but_the_last():
    for batch in (1, 5):
        found = glimpses(num_glimpses=4)(PIXELS[:batch], training=True)
        assert found["state"].shape == (batch, 6)
        assert found["log_probability"].shape == (batch, 3)
        assert found["baseline"].shape == (batch, 3)


def test_the_loss_is_that_of_the_baseline_and_the_score_function():
    logits = np.array([[2.0, 1, 0], [0, 1, 2], [0, 3, 1], [1, 0, 0]], "float32")
    labels = np.array([0, 0, 1, 2])
    rewards = [1, 0, 1, 0]
    logs = RNG.normal(size=(4, 2)).astype("float32")
    baseline = RNG.uniform(size=(4, 2)).astype("float32")
    expected = []
    for reward, log, b in zip(rewards, logs, baseline):
        error = sum((b[t] - reward) ** 2 for t in range(2)) / 2
        score = -sum((reward - b[t]) * log[t] for t in range(2))
        expected.append(error + 0.3 * score)
    given = [ops.convert_to_tensor(x) for x in (logits, logs, baseline)]
    close(reinforce_loss(labels, *given, weight=0.3), expected)
    close(reinforce_loss(labels[:, None], *given, weight=0.3), expected)
    one = [x[:1] for x in given]
    close(reinforce_loss(labels[:1], *one, weight=0.3), expected[:1])


def test_has_the_layers_of_the_paper():
    model = network()
    patches = 4 * 4 * 2 * 2
    core = (patches + 1) * 8 + (2 + 1) * 8 + (8 + 1) * 12 + 8 * 12
    core += (12 + 1) * 12 + 12 * 12
    head = (12 + 1) * 3
    chosen = (12 + 1) * 2 + (12 + 1) * 1
    assert model.count_params() == core + head + chosen
    for policy in ("random", "centre"):
        plain = network(policy=policy)
        assert plain.count_params() == core + head
        assert not isinstance(plain, NetworkWithOwnLoss)
    assert [layer.name for layer in model.layers] == [
        "image",
        "rescaling",
        "glimpses",
        "logits",
    ]


# Who learns what


def own_network(own_loss, loss=lambda y, logits: 0.0 * logits, rate=1.0):
    """The layer and a head, which learn from `own_loss` and nothing else."""
    layer = glimpses(name="glimpses")
    image = keras.Input(SHAPE, name="image")
    more = layer(image)
    logits = keras.layers.Dense(3, name="logits")(more.pop("state"))
    model = NetworkWithOwnLoss(image, logits, more, own_loss)
    randomize(model, seed=1)
    model.compile(keras.optimizers.SGD(rate), loss, jit_compile=False)
    return model


def moved(model):
    """Names of the sublayers that a step moves, and their weights' steps."""
    before = {v.path: numpy(v.value).copy() for v in model.trainable_weights}
    model.train_on_batch(PIXELS, Y)
    steps = {
        v.path: numpy(v.value) - before[v.path] for v in model.trainable_weights
    }
    names = {
        path.split("/")[-2] for path, step in steps.items() if np.any(step)
    }
    return names, {path.split("/", 1)[1]: x for path, x in steps.items()}


def reward_of(y, logits):
    right = ops.equal(ops.argmax(logits, -1), ops.cast(y, "int64"))
    return ops.cast(right, "float32")[:, None]


def test_the_cross_entropy_trains_all_but_locator_and_baseline():
    names, _ = moved(
        own_network(
            lambda y, logits, more: 0.0 * reinforce_loss(y, logits, **more),
            CROSS_ENTROPY,
        )
    )
    core = {"patches", "place", "from_patches", "from_place"}
    assert names == core | {"from_glimpse", "from_state", "logits"}


@pytest.mark.parametrize(
    "trained, options",
    [
        ({"locator", "baseline"}, {}),
        ({"baseline"}, {"weight": 0.0}),
    ],
)
def test_the_own_loss_trains_locator_and_baseline_alone(trained, options):
    model = own_network(
        lambda y, logits, more: reinforce_loss(y, logits, **more, **options)
    )
    assert moved(model)[0] == trained


def test_the_locators_step_is_the_score_functions():
    """By hand: the sum over choices of (R - b) d log pi / d weights."""
    model = own_network(
        lambda y, logits, more: reinforce_loss(y, logits, **more, weight=0.5)
    )
    layer = model.get_layer("glimpses")
    first, noise = draws(layer, len(PIXELS))
    w, bias = model.get_layer("logits").get_weights()
    kernel, offset = np.zeros((6, 2)), np.zeros(2)
    of_baseline = np.zeros((6, 1))
    for index, image in enumerate(PIXELS):
        state, _, baselines, steps = unrolled(
            layer, image, first[index], noise[index]
        )
        reward = float(np.argmax(state @ w + bias) == Y[index])
        for (before, mean, drawn), b in zip(steps, baselines, strict=True):
            slope = (drawn - mean) / layer.deviation**2 * (1 - mean**2)
            kernel += 0.5 * (reward - b) * np.outer(before, slope)
            offset += 0.5 * (reward - b) * slope
            of_baseline += 2 * (reward - b) / 2 * before[:, None]
    _, steps = moved(model)
    close(steps["locator/kernel"], kernel / 5, rtol=1e-3)
    close(steps["locator/bias"], offset / 5, rtol=1e-3)
    close(steps["baseline/kernel"], of_baseline / 5, rtol=1e-3)


@pytest.mark.slow
def test_a_training_step_adds_the_loss():
    for weight in (0.25, 1.0):
        model = network(score_weight=weight)
        model.compile(
            keras.optimizers.SGD(0.0), CROSS_ENTROPY, jit_compile=False
        )
        generator = model.get_layer("glimpses").seed_generator
        state = numpy(generator.state.value).copy()
        parts = model(IMAGES, training=True)
        own = reinforce_loss(Y, parts["output"], **parts["more"], weight=weight)
        expected = numpy(CROSS_ENTROPY(Y, parts["output"])) + numpy(own).mean()
        generator.state.assign(state)
        found = model.train_on_batch(IMAGES, Y)
        assert np.ravel(found)[0] == pytest.approx(expected, rel=1e-4)


def spots(count, seed):
    """Black images; a spot far from the centre is bright or grey, the label."""
    labels = np.random.default_rng(seed).integers(0, 2, count)
    images = np.zeros((count, 12, 20, 1), "float32")
    images[:, 2:5, 14:17] = 255 - 120 * labels[:, None, None, None]
    return images, labels


@pytest.mark.slow
def test_learns_to_look_where_the_answer_is():
    keras.utils.set_random_seed(0)
    model = recurrent_attention_model(
        (12, 20, 1), 2, 2, 4, glimpse_units=16, units=16, deviation=0.3
    )
    model.compile(
        keras.optimizers.Adam(3e-3),
        CROSS_ENTROPY,
        metrics=["accuracy"],
        jit_compile=False,
    )
    before = attention_maps(model, spots(1, 0)[0])["glimpses"]["glimpses"]
    model.fit(*spots(6400, 1), batch_size=32, epochs=5, verbose=0)
    x, y = spots(100, 2)
    assert model.evaluate(x, y, verbose=0)[1] > 0.95
    after = attention_maps(model, x[:1])["glimpses"]["glimpses"]
    spot = np.array([15.5 / 20, 3.5 / 12]) * 2 - 1
    missed = [np.abs(w[0, 1, 0, :, 2] - spot).max() for w in (before, after)]
    assert missed[1] < 0.3 < missed[0]


# What it promises


def test_inference_draws_nothing():
    model = network()
    generator = model.get_layer("glimpses").seed_generator
    before = numpy(generator.state.value).copy()
    first = numpy(model(IMAGES))
    np.testing.assert_array_equal(first, numpy(model(IMAGES)))
    close(model.predict(IMAGES, batch_size=2, verbose=0), first)
    close(model(IMAGES[1:2]), first[1:2])
    np.testing.assert_array_equal(numpy(generator.state.value), before)


def test_training_draws_anew_by_its_seed():
    one, other = glimpses(), glimpses()
    first = numpy(one(PIXELS, training=True)["log_probability"])
    close(other(PIXELS, training=True)["log_probability"], first)
    assert (numpy(one(PIXELS, training=True)["log_probability"]) != first).any()
    third = glimpses(seed=8)(PIXELS, training=True)["log_probability"]
    assert (numpy(third) != first).any()


def places(layer, images, **options):
    """The centres of the finest patches, `(B, T, 2)`."""
    found = layer(images, return_attention_scores=True, **options)
    return numpy(found[1]["glimpses"])[:, :, 0, :, 2]


def test_says_where_it_looked():
    layer = glimpses()
    outputs, weights = layer(PIXELS, return_attention_scores=True)
    assert weights["glimpses"].shape == (5, 3, 2, 2, 3)
    close(outputs["state"], layer(PIXELS)["state"])
    ratios = numpy(weights["glimpses"])[:, :, :, [0, 1], [0, 1]]
    close(ratios, np.full((5, 3, 2, 2), [[4 / 17, 4 / 10], [8 / 17, 8 / 10]]))
    looked = places(layer, PIXELS)
    half = 0.501 * 2 / np.array([17, 10])  # a patch lies on whole pixels
    assert (np.abs(looked[:, 0]) <= half).all()
    for index, image in enumerate(PIXELS):
        *_, steps = unrolled(layer, image, np.zeros(2), np.zeros((2, 2)))
        for step, (_, mean, _) in enumerate(steps, 1):
            assert (np.abs(looked[index, step] - mean) <= half).all()
    model = network()
    maps = attention_maps(model, IMAGES)["glimpses"]
    assert list(maps) == ["glimpses"]
    assert maps["glimpses"].shape == (5, 3, 2, 2, 3)


def test_drawn_places_stay_in_the_image():
    layer = glimpses(deviation=5.0)
    many = np.zeros((400, *SHAPE), "float32")
    looked = places(layer, many, training=True)
    half = 1.002 / np.array([17, 10])
    assert (np.abs(looked) <= 1 + half).all()
    assert (np.abs(looked[:, 1:]) >= 1 - half).mean() > 0.7
    # The first is anywhere: a uniform distribution's mean and variance.
    assert np.abs(looked[:, 0].mean(0)).max() < 0.1
    assert np.abs(looked[:, 0].var(0) - 1 / 3).max() < 0.05


@pytest.mark.parametrize("training", [False, True])
def test_policies_that_do_not_learn(training):
    random = glimpses(policy="random")
    looked = places(random, np.zeros((200, *SHAPE)), training=training)
    assert np.abs(looked.mean(0)).max() < 0.2
    assert np.abs(looked.var(0) - 1 / 3).max() < 0.1
    again = places(random, np.zeros((200, *SHAPE)), training=training)
    assert (again != looked).any(axis=(0, 2)).all()
    centre = glimpses(policy="centre", num_glimpses=1)
    looked = places(centre, PIXELS, training=training)
    close(looked, np.zeros((5, 1, 2)) + [1 / 17, 0])
    for layer in (random, centre):
        assert list(layer(PIXELS)) == ["state"]


@pytest.mark.slow
def test_one_step_under_xla_moves_every_weight():
    model = network()
    randomize(model.get_layer("glimpses"))
    model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY, jit_compile=True)
    before = [numpy(v.value).copy() for v in model.trainable_weights]
    log = model.fit(IMAGES, Y, batch_size=5, epochs=2, verbose=0)
    assert np.isfinite(log.history["loss"]).all()
    for old, new in zip(before, model.trainable_weights, strict=True):
        assert np.any(old != numpy(new.value)), new.path


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.slow
def test_half_precision_keeps_what_it_chooses_in_full(policy):
    with_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = network(**LEAST)
    finally:
        keras.config.set_dtype_policy(with_policy)
    found = model.get_layer("glimpses")(PIXELS, training=True)
    dtypes = {
        name: keras.backend.standardize_dtype(x.dtype)
        for name, x in found.items()
    }
    assert dtypes == {
        "state": policy.removeprefix("mixed_"),
        "log_probability": "float32",
        "baseline": "float32",
    }
    assert model.output.dtype == "float32"
    model.compile("adam", CROSS_ENTROPY, jit_compile=False)
    log = model.fit(IMAGES, Y, epochs=2, batch_size=1, verbose=0)
    assert np.isfinite(log.history["loss"]).all()
    whole = network(**LEAST)
    whole.set_weights(model.get_weights())
    # A place between two pixels may be cut out at either, not further away.
    (half_places, places) = (
        attention_maps(each, IMAGES)["glimpses"]["glimpses"][..., 2]
        for each in (model, whole)
    )
    pixel = 2 / np.array([SHAPE[1], SHAPE[0]])
    assert (abs(half_places - places) <= pixel + 1e-2).all()
    # At the same places, the same answers.
    for each in (model, whole):
        locator = each.get_layer("glimpses").locator
        kernel, _ = locator.get_weights()
        locator.set_weights([0 * kernel, np.array([0.31, -0.22])])
    close(model(IMAGES), whole(IMAGES), rtol=0.1, atol=0.1)


@pytest.mark.slow
def test_reads_images_of_any_size():
    keras.utils.set_random_seed(0)
    options = {**TINY, "num_glimpses": 2}
    model = recurrent_attention_model((None, None, 2), 3, **options)
    model.compile("sgd", CROSS_ENTROPY, jit_compile=False)
    fixed = network(**options)
    fixed.set_weights(model.get_weights())
    close(model.predict(IMAGES, verbose=0), fixed(IMAGES))
    for shape in ((5, 3, 30, 2), (5, 40, 7, 2)):
        assert np.isfinite(model.train_on_batch(np.ones(shape), Y)).all()


class Killed(Exception):
    pass


@pytest.mark.slow
def test_goes_on_after_a_kill_with_the_same_draws(tmp_path, monkeypatch):
    data, plan = (IMAGES, Y), {"epochs": 3, "optimizer": "adamw"}
    plan |= {"loss": CROSS_ENTROPY, "learning_rate": 0.01}
    plan |= {"verbose": 0, "jit_compile": False}

    def train(model, folder=None):
        batches = Once(*data)
        return training.fit(model, batches, folder=folder, **plan)

    log = train(network(**LEAST))
    write = training._Run.save

    def save(self, model):
        write(self, model)
        if len(self.log) == 1:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(training._Run, "save", save)
        train(network(**LEAST), tmp_path)
    again = train(network(**LEAST), tmp_path)
    assert [x["loss"] for x in again] == pytest.approx(
        [x["loss"] for x in log], rel=1e-5
    )


class Once(keras.utils.PyDataset):
    """One batch."""

    def __init__(self, x, y):
        super().__init__()
        self.batch = x, y

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


def test_the_layer_keeps_its_arguments():
    layer = glimpses(scale=3, policy="random", dtype="mixed_bfloat16")
    again = Glimpses.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.policy == "random" and again.seed == 7 and again.scale == 3
    assert layer.compute_output_shape((None, 9, 9, 2)) == {"state": (None, 6)}


PLAN = {
    "epochs": 4,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "schedule": "one_cycle",
    "weight_decay": 0.0,
    "seed": 0,
}


@pytest.mark.slow
def test_keeps_the_contract_of_a_task(tmp_path):
    recipe = {
        "builder": "recurrent_attention_model",
        "builder_args": {"input_shape": [16, 16, 3], **LEAST},
        "training": PLAN,
    }
    keras.utils.set_random_seed(0)
    task = ImageClassification.untrained(
        recipe, ImageInput((16, 16), 3), Label(LABELS)
    )
    data = tiny_data(24)
    task.follow(data, recipe, verbose=0)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, pixels in zip(files, data.images):
        Image.fromarray(pixels).save(file)
    check_task(
        task,
        recipe,
        data,
        list(data.images[:3]),
        list(map(str, files)),
        tmp_path / "made",
        type(data)(data.images, data.labels % 2, ["night", "day"]),
    )


# Errors


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_classes": 1}, "num_classes=1"),
        ({"num_glimpses": 0}, "num_glimpses=0"),
        ({"num_glimpses": 1}, "at least 2 .* num_glimpses=1"),
        ({"glimpse_size": 0}, "size=0"),
        ({"num_scales": 0}, "num_scales=0"),
        ({"scale": 1.5}, "scale=1.5"),
        ({"glimpse_units": 0}, "glimpse_units=0"),
        ({"units": True}, "units=True"),
        ({"deviation": 0}, "deviation=0"),
        ({"policy": "center"}, "policy='center'"),
        ({"score_weight": 0}, "score_weight=0"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"input_shape": (16, 16, 3), "num_classes": 3, **TINY}
    with pytest.raises(ValueError, match=f"(?s){message}"):
        recurrent_attention_model(**{**good, **arguments})
