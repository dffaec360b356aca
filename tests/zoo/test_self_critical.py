"""Self-critical training: its gradient, its reward, and what it refuses."""

import itertools

import keras
import numpy as np
import pytest

from tests.numbers import numpy, randomize
from tests.zoo.captioning.test_task import tiny_recipe
from tests.zoo.tiny import tiny_data as coloured
from tests.zoo.tiny import tiny_task
from zoo.caption_metrics import cider_scores, document_frequencies
from zoo.captioning.task import Captioning
from zoo.data.captions import CaptionData
from zoo.data.said_words import END, START, UNKNOWN
from zoo.plan import Plan
from zoo.self_critical import SelfCritical

TEXTS = ["red square", "blue square", "blue dot", "red dot"]
QUICK = {
    "epochs": 2,
    "batch_size": 4,
    "weight_decay": 0.0,
    "learning_rate": 0.01,
    "verbose": 0,
}


def tiny_data(count=8):
    """Images of noise, each brighter, and what is said of them."""
    images = np.random.default_rng(0).integers(0, 60, (count, 16, 16, 3))
    images += 25 * np.arange(count)[:, None, None, None]
    texts = [[TEXTS[place % 4]] for place in range(count)]
    texts[0] += ["dot"]
    return CaptionData(images.astype("uint8"), texts, "tiny")


def untrained(data=None, builder="up_down_captioner", **options):
    data = data or tiny_data()
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(builder, input_shape=[16, 16, 3], **options)
    task = Captioning.untrained(recipe, *Captioning.learn(data, recipe))
    task.card["data"] = {"name": "tiny"}
    return task


def lively(**options):
    """A captioner in which everything counts for what it says."""
    task = untrained(**options)
    for layer in task.model.get_layer("encoder").layers:
        if layer.name.endswith("conv"):
            layer.set_weights([3 * w for w in layer.get_weights()])
        elif layer.name.endswith("norm"):  # far from what a batch has
            layer.moving_mean.assign(0.1 * np.ones(8))
            layer.beta.assign(np.linspace(-0.2, 0.6, 8))
    decoder = task.model.get_layer("decoder")
    randomize(decoder, seed=1)
    decoder.embedding.set_weights([3 * decoder.embedding.get_weights()[0]])
    return task


def weights(task):
    return {v.path: numpy(v).copy() for v in task.model.weights}


def every_caption(task):
    """All that can be drawn: nothing but the end behind the end."""
    ids = itertools.product(
        range(task.output.said.vocabulary_size),
        repeat=task.output.said.length,
    )
    return np.array(
        [x for x in ids if not any(x[x.index(END) :] if END in x else ())],
        "int32",
    )


def chances(task, image, texts):
    """The probability of each text, by the network as it answers."""
    before = np.pad(texts[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    images = np.repeat(image, len(texts), axis=0)
    logits = numpy(
        task.model({"image": images, "target_ids": before}, training=False)
    ).astype("float64")
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    logs = np.take_along_axis(logs, texts[..., None], axis=-1)[..., 0]
    behind = np.cumsum(texts == END, axis=1) - (texts == END)
    return np.exp(np.where(behind, 0, logs).sum(axis=1))


def mean_reward(task, data):
    """What captions earn on average, of all that can be drawn."""
    model, texts = SelfCritical(task, data), every_caption(task)
    return np.mean(
        [
            chances(task, image[None].astype("float32"), texts)
            @ model.rewards(texts, [captions] * len(texts))
            for image, captions in zip(data.images, data.captions)
        ]
    )


@pytest.fixture(scope="module")
def enumerated():
    """A captioner, an image, its texts' rewards, and the exact gradient.

    The gradient of minus the expected reward is found by differences.
    """
    data = tiny_data()
    task = lively(dropout=0.5)  # which has no part in it
    encoder = task.model.get_layer("encoder")
    model = SelfCritical(task, data)
    image = data.images[4:5].astype("float32")
    texts = every_caption(task)
    rewards = model.rewards(texts, [data.captions[4]] * len(texts))
    assert chances(task, image, texts).sum() == pytest.approx(1, abs=1e-5)
    exact = {}
    for variable in (
        task.model.get_layer("decoder").logits.bias,
        task.model.get_layer("decoder").look.score_vector,
        encoder.get_layer("encoder_1_norm").beta,
        encoder.get_layer("encoder_2_norm").gamma,
    ):
        start = numpy(variable).copy()
        gradient = np.zeros(start.shape)
        for place in np.ndindex(*start.shape):
            for sign in (1, -1):
                moved = start.copy()
                moved[place] += sign * 2e-3
                variable.assign(moved)
                mean = chances(task, image, texts) @ rewards
                gradient[place] -= sign * mean / 4e-3
        variable.assign(start)
        exact[variable.path] = gradient
    return task, model, data, texts, rewards, exact


def stepped(task, model, rate, step):
    """By how much a step of plain descent moves the weights, over `-rate`."""
    model.compile(keras.optimizers.SGD(rate), task.output.loss())
    kept = task.model.get_weights()
    before = weights(task)
    step()
    after = weights(task)
    task.model.set_weights(kept)
    return {path: (before[path] - after[path]) / rate for path in before}


@pytest.mark.parametrize("baseline", [0.0, 2.5])
@pytest.mark.slow
def test_its_gradient_is_that_of_the_expected_reward(
    baseline, enumerated, monkeypatch
):
    """Each caption is drawn once, and counts by its probability."""
    task, model, data, texts, rewards, exact = enumerated
    image = data.images[4:5].astype("float32")
    share = len(texts) * chances(task, image, texts)
    monkeypatch.setattr(
        model,
        "heard",
        lambda *arguments: (texts, share * rewards, share * baseline),
    )
    images = {"image": np.repeat(image, len(texts), axis=0)}
    moved = stepped(task, model, 0.01, lambda: model.step(images, None, (0, 0)))
    for path, gradient in exact.items():
        most = np.abs(gradient).max()
        assert most > 0.01, path
        np.testing.assert_allclose(moved[path], gradient, atol=0.03 * most)
    still = [path for path in moved if "moving" in path]
    assert len(still) == 6 and not any(moved[path].any() for path in still)


def test_what_it_draws_has_that_gradient_on_average(enumerated):
    task, model, data, texts, rewards, exact = enumerated
    rows = 4000
    images = {"image": np.repeat(data.images[4:5], rows, 0).astype("float32")}
    captions = [data.captions[4]] * rows
    earned = []
    moved = stepped(
        task,
        model,
        0.01,
        lambda: earned.extend(model.step(images, captions, (0, 0))),
    )
    mean = chances(task, images["image"][:1], texts) @ rewards
    assert earned[0].mean() == pytest.approx(mean, abs=0.1)
    assert np.ptp(earned[1]) == 0  # the likeliest is always the same
    path, gradient = next(iter(exact.items()))
    np.testing.assert_allclose(
        moved[path], gradient, atol=0.15 * np.abs(gradient).max()
    )


def test_a_caption_weighs_what_it_earns_above_the_likeliest(monkeypatch):
    data, task = tiny_data(), lively()
    model = SelfCritical(task, data, seed=3)
    heard, told = model.heard, {}

    def heard_better(*arguments):  # the likeliest would earn nothing
        drawn, rewards, baseline = heard(*arguments)
        return drawn, rewards, baseline + 2.0

    monkeypatch.setattr(model, "heard", heard_better)
    monkeypatch.setattr(
        model,
        "train_on_batch",
        lambda x, y, sample_weight: told.update(x=x, y=y, w=sample_weight),
    )
    batches = model.batches(task, data, Plan(batch_size=8))
    inputs, captions = batches[0]
    earned = model.step(inputs, captions, (2, 5))
    drawn, rewards, baseline = model.heard(inputs, captions, (3, 0, 2, 5))
    np.testing.assert_array_equal(told["y"], drawn)
    np.testing.assert_allclose(told["w"], rewards - baseline, rtol=1e-6)
    np.testing.assert_array_equal(earned, [rewards, baseline])
    np.testing.assert_array_equal(told["x"]["target_ids"][:, 1:], drawn[:, :2])
    assert (told["x"]["target_ids"][:, 0] == START).all()
    assert list(captions) == data.captions
    # The likeliest are what it answers, one word after the other.
    task.output.beams = 1
    said = [answer["caption"] for answer in task.predict(list(data.images))]
    ids = task.output.said(said)
    np.testing.assert_allclose(baseline - 2, model.rewards(ids, captions))
    others = model.heard(inputs, captions, (3, 0, 2, 6))[0]
    assert (others != drawn).any()


def test_the_end_is_a_word_of_the_reward():
    data = CaptionData(
        tiny_data(3).images,
        [["a dot"], ["a start of unk"], ["a red square", "a dot"]],
    )
    task = untrained(data)
    model = SelfCritical(task, data)
    said = task.output.said
    ids = said(["a dot", "a dot", "a start of unk", "a", ""])
    ids = ids[:, : said.length]
    ids[1, 2:] = said(["of"])[0, 0]  # goes on, and never ends
    ids[2, [1, 3]] = START, UNKNOWN  # as words they would be right
    captions = [data.captions[place] for place in (0, 0, 1, 1, 2)]
    marked = [[f"{text} zzz" for text in texts] for texts in captions]
    all_marked = [[f"{text} zzz" for text in texts] for texts in data.captions]
    wanted = cider_scores(
        ["a dot zzz", "a dot of of of", "a xxx of xxx zzz", "a zzz", "zzz"],
        marked,
        document_frequencies(all_marked),
    )
    np.testing.assert_allclose(model.rewards(ids, captions), wanted)
    assert wanted[0] > 1.5 * wanted[1] > 0  # a fragment is no caption
    assert wanted[4] == 0


def test_draws_by_the_weights_of_the_moment(monkeypatch):
    """Keras reads batches ahead; these depend on the step before."""
    data, task = tiny_data(), lively()
    told = []

    def told_nothing(self, x, y, sample_weight):
        told.append(y)
        bias = self.network.get_layer("decoder").logits.bias
        bias.assign(np.where(np.arange(bias.shape[0]) == END, 50.0, 0.0))

    monkeypatch.setattr(SelfCritical, "train_on_batch", told_nothing)
    recipe = {"training": {**tiny_recipe()["training"], "self_critical": True}}
    recipe["training"].update(epochs=1, batch_size=4)
    task.follow(data, recipe, verbose=0)
    assert told[0].any() and not told[1].any()


@pytest.mark.slow
def test_captions_earn_more_afterwards():
    data, task = tiny_data(), lively()
    better = task.finetune(
        data,
        self_critical=True,
        validation=data,
        early_stopping=40,
        freeze="backbone",
        **{**QUICK, "epochs": 40, "batch_size": 8, "learning_rate": 0.03},
    )
    assert mean_reward(better, data) > mean_reward(task, data) + 0.2
    log = better.card["recipe"]["log"]
    assert log[-1]["val_loss"] < log[0]["val_loss"]
    assert {*log[0]} >= {"greedy_reward", "val_greedy_reward"}
    assert better.card["recipe"]["training"]["self_critical"] is True
    moved = {
        path.split("/")[0]
        for path, array in weights(better).items()
        if (array != weights(task)[path]).any()
    }
    assert moved == {"decoder"}


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    data, task = tiny_data(), lively(dropout=0.3)
    options = {**QUICK, "self_critical": True}
    whole = task.finetune(data, **options)
    step = SelfCritical.step

    def killed(self, inputs, captions, place):
        if place == (1, 1):
            raise KeyboardInterrupt
        return step(self, inputs, captions, place)

    monkeypatch.setattr(SelfCritical, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        task.finetune(data, folder=tmp_path, **options)
    monkeypatch.setattr(SelfCritical, "step", step)
    again = task.finetune(data, folder=tmp_path, **options)
    for path, array in weights(whole).items():
        np.testing.assert_allclose(
            weights(again)[path], array, atol=1e-6, err_msg=path
        )
    with pytest.raises(ValueError, match="self_critical=False in place of"):
        task.finetune(
            data, folder=tmp_path, **{**options, "self_critical": False}
        )


def test_a_caption_is_rewarded_as_it_is_measured():
    """With what its marks do to the words beside them."""
    data = CaptionData(tiny_data(2).images, [["a dot and/or square"], ["a"]])
    model = SelfCritical(untrained(data), data)
    (earned,) = model.rewards(model.said(data.captions[0]), data.captions[:1])
    (other,) = model.rewards(model.said(["a dot and square"]), [["a dot"]])
    assert earned == pytest.approx(10) and other < 9


def test_half_precision_has_its_loss_scaled():
    task = untrained()
    half = task.rebuilt(task.output, "mixed_float16")
    model = SelfCritical(half, tiny_data())
    model.compile("sgd", half.output.loss())
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.slow
def test_learns_in_half_precision(dtype):
    options = {**QUICK, "epochs": 1, "dtype": dtype}
    task = lively()
    half = task.finetune(tiny_data(), self_critical=True, **options)
    assert half.card["recipe"]["log"][0]["loss"] < 0
    assert {*weights(half)} == {*weights(task)}


@pytest.mark.slow
def test_refuses_what_it_cannot_do():
    data = tiny_data()
    for options, message in (
        ({"attention": "hard"}, "longer learn where to look.*attention.: 'ha"),
        ({"attention": "soft", "stochastic_weight": 1.0}, "would be left out"),
    ):
        task = untrained(builder="show_attend_tell", **options)
        with pytest.raises(ValueError, match=message):
            task.finetune(data, self_critical=True, **QUICK)
    with pytest.raises(ValueError, match="with words.*'image_classification'"):
        tiny_task().finetune(coloured(), self_critical=True, **QUICK)
    task = untrained()
    with pytest.raises(ValueError, match="two images at least"):
        task.finetune(tiny_data(1), self_critical=True, **QUICK)
    other = CaptionData(data.images, [["ein Bild"]] * 8, "german")
    with pytest.raises(ValueError, match="'german', whose words have to be"):
        task.finetune(other, self_critical=True, **QUICK)
    decoder = task.model.get_layer("decoder")
    decoder.logits.bias.assign(np.full(decoder.logits.bias.shape, np.nan))
    with pytest.raises(ValueError, match="lower `learning_rate`.*score=.*nan"):
        task.finetune(data, self_critical=True, **QUICK)
