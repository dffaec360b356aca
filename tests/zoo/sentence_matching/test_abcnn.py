"""abcnn: its parts, what feeds its logits, padding, unknown words, errors."""

import json

import keras
import numpy as np
import pytest

from keras_attention.pair.abcnn import VARIANTS
from tests.numbers import close, numpy, randomize
from tests.zoo.sentence_matching.ids import IDS, MASKS, lengthen, padded
from zoo.sentence_matching.abcnn import PRESETS, CosineSimilarity, abcnn


def network(variant=3, left_length=4, right_length=6, **options):
    return abcnn(
        10,
        2,
        left_length,
        right_length,
        variant=variant,
        **PRESETS["tiny"] | options,
    )


def similarity(sides):
    """The cosine of the averages of what is visible, 0 where nothing is."""
    found = []
    for left, right, *seen in zip(*map(numpy, sides), *MASKS.values()):
        one, other = (
            side[mask].sum(axis=0) / max(1, mask.sum())
            for side, mask in zip((left, right), seen)
        )
        lengths = np.linalg.norm(one) * np.linalg.norm(other)
        found.append([one @ other / max(lengths, 1e-12)])
    return np.array(found)


def expected(model, num_blocks):
    """The logits, composed of the layers of a model by NumPy."""
    (table,) = model.get_layer("embedding").get_weights()
    sides = [table[ids] for ids in IDS.values()]
    features = [similarity(sides)]
    for block in range(1, num_blocks + 1):
        sides = model.get_layer(f"block_{block}")(*sides, **MASKS)
        features.append(similarity(sides))
    if any(layer.name == "overlap_features" for layer in model.layers):
        layer = model.get_layer("overlap_features")
        features.append(numpy(layer(*IDS.values())))
    kernel, bias = model.get_layer("logits").get_weights()
    return np.concatenate(features, axis=1) @ kernel + bias


@pytest.mark.parametrize("num_blocks, overlap", [(1, False), (2, True)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_height_is_compared_and_feeds_the_logits(
    variant, num_blocks, overlap
):
    model = network(variant, num_blocks=num_blocks, overlap_features=overlap)
    randomize(model)
    if overlap:
        # How rare a word is is no negative number.
        model.get_layer("overlap_features").idf.assign(np.arange(10) / 2)
    close(model(IDS), expected(model, num_blocks))
    kernel = model.get_layer("logits").kernel
    assert kernel.shape == (1 + num_blocks + 4 * overlap, 2)
    assert np.ptp(numpy(model(IDS)), axis=0).min() > 1e-2


def test_has_the_parameters_of_the_paper():
    def count(variant, **options):
        return network(variant, **options).count_params()

    depth, filters, window = 8, 6, 3
    convolution = window * depth * filters + filters
    # Words that are known, and one for each place.
    words = (10 + 4 + 6) * depth
    bcnn = words + convolution + 2 * 2 + 2
    assert count("bcnn") == count(2) == bcnn
    # Two kernels for the maps of attention, which the convolution reads too.
    maps = 2 * 6 * depth + window * depth * filters
    assert count(1) == count(3) == bcnn + maps
    features = 10 + 4 * 2
    assert count(3, overlap_features=True) == bcnn + maps + features
    second = 2 * 6 * filters + 2 * window * filters * filters + filters
    assert count(3, num_blocks=2) == bcnn + maps + second + 2


@pytest.mark.parametrize("variant", VARIANTS)
def test_padding_changes_nothing(variant):
    options = {"num_blocks": 2, "overlap_features": True}
    model = network(variant, **options)
    longer = network(variant, 4 + 5, 6 + 3, **options)
    randomize(model)
    lengthen(longer, model)
    close(longer(padded(5, 3)), model(IDS))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_vector_of_padding_is_never_read(variant):
    model = network(variant, num_blocks=2)
    randomize(model)
    before = numpy(model(IDS))
    table = model.get_layer("embedding").embeddings
    table.assign(np.concatenate([np.full((1, 8), 1e3), numpy(table)[1:]]))
    close(model(IDS), before)


def test_a_pair_of_nothing_is_answered_by_the_bias():
    model = network(overlap_features=True)
    randomize(model)
    close(model(IDS)[4], model.get_layer("logits").get_weights()[1])


def test_the_cosine_beside_nothing_is_zero():
    sides = [np.array(x, "float32") for x in ([[3, 4], [0, 0]], [[4, 3]] * 2)]
    cosine = CosineSimilarity()
    close(cosine(*sides), [[24 / 25], [0]])
    assert cosine(*map(np.zeros_like, sides)).shape == (2, 1)
    close(cosine(*map(np.zeros_like, sides)), [[0], [0]])


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


def test_word_vectors_start_short():
    (table,) = network(embedding_dim=64).get_layer("embedding").get_weights()
    assert np.linalg.norm(table, axis=1).mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("train_embedding", [True, False])
def test_word_vectors_stay_as_they_are_if_asked(train_embedding):
    model = network(train_embedding=train_embedding)
    before = [numpy(weight).copy() for weight in model.weights]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, run_eagerly=True)
    model.train_on_batch(IDS, np.array([0, 1, 0, 1, 0]))
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
    close(model(IDS), expected(model, 1))


def test_the_head_comes_last():
    model = network(num_blocks=2, overlap_features=True)
    names = [layer.name for layer in model.layers if layer.weights]
    blocks = ["block_1", "block_2"]
    assert sorted(names[:-1]) == sorted(
        [*blocks, "embedding", "overlap_features"]
    )
    assert model.layers[-1].name == "logits"
    assert model.name == "abcnn" and model.output_shape == (None, 2)
    shapes = {name: symbol.shape for name, symbol in model.input.items()}
    assert shapes == {"left_ids": (None, 4), "right_ids": (None, 6)}


def test_logits_are_in_full_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert network(overlap_features=True).output.dtype == "float32"


@pytest.mark.parametrize("variant", VARIANTS)
def test_is_loaded_again_and_answers_alike(variant, tmp_path):
    model = network(variant, num_blocks=2, overlap_features=True)
    randomize(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    close(again(IDS), model(IDS))


@pytest.mark.parametrize("variant", VARIANTS)
def test_takes_its_arguments_from_json(variant):
    arguments = {
        **PRESETS["wikiqa"],
        "vocabulary_size": 10,
        "num_classes": 3,
        "variant": variant,
        "overlap_features": True,
    }
    model = abcnn(**json.loads(json.dumps(arguments)))
    assert model.get_layer("block_1").variant == variant
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_blocks": 0}, "num_blocks=0"),
        ({"variant": 4}, "variant=4"),
        ({"variant": "abcnn"}, "variant='abcnn'"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"vocabulary_size": 2}, "vocabulary_size=2"),
    ],
)
def test_refuses_what_it_cannot_build(arguments, message):
    good = {"vocabulary_size": 10, "num_classes": 2, **PRESETS["tiny"]}
    with pytest.raises(ValueError, match=message):
        abcnn(**good | arguments)
