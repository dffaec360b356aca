"""recurrent_classifier: its parts, its twin, padding, errors."""

import numpy as np
import pytest

from tests.numbers import close, randomize
from zoo.text_classification.recurrent_classifier import (
    PRESETS,
    recurrent_classifier,
)

IDS = np.array(
    [[3, 5, 4, 2, 2, 9], [7, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], "int32"
)


def network(pooling="attention", length=6, **options):
    return recurrent_classifier(
        10, 2, length, pooling=pooling, **PRESETS["tiny"] | options
    )


def test_has_the_parameters_it_should():
    model = recurrent_classifier(10_000, 2, **PRESETS["imdb"])
    gru, attention = 2 * 3 * 50 * (64 + 50 + 2), 100 * 100 + 100 + 100
    expected = 10_000 * 64 + gru + attention + 100 * 2 + 2
    assert model.count_params() == expected
    average = recurrent_classifier(
        10_000, 2, pooling="average", **PRESETS["imdb"]
    )
    assert average.count_params() == expected - attention


def test_the_average_is_attention_without_preference():
    model, twin = network(), network("average")
    randomize(model)
    vectors = model.get_layer("pool").context_vectors
    vectors.assign(np.zeros(vectors.shape))
    for layer in twin.layers:
        if layer.name != "pool":
            layer.set_weights(model.get_layer(layer.name).get_weights())
    close(twin(IDS), model(IDS))
    assert np.ptp(np.asarray(model(IDS)), axis=0).min() > 1e-3


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_padding_changes_nothing(pooling):
    model, longer = network(pooling), network(pooling, length=9)
    randomize(model)
    longer.set_weights(model.get_weights())
    close(longer(np.pad(IDS, ((0, 0), (0, 3)))), model(IDS))


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_a_text_of_nothing_is_answered_by_the_bias(pooling):
    model = network(pooling)
    randomize(model)
    close(model(IDS)[2], model.get_layer("logits").get_weights()[1])


def test_drops_in_training_only():
    model = network(dropout=0.5)
    randomize(model)
    first = np.asarray(model(IDS, training=True))
    assert not np.allclose(first, model(IDS, training=True))
    close(model(IDS), model(IDS))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"pooling": "max"}, "pooling='max'"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"vocabulary_size": 2}, "vocabulary_size=2"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"vocabulary_size": 10, "num_classes": 2, **PRESETS["tiny"]}
    with pytest.raises(ValueError, match=message):
        recurrent_classifier(**good | arguments)
