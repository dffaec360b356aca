"""OverlapFeatures against sets of Python."""

import keras
import numpy as np
import pytest

from tests.numbers import close
from zoo.data.pair_tokens import PairTokens
from zoo.sentence_matching.overlap_features import OverlapFeatures

IDF = np.random.default_rng(0).uniform(0, 9, 10).astype("float32")


def layer_of(idf=IDF, **options):
    layer = OverlapFeatures(len(idf), **options)
    layer.build((None, 4), (None, 3))
    layer.idf.assign(idf)
    return layer


def expected(left, right, idf=IDF):
    """What the paper says of one pair, by the words that stand in it."""
    left, right = (ids[ids > 0].tolist() for ids in (left, right))
    shared = set(left) & set(right)
    rarity = sum(idf[word if word < len(idf) else 1] for word in shared)
    return np.log([1 + len(shared), 1 + rarity, 1 + len(left), 1 + len(right)])


def random_ids(count, length, generator):
    """Texts of any length up to this, with unknown words, and padded."""
    ids = generator.integers(1, 14, (count, length))
    lengths = generator.integers(0, length + 1, (count, 1))
    return np.where(np.arange(length) < lengths, ids, 0).astype("int32")


def test_equals_sets_of_words():
    generator = np.random.default_rng(1)
    left = random_ids(300, 9, generator)
    right = random_ids(300, 7, generator)
    features = np.stack([expected(*pair) for pair in zip(left, right)])
    close(layer_of()(left, right), features)
    repeated = [len({*ids} - {0}) < np.count_nonzero(ids) for ids in right]
    assert sum(repeated) > 50 and len(set(features[:, 0])) > 4


def test_a_word_counts_once_however_often_it_stands():
    left, right = np.array([[3, 3, 5, 3]]), np.array([[3, 7, 3]])
    numbers = np.log1p([[1, IDF[3], 4, 3]])
    close(layer_of()(left, right), numbers)


def test_unknown_words_are_shared_by_their_own_ids():
    left = np.array([[10, 12, 0, 0]] * 2)
    right = np.array([[12, 12, 0], [11, 13, 0]])
    numbers = [[1, IDF[1], 2, 2], [0, 0, 2, 2]]
    close(layer_of()(left, right), np.log1p(numbers))


def test_padding_is_no_word():
    ids = np.array([[0, 0, 0, 0], [4, 0, 0, 0]])
    numbers = [[0, 0, 0, 0], [0, 0, 1, 0]]
    close(layer_of()(ids, np.zeros((2, 3), "int32")), np.log1p(numbers))


def test_reads_what_pair_tokens_say():
    pair = ("Who wrote Emma? Emma!", "Austen wrote Emma, not Bronte")
    tokens = PairTokens(["who", "wrote", "not"], 6, 5)
    layer = layer_of(tokens.idf([*pair, "Who?"]))
    # "wrote" stands in two of three texts, "emma" is unknown.
    rarity = np.log(3 / 2) + np.log(3)
    ids = tokens([pair])
    close(
        layer(ids["left_ids"], ids["right_ids"]),
        np.log1p([[2, rarity, 4, 5]]),
    )


def test_is_not_trained_and_sums_in_full_precision():
    layer = layer_of(np.full(10, 1 + 2**-9, "float32"), dtype="bfloat16")
    assert not layer.trainable_weights and len(layer.weights) == 1
    assert layer.idf.dtype == "float32"
    ids = np.arange(1, 8)[None]
    features = layer(ids, ids)
    assert keras.backend.standardize_dtype(features.dtype) == "bfloat16"
    close(keras.ops.cast(features, "float32"), np.log([[8] * 4]), rtol=2**-8)


@pytest.mark.parametrize("idf", [IDF, IDF[:5]])
def test_is_loaded_again_with_how_rare_words_are(idf, tmp_path):
    sides = keras.Input((4,), dtype="int32"), keras.Input((3,), dtype="int32")
    model = keras.Model(sides, layer_of(idf, name="overlap")(*sides))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    close(again.get_layer("overlap").idf, idf)
    generator = np.random.default_rng(2)
    ids = [random_ids(20, length, generator) for length in (4, 3)]
    close(again(ids), model(ids))
    assert model.output_shape == (None, 4)
