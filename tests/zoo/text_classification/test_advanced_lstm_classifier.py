"""advanced_lstm_classifier: its parts, its twin, padding, errors."""

import keras
import numpy as np
import pytest

from tests.numbers import close, randomize
from zoo.text_classification.advanced_lstm_classifier import (
    PRESETS,
    advanced_lstm_classifier,
)
from zoo.word_networks import classify, embed, pool

IDS = np.array(
    [[3, 5, 4, 2, 2, 9], [7, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], "int32"
)


def network(length=6, **options):
    return advanced_lstm_classifier(
        10, 2, length, **PRESETS["tiny"] | {"update_every": 2} | options
    )


def test_has_the_parameters_it_should():
    model = advanced_lstm_classifier(10_000, 2, **PRESETS["imdb"])
    lstm = 2 * (4 * 50 * (64 + 50 + 1) + 50)  # and the scoring vectors
    attention = 100 * 100 + 100 + 100
    expected = 10_000 * 64 + lstm + attention + 100 * 2 + 2
    assert model.count_params() == expected
    plain = advanced_lstm_classifier(
        10_000, 2, lags=(0,), pooling="average", **PRESETS["imdb"]
    )
    assert plain.count_params() == expected - attention - 2 * 50


def test_one_lag_is_an_lstm():
    model = network(lags=[0])
    randomize(model)
    token_ids = keras.Input((6,), dtype="int32")
    x = keras.layers.Bidirectional(
        keras.layers.LSTM(6, return_sequences=True), name="encoder"
    )(embed(token_ids, 10, 8))
    logits = classify(pool(x, "attention", 8), 2, 0.0)
    twin = keras.Model(token_ids, logits)
    twin.set_weights(model.get_weights())
    close(twin(IDS), model(IDS))


@pytest.mark.parametrize("changed", [{"lags": (0, 1)}, {"update_every": 3}])
def test_lags_and_updates_are_passed_on(changed):
    model, other = network(), network(**changed)
    randomize(model)
    other.set_weights(model.get_weights())
    difference = np.abs(np.asarray(other(IDS)) - np.asarray(model(IDS)))
    assert difference[0].max() > 1e-4
    # Of one or two words there is no past to look at.
    assert difference[1:].max() < 1e-6


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_padding_changes_nothing(pooling):
    model, longer = network(pooling=pooling), network(9, pooling=pooling)
    randomize(model)
    longer.set_weights(model.get_weights())
    close(longer(np.pad(IDS, ((0, 0), (0, 3)))), model(IDS))


def test_a_text_of_nothing_is_answered_by_the_bias():
    model = network()
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
        ({"lags": (0, 0)}, "lags"),
        ({"update_every": 0}, "update_every=0"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"vocabulary_size": 10, "num_classes": 2, **PRESETS["tiny"]}
    with pytest.raises(ValueError, match=message):
        advanced_lstm_classifier(**good | arguments)
