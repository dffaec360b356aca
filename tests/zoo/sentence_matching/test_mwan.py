"""mwan: its parts, what feeds its logits, padding, unknown words, errors."""

import json

import keras
import numpy as np
import pytest

from keras_attention.pair.multiway_attention import WAYS
from tests.numbers import close, numpy, randomize, relu
from tests.zoo.sentence_matching.ids import IDS, MASKS, lengthen, padded
from zoo.sentence_matching.mwan import PRESETS, mwan


def network(left_length=4, right_length=6, ways=("minus",), **options):
    """By default of one way, which is built in a fourth of the time."""
    arguments = {**PRESETS["tiny"], "ways": ways, **options}
    return mwan(10, 3, left_length, right_length, **arguments)


def expected(model):
    """The logits, composed of the layers of a model by NumPy."""
    (table,) = model.get_layer("embedding").get_weights()
    sides = [table[ids] for ids in IDS.values()]
    _, x = model.get_layer("attention")(*sides, **MASKS)
    return head(model, numpy(x))


def head(model, x):
    kernel, bias = model.get_layer("hidden").get_weights()
    x = relu(x @ kernel + bias)
    kernel, bias = model.get_layer("logits").get_weights()
    return x @ kernel + bias


@pytest.mark.parametrize("ways", [WAYS, ("minus", "concat")])
def test_left_reads_right_and_two_layers_decide(ways):
    model = network(ways=ways)
    randomize(model)
    close(model(IDS), expected(model))
    assert model.get_layer("attention").ways == ways
    assert np.ptp(numpy(model(IDS)), axis=0).min() > 1e-2


@pytest.mark.slow
def test_has_the_parameters_of_the_paper():
    depth, units, width = 8, 6, 5
    states = 2 * units

    def gru(size):
        # Both directions, with two biases, as Keras has them.
        return 2 * 3 * units * (size + units + 2)

    ways = {
        "concat": 2 * states * width + width,
        "bilinear": states * states,
        "dot": states * width + width,
        "minus": states * width + width,
    }
    inside = (2 * states) ** 2 + gru(2 * states)
    # W, v and a learned vector, of the sum over ways and of that over right.
    learned = states * width + 2 * width
    left_pooling = 2 * states * width + width
    # Words that are known, and one for each place.
    rest = (10 + 4 + 6) * depth + gru(depth)
    rest += gru(states) + 2 * learned + left_pooling
    rest += (states + 1) * units + (units + 1) * 3
    for chosen in (WAYS, WAYS[1:2]):
        model = network(ways=chosen, attention_units=width)
        expected = sum(ways[way] + inside for way in chosen) + rest
        assert model.count_params() == expected


def test_padding_changes_nothing():
    model, longer = network(), network(4 + 5, 6 + 2)
    randomize(model)
    lengthen(longer, model)
    close(longer(padded(5, 2)), model(IDS))


def test_the_vector_of_padding_is_never_read():
    model = network()
    randomize(model)
    before = numpy(model(IDS))
    table = model.get_layer("embedding").embeddings
    table.assign(np.concatenate([np.full((1, 8), 1e3), numpy(table)[1:]]))
    close(model(IDS), before)


def test_a_left_text_of_nothing_is_answered_by_the_biases():
    model = network()
    randomize(model)
    close(model(IDS)[4], head(model, np.zeros(12)))


def test_every_unknown_word_has_a_vector_of_its_own():
    model = network()
    randomize(model)
    before = numpy(model(IDS))
    table = numpy(model.get_layer("embedding").embeddings)
    for word, pairs in ((13, [2]), (14, [1]), (1, []), (7, [1])):
        moved = table + (np.arange(len(table)) == word)[:, None]
        model.get_layer("embedding").embeddings.assign(moved)
        changed = ~np.isclose(model(IDS), before).all(axis=1)
        assert np.flatnonzero(changed).tolist() == pairs


@pytest.mark.parametrize("train_embedding", [True, False])
def test_word_vectors_stay_as_they_are_if_asked(train_embedding):
    # Among several, since of one way alone nothing is learned of its trust.
    ways = ("dot", "minus")
    model = network(ways=ways, train_embedding=train_embedding)
    before = [numpy(weight).copy() for weight in model.weights]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    model.train_on_batch(IDS, np.array([0, 1, 2, 1, 0]))
    moved = [
        weight.path
        for weight, value in zip(model.weights, before)
        if not np.array_equal(numpy(weight), value)
    ]
    assert ("embedding/embeddings" in moved) == train_embedding
    assert "logits/kernel" in moved


def test_drops_in_training_only():
    model = network(dropout=0.5)
    randomize(model)
    first = numpy(model(IDS, training=True))
    assert not np.allclose(first, model(IDS, training=True))
    close(model(IDS), expected(model))
    assert model.get_layer("attention").dropout == 0.5


def test_the_head_comes_last():
    model = network()
    names = [layer.name for layer in model.layers if layer.weights]
    assert names == ["embedding", "attention", "hidden", "logits"]
    assert model.layers[-1].name == "logits"
    assert model.name == "mwan" and model.output_shape == (None, 3)
    shapes = {name: symbol.shape for name, symbol in model.input.items()}
    assert shapes == {"left_ids": (None, 4), "right_ids": (None, 6)}


def test_is_loaded_again_and_answers_alike(tmp_path):
    model = network(ways=("dot", "bilinear"), attention_units=5)
    randomize(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    close(again(IDS), model(IDS))


def test_takes_its_arguments_from_json():
    arguments = {
        **PRESETS["tiny"],
        "vocabulary_size": 10,
        "num_classes": 3,
        "ways": WAYS[:2],
        "attention_units": None,
    }
    arguments = json.loads(json.dumps(arguments))
    assert isinstance(arguments["ways"], list)
    attention = mwan(**arguments).get_layer("attention")
    assert attention.ways == WAYS[:2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ways": ["dot", "cosine"]}, r"ways=\('dot', 'cosine'\)"),
        ({"ways": ["dot", "dot"]}, "each at most once"),
        ({"units": 0}, "units=0"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"vocabulary_size": 2}, "vocabulary_size=2"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"vocabulary_size": 10, "num_classes": 2, "ways": ["minus"]}
    with pytest.raises(ValueError, match=message):
        mwan(**good | PRESETS["tiny"] | arguments)
