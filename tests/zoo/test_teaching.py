"""What a network says when it is told the right words before."""

import keras
import numpy as np
import pytest

from tests.numbers import numpy
from tests.zoo.captioning.test_task import tiny_data, tiny_recipe
from zoo.captioning.task import Captioning
from zoo.data.captions import CaptionData
from zoo.teaching import taught


@pytest.fixture(scope="module")
def data():
    made = tiny_data(5)
    texts = [[*texts, "a circle"] for texts in made.captions[:2]]
    return CaptionData(made.images, texts + made.captions[2:])


def untrained(data, **options):
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(**options)
    return Captioning.untrained(recipe, *Captioning.learn(data, recipe))


def test_tells_each_caption_of_its_own_image(data):
    task = untrained(data)
    losses, maps = taught(task, data)
    places = [0, 0, 1, 1, 2, 3, 4]
    captions = [text for texts in data.captions for text in texts]
    assert losses.shape == (7,) and maps.shape == (7, 5, 8, 10)
    words = task.output.said
    for row, (place, text) in enumerate(zip(places, captions)):
        ids = words([text])[0]
        before = np.array([[1, *ids[:-1]]], "int32")
        image = data.images[place : place + 1].astype("float32")
        logits = numpy(
            task.model({"image": image, "target_ids": before}, training=False)
        )[0].astype("float64")
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        count = len(text.split()) + 1
        expected = -sum(logs[t, ids[t]] for t in range(count))
        assert losses[row] == pytest.approx(expected, rel=1e-4)
    assert np.ptp(losses) > 0.1


def test_batches_change_nothing(data):
    task = untrained(data)
    for one, other in zip(taught(task, data), taught(task, data, 2)):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_follows_what_the_network_learns_meanwhile(data):
    task = untrained(data)
    before, _ = taught(task, data)
    head = task.model.get_layer("decoder").trainable_variables[-1]
    head.assign(head + np.arange(head.shape[0]))
    after, _ = taught(task, data)
    task.graphs.clear()
    assert np.abs(after - before).min() > 0.1
    np.testing.assert_allclose(after, taught(task, data)[0], rtol=1e-5)


def test_without_attention_there_are_no_maps(data):
    losses, maps = taught(untrained(data, attention="none"), data)
    assert maps is None and np.isfinite(losses).all()
