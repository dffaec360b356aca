"""transformer_classifier: its parts, its twin, padding, order, errors."""

import math

import numpy as np
import pytest

from tests.numbers import close, randomize
from zoo.text_classification.transformer_classifier import (
    PRESETS,
    transformer_classifier,
)

IDS = np.array(
    [[3, 5, 4, 2, 2, 9], [7, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], "int32"
)


def network(pooling="attention", length=6, **options):
    return transformer_classifier(
        10, 2, length, pooling=pooling, **PRESETS["tiny"] | options
    )


def test_has_the_parameters_it_should():
    model = transformer_classifier(10_000, 2, **PRESETS["imdb"])
    projections, norms = 4 * (64 * 64 + 64), 2 * 2 * 64
    block = projections + norms + 64 * 128 + 128 + 128 * 64 + 64
    attention = 64 * 100 + 100 + 100
    expected = 10_000 * 64 + 2 * block + attention + 64 * 2 + 2
    assert model.count_params() == expected
    average = transformer_classifier(
        10_000, 2, pooling="average", **PRESETS["imdb"]
    )
    assert average.count_params() == expected - attention


def test_words_are_about_as_large_as_positions():
    model = transformer_classifier(2000, 2, embedding_dim=64)
    table = model.get_layer("embedding").get_weights()[0]
    assert model.get_layer("embedding_scale").scale == math.sqrt(64)
    np.testing.assert_allclose(8 * table.std(), 1, rtol=0.02)


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


def test_knows_the_order_of_words():
    model = network()
    randomize(model)
    assert not np.allclose(model(IDS)[0], model(IDS[:, ::-1])[0], atol=1e-3)


def test_drops_in_training_only():
    model = network(dropout=0.5)
    randomize(model)
    first = np.asarray(model(IDS, training=True))
    assert not np.allclose(first, model(IDS, training=True))
    close(model(IDS), model(IDS))


def test_has_a_block_for_each_layer():
    names = [layer.name for layer in network(num_layers=3).layers]
    assert [n for n in names if n.startswith("encoder")] == [
        "encoder_1",
        "encoder_2",
        "encoder_3",
    ]
    assert names[-1] == "logits"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"pooling": "max"}, "pooling='max'"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"vocabulary_size": 2}, "vocabulary_size=2"),
        ({"num_heads": 3}, "num_heads=3"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"vocabulary_size": 10, "num_classes": 2, **PRESETS["tiny"]}
    with pytest.raises(ValueError, match=message):
        transformer_classifier(**good | arguments)
