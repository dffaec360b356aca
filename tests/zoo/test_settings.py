"""Keras's global settings change no network of the zoo, nor its learning."""

import keras
import numpy as np
import pytest

from tests.zoo.sentence_matching.tiny import (
    tiny_matcher,
    tiny_pairs,
)
from tests.zoo.settings import global_setting
from tests.zoo.text_classification.tiny import (
    NETWORKS,
    tiny_reader,
    tiny_texts,
)
from tests.zoo.tiny import tiny_data, tiny_task
from zoo.data import images
from zoo.image_classification.attention_resnet import (
    ATTENTION,
    attention_resnet,
)

# JAX has no float64 unless it is asked for, and draws no float16 kernels.
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs TensorFlow"
)

SETTINGS = ("channels_first", "float16", "float64")


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("attention", [None, *ATTENTION])
@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_networks_for_images_are_built_alike(setting, attention, stem):
    build = lambda: attention_resnet(  # noqa: E731
        (12, 10, 3), 3, attention, filters=(8, 16), blocks=1, stem=stem
    )
    pixels = tiny_data(2).images[:, :12, :10].astype("float32")
    model = build()
    with global_setting(setting):
        other = build()
        other.set_weights(model.get_weights())
        assert other.input.dtype == "float32"
        logits = keras.ops.convert_to_numpy(other(pixels))
    close = {"atol": 0.05} if setting == "float16" else {"atol": 1e-5}
    np.testing.assert_allclose(
        logits, keras.ops.convert_to_numpy(model(pixels)), **close
    )


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.slow
def test_images_are_learned_and_answered(setting):
    task = tiny_task("cbam")
    data = images.load_images("digits").sample(64)
    expected = task.predict(tiny_data(2).images)
    with global_setting(setting):
        found = task.predict(tiny_data(2).images)
        copy = task.finetune(data, epochs=1, augment=["flip"], verbose=0)
        assert len(copy.predict(data.images[:2])) == 2
        assert np.isfinite(copy.evaluate(data)["loss"])
    for one, other in zip(found, expected, strict=True):
        assert one["probability"] == pytest.approx(other["probability"])
        assert one["label"] == other["label"]


READERS = {
    **{name: (tiny_reader, {}, tiny_texts().texts) for name in NETWORKS},
    "abcnn": (tiny_matcher, {"overlap_features": True}, tiny_pairs().pairs),
    "mwan": (tiny_matcher, {"ways": ["dot"]}, tiny_pairs().pairs),
}


@pytest.mark.parametrize("floatx", ["float16", "float64"])
@pytest.mark.parametrize("name", READERS)
@pytest.mark.slow
def test_texts_are_answered_alike(name, floatx):
    make, options, raws = READERS[name]
    task = make(name, **options)
    expected = task.predict(raws[:4])
    with global_setting(floatx):
        copy = task.rebuilt()
        found = copy.predict(raws[:4])
    assert copy.model.layers[-2].dtype_policy.name == floatx
    close = {"abs": 5e-3 if floatx == "float16" else 1e-5}
    for one, other in zip(found, expected, strict=True):
        for label, share in one["probabilities"].items():
            assert share == pytest.approx(
                other["probabilities"][label], **close
            )


def test_texts_are_learned():
    task, data = tiny_reader("recurrent_classifier"), tiny_texts()
    with global_setting("float16"):
        tuned = task.finetune(data, epochs=1, verbose=0)
        assert np.isfinite(tuned.evaluate(data)["loss"])


def test_pairs_are_learned():
    task, data = tiny_matcher(variant="bcnn"), tiny_pairs()
    with global_setting("float64"):
        tuned = task.finetune(data, epochs=1, verbose=0)
        assert np.isfinite(tuned.evaluate(data)["loss"])


@pytest.mark.slow
def test_an_export_is_written_and_proved(tmp_path):
    task = tiny_task("se")
    with global_setting("float16"):
        report = task.export(tmp_path, ["saved_model"])["saved_model"]
    assert report["largest_difference"] <= report["tolerance"]
