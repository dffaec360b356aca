"""hierarchical_attention_network: its parts, its twin, padding, errors."""

import keras
import numpy as np
import pytest

from tests.numbers import close, numpy, randomize
from zoo.text_classification.hierarchical_attention_network import (
    PRESETS,
    hierarchical_attention_network,
)

IDS = np.array(
    [
        [[3, 5, 4, 0], [2, 0, 0, 0], [6, 7, 8, 9]],
        [[9, 8, 0, 0], [3, 3, 2, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ],
    "int32",
)


def network(pooling="attention", sentences=3, words=4, **options):
    return hierarchical_attention_network(
        10, 2, sentences, words, pooling=pooling, **PRESETS["tiny"] | options
    )


def without_preference(model):
    """Context vectors of zero: every word and sentence weighs alike."""
    randomize(model)
    for weight in model.weights:
        if weight.path.endswith("context_vectors"):
            weight.assign(np.zeros(weight.shape))
    return model


def test_has_the_parameters_of_the_paper():
    model = hierarchical_attention_network(10_000, 2, **PRESETS["imdb"])
    # GRUs of two biases, as Keras has them; W, b and u of both attentions.
    gru = [2 * 3 * 50 * (size + 50 + 2) for size in (64, 100)]
    attention = 100 * 100 + 100 + 100
    expected = 10_000 * 64 + sum(gru) + 2 * attention + 100 * 2 + 2
    assert model.count_params() == expected
    average = hierarchical_attention_network(
        10_000, 2, pooling="average", **PRESETS["imdb"]
    )
    assert average.count_params() == expected - 2 * attention


def test_the_average_is_attention_without_preference():
    model, twin = without_preference(network()), network("average")
    values = [
        numpy(weight)
        for weight in model.weights
        if "_attention/" not in weight.path
    ]
    assert [v.shape for v in values] == [w.shape for w in twin.weights]
    twin.set_weights(values)
    close(twin(IDS), model(IDS))
    assert np.ptp(np.asarray(model(IDS)), axis=0).min() > 1e-3


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_padding_changes_nothing(pooling):
    model, wider = network(pooling), network(pooling, sentences=5, words=6)
    randomize(model)
    wider.set_weights(model.get_weights())
    padded = np.pad(IDS, ((0, 0), (0, 2), (0, 2)))
    close(wider(padded), model(IDS))
    # An empty sentence in between is dropped, too.
    apart = np.insert(padded[:, :4, :], 1, 0, axis=1)
    close(wider(apart), model(IDS))


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_a_text_of_nothing_is_answered_by_the_bias(pooling):
    model = network(pooling)
    randomize(model)
    bias = model.get_layer("logits").get_weights()[1]
    close(model(IDS)[2], bias)


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_drops_in_training_only(pooling):
    model = network(pooling, dropout=0.5)
    randomize(model)
    first = np.asarray(model(IDS, training=True))
    assert not np.allclose(first, model(IDS, training=True))
    close(model(IDS), model(IDS))


def test_names_of_layers_tell_their_floor():
    names = [layer.name for layer in network().layers if layer.weights]
    assert names == ["embedding", "attention", "logits"]
    names = [layer.name for layer in network("average").layers if layer.weights]
    assert names == ["embedding", "word_encoder", "sentence_encoder", "logits"]


def test_is_loaded_again_and_answers_alike(tmp_path):
    model = network("average")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    close(again(IDS), model(IDS))


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
        hierarchical_attention_network(**good | arguments)
