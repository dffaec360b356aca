"""Attention to scale: shapes, what mixes the scales, what is shared."""

import keras
import numpy as np
import pytest

from keras_attention.looking import attention_model
from zoo.segmentation.attention_to_scale import (
    MERGES,
    PRESETS,
    attention_to_scale,
)


def built(merge="attention", shape=(16, 24, 3), **options):
    keras.utils.set_random_seed(0)
    options = {**PRESETS["tiny"], "merge": merge, **options}
    return attention_to_scale(shape, 4, **options)


def images(count=3, shape=(16, 24, 3)):
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, *shape)).astype("float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("shape", [(16, 24, 3), (17, 30, 1)])
def test_a_logit_for_each_class_and_pixel(merge, shape):
    model = built(merge, shape)
    found = numpy(model(images(shape=shape)))
    assert found.shape == (3, *shape[:2], 4) and found.dtype == "float32"
    alone = numpy(model(images(shape=shape)[:1]))
    np.testing.assert_allclose(found[:1], alone, atol=1e-4)


def test_one_network_reads_every_scale():
    three, one = built(), built(scales=(1.0,))
    encoders = [m.get_layer("encoder").count_params() for m in (three, one)]
    assert encoders[0] == encoders[1]
    assert built("max").count_params() == built("average").count_params()
    # With one scale, nothing is left to mix.
    found = [numpy(built(merge, scales=(1.0,))(images())) for merge in MERGES]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    np.testing.assert_allclose(found[0], found[2], atol=1e-5)


def test_scores_are_mixed_as_they_say():
    average, largest = built("average"), built("max")
    largest.set_weights(average.get_weights())
    scores = [
        numpy(keras.Model(average.input, x)(images()))
        for x in average.get_layer("average").input
    ]
    mixed = numpy(
        keras.Model(average.input, average.get_layer("average").output)(
            images()
        )
    )
    np.testing.assert_allclose(mixed, np.mean(scores, axis=0), atol=1e-5)
    mixed = numpy(
        keras.Model(largest.input, largest.get_layer("max").output)(images())
    )
    np.testing.assert_allclose(mixed, np.max(scores, axis=0), atol=1e-5)


def test_weights_of_scales_can_be_looked_at():
    _, maps = attention_model(built(), return_outputs=True)(images())
    (weights,) = map(numpy, maps.values())
    assert weights.shape == (3, 8, 12, 3)  # the stride of two levels is 2
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="attention"):
        attention_model(built("max"), return_outputs=True)


def test_saves_and_reloads(tmp_path):
    model = built()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        numpy(again(images())), numpy(model(images())), atol=1e-5
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"merge": "sum"}, "merge='sum'"),
        ({"scales": ()}, "scales="),
        ({"scales": (1.0, -0.5)}, "scales="),
        ({"scales": (1.0, 0.01)}, "least 2 pixels"),
        ({"scales": (200.0,)}, "up to 4"),
        ({"filters": ()}, "filters="),
    ],
)
def test_what_cannot_be_built_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        built(**options)
    with pytest.raises(ValueError, match="num_classes=1"):
        attention_to_scale((16, 24, 3), 1)
