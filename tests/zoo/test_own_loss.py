"""NetworkWithOwnLoss: what is added to the loss, and what is kept."""

import keras
import numpy as np
import pytest
from keras import ops

from zoo.own_loss import NetworkWithOwnLoss

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = np.array([0, 1, 0, 1, 1, 0])


def network(own_loss, more=None):
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, name="hidden")(inputs)
    logits = keras.layers.Dense(2, name="logits")(hidden)
    more = {"hidden": hidden} if more is None else more(hidden)
    return NetworkWithOwnLoss(inputs, logits, more, own_loss, name="own")


def compiled(own_loss):
    model = network(own_loss)
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model


def squares(y, output, more):
    return ops.sum(more["hidden"] ** 2, axis=-1) + ops.cast(y, "float32")


def test_adds_the_loss_of_each_sample_in_training_only():
    model = compiled(squares)
    hidden = np.asarray(
        ops.convert_to_numpy(model.get_layer("hidden")(X)), "float64"
    )
    own = (hidden**2).sum(-1) + Y
    plain = model.evaluate(X, Y, verbose=0, return_dict=True)
    log = model.fit(X, Y, batch_size=6, epochs=1, verbose=0).history
    assert log["loss"][0] == pytest.approx(plain["loss"] + own.mean(), rel=1e-5)
    assert log["accuracy"][0] == pytest.approx(plain["accuracy"])
    weights = np.array([1.0, 0, 0, 2, 0, 0], "float32")
    log = model.fit(X, Y, sample_weight=weights, batch_size=6, verbose=0)
    weighed = model.evaluate(X, Y, sample_weight=weights, verbose=0)[0]
    expected = (own * weights).mean() + weighed
    assert log.history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_its_gradient_reaches_what_the_loss_reads():
    model = network(lambda y, output, more: ops.sum(more["hidden"] ** 2, -1))
    model.compile(keras.optimizers.SGD(0.1), lambda y, output: 0.0 * output)
    before = model.get_layer("hidden").get_weights()[0]
    model.fit(X, Y, verbose=0, epochs=20)
    after = model.get_layer("hidden").get_weights()[0]
    assert np.linalg.norm(after) < 0.8 * np.linalg.norm(before)


def test_answers_and_is_kept_as_the_plain_network(tmp_path):
    model = compiled(squares)
    assert model(X).shape == (6, 2)
    assert model.predict(X, verbose=0).shape == (6, 2)
    assert [layer.name for layer in model.layers[1:]] == ["hidden", "logits"]
    assert len(model.weights) == 4
    plain = keras.Model(model.input, model.output)
    plain.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(loaded(X)), ops.convert_to_numpy(model(X))
    )


def test_refuses_a_layer_that_would_be_lost():
    with pytest.raises(ValueError, match="baseline"):
        network(
            squares,
            lambda hidden: {
                "b": keras.layers.Dense(1, name="baseline")(hidden)
            },
        )
