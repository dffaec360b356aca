"""What classifications share: the loss of smoothed labels."""

import keras
import numpy as np

from zoo.classification import SmoothedCrossentropy


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
