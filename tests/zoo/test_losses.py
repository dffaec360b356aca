"""Losses and metrics against NumPy: of labels, words and masks."""

import keras
import numpy as np
import pytest

from zoo.losses import (
    MaskCrossentropy,
    SaliencyCrossentropy,
    SentenceCrossentropy,
    SmoothedCrossentropy,
    WordAccuracy,
    counted,
    sentence_crossentropy,
)


def test_smooths_integer_labels():
    logits = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    labels = np.array([0, 2, 1, 1])
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = 0.9 * np.eye(3)[labels] + 0.1 / 3
    expected = -(target * np.log(shares)).sum(axis=1).mean()
    loss = SmoothedCrossentropy(0.1)
    np.testing.assert_allclose(float(loss(labels, logits)), expected, rtol=1e-5)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.label_smoothing == 0.1


def test_words_count_up_to_the_end():
    found = counted(np.array([[3, 0, 0], [3, 4, 5], [0, 0, 3]]))
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(found),
        [[True, True, False], [True, True, True], [True, False, False]],
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_that_of_whole_captions(smoothing):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(3, 4, 5)).astype("float32")
    target = np.array([[3, 4, 0, 0], [3, 3, 4, 4], [0, 0, 0, 0]])
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = []
    for row, ids, count in zip(logs, target, [3, 4, 1]):
        total = 0
        for t in range(count):
            share = np.full(5, smoothing / 4)
            share[1] = 0  # the start, which is never said
            share[ids[t]] += 1 - smoothing
            total -= (share * row[t]).sum()
        expected.append(total)
    found = sentence_crossentropy(target, logits, smoothing)
    found = keras.ops.convert_to_numpy(found)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    loss = SentenceCrossentropy(smoothing)
    mean = float(loss(target, logits))
    assert mean == pytest.approx(np.mean(expected), rel=1e-5)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(target, logits)) == mean
    # What lies behind the end is never read.
    logits[0, 3], logits[2, 1:] = 99, -99
    assert float(loss(target, logits)) == pytest.approx(mean, rel=1e-6)


def test_accuracy_counts_words_and_the_end_alike():
    target = np.array([[3, 4, 0, 0], [4, 0, 0, 0]])
    guesses = np.array([[3, 3, 0, 4], [4, 4, 4, 4]])
    metric = WordAccuracy()
    metric.update_state(target, np.eye(5)[guesses])
    assert float(metric.result()) == pytest.approx(3 / 5)
    metric.update_state(target[:1], np.eye(5)[target[:1]])
    assert float(metric.result()) == pytest.approx(6 / 8)


MASKS = np.array([[[0, 2], [1, 255]], [[255, 255], [255, 0]]], "uint8")


def test_a_mask_costs_the_mean_over_images_of_their_known_pixels():
    logits = np.random.default_rng(0).normal(size=(2, 2, 2, 3))
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    one = shares[0, 0, 0, 0], shares[0, 0, 1, 2], shares[0, 1, 0, 1]
    expected = [-np.log(one).mean(), -np.log(shares[1, 1, 1, 0])]
    found = MaskCrossentropy()(MASKS, logits.astype("float32"))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


def test_a_mask_s_labels_are_smoothed_over_all_classes():
    logits = np.random.default_rng(1).normal(size=(1, 2, 2, 3))
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    masks = MASKS[:1]
    expected = [
        -(0.7 * logs[0, r, c, masks[0, r, c]] + 0.3 * logs[0, r, c].mean())
        for r, c in ((0, 0), (0, 1), (1, 0))
    ]
    found = MaskCrossentropy(0.3)(masks, logits.astype("float32"))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


def test_saliency_costs_the_mean_over_images_of_their_known_pixels():
    masks = np.where(MASKS == 2, 0, MASKS)
    logits = np.random.default_rng(2).normal(size=(2, 2, 2, 1))
    on = 1 / (1 + np.exp(-logits[..., 0]))
    one = 1 - on[0, 0, 0], 1 - on[0, 0, 1], on[0, 1, 0]
    expected = [-np.log(one).mean(), -np.log(1 - on[1, 1, 1])]
    found = SaliencyCrossentropy()(masks, logits.astype("float32"))
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)
    # Smoothed by 0.2, one is 0.9 and zero 0.1.
    found = SaliencyCrossentropy(0.2)(masks[1:], logits[1:].astype("float32"))
    share = on[1, 1, 1]
    expected = -(0.1 * np.log(share) + 0.9 * np.log(1 - share))
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [MaskCrossentropy, SaliencyCrossentropy])
def test_images_without_a_known_pixel_cost_nothing(loss):
    masks = np.full((1, 2, 2), 255, "uint8")
    logits = np.ones((1, 2, 2, 3 if loss is MaskCrossentropy else 1))
    assert float(loss()(masks, logits.astype("float32"))) == 0
    again = loss.from_config(loss(0.25).get_config())
    assert again.label_smoothing == 0.25
