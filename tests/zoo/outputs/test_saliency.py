"""What stands out as an output: the contract, and what is its own."""

import base64
import io

import keras
import numpy as np
import pytest
from PIL import Image as Pillow

from tests.zoo.contract import check_output
from zoo.data.masks import MaskData
from zoo.data.resizing import fit_pixels
from zoo.outputs.saliency import Saliency

SIZE = (4, 6)


def tiny(count=5, seed=0):
    generator = np.random.default_rng(seed)
    masks = (generator.random((count, *SIZE)) < 0.3).astype("uint8")
    masks[0, 0, :2] = 255
    images = generator.integers(0, 256, (count, *SIZE, 3)).astype("uint8")
    return MaskData(images, masks, ["background", "object"], "tiny")


def final(said):
    found = Saliency(SIZE).final(keras.ops.convert_to_tensor(said))
    return {k: keras.ops.convert_to_numpy(x) for k, x in found.items()}


def measured(said, data):
    """What is measured of data of which that is said."""
    made = Saliency(SIZE)
    return made.measure(made.condense(final(said), data), data)


def drawn(seed=1):
    said = np.random.default_rng(seed).normal(size=(5, *SIZE, 1))
    return said.astype("float32")


def test_keeps_the_contract():
    data = tiny()
    made = Saliency.learn(data, {}, SIZE)
    check_output(made, data, drawn(), list(data.images), [{"n": 1}] * 5)


def test_loss_and_error_are_of_the_pixels_that_are_known():
    data, said = tiny(), drawn()
    found = measured(said, data)
    shares = 1 / (1 + np.exp(-said[..., 0].astype("float64")))
    losses, errors = [], []
    for share, mask in zip(shares, data.masks):
        known = mask != 255
        right = np.where(mask == 1, share, 1 - share)[known]
        losses.append(-np.log(right).mean())
        errors.append((1 - right).mean())
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found["mae"] == pytest.approx(np.mean(errors), rel=1e-5)
    salient = [(mask == 1)[mask != 255].mean() for mask in data.masks]
    assert found["mae"].baseline == pytest.approx(np.mean(salient))
    assert salient[0] != (data.masks[0] == 1).mean()


def test_an_image_of_which_nothing_is_known_counts_in_the_loss_alone():
    data, said = tiny(), drawn()
    few = measured(said, data)
    data.masks[2] = 255
    made = Saliency(SIZE)
    found = measured(said, data)
    assert made.count(data) == 4 and len(found["mae"].parts) == 4
    assert found["loss"].values[2] == 0 and len(found["loss"].parts) == 5
    for metric in ("mae", "s_measure"):
        others = np.delete(few[metric].values, 2)
        assert found[metric] == pytest.approx(others.mean()), metric
    curves = np.delete(few["max_f"].parts, 2, axis=0).sum(axis=0)
    expected = (curves[:-1] / curves[-1]).max()
    assert found["max_f"] == pytest.approx(expected)


def test_values_that_are_no_class_are_refused():
    data = tiny()
    data.masks[3, 1, 1] = 2
    with pytest.raises(ValueError, match="below 2.*Received: 2 .* place 3"):
        Saliency(SIZE).teach(data)


def test_models_that_read_other_sizes_are_not_compared():
    assert "(4, 6)" in Saliency(SIZE).unlike(Saliency((8, 6)))


def test_the_threshold_is_the_best_for_all_images_together():
    masks = np.zeros((2, *SIZE), "uint8")
    masks[:, :2] = 1
    images = np.zeros((2, *SIZE, 3), "uint8")
    data = MaskData(images, masks, ["background", "object"])
    said = np.where(masks == 1, 1.0, -1.0).astype("float32")[..., None]
    said[1] -= 5  # the same map, but no threshold fits both
    found = measured(said, data)
    # One is perfect, and the other nowhere or everywhere: precision 1/2.
    everywhere = 1.3 * 0.5 / (0.3 * 0.5 + 1)
    expected = max((1 + 0) / 2, (everywhere + 1) / 2)
    assert found["max_f"] == pytest.approx(expected)


def test_an_answer_has_the_size_of_its_image():
    said = drawn()[:1]
    raws = [np.zeros((7, 20, 3), "uint8")]
    tensors = final(said)
    (answer,) = Saliency(SIZE).answers(tensors, raws, [{"note": "n"}])
    expected = fit_pixels(tensors["probabilities"], (7, 20), 1)[0, ..., 0]
    np.testing.assert_allclose(answer["saliency"], expected, atol=1e-6)
    assert answer["share"] == (expected > 0.5).mean()
    assert answer["note"] == "n"


def test_masks_of_more_than_two_classes_are_for_another_task():
    data = tiny()
    data.label_names = ["a", "b", "c"]
    with pytest.raises(ValueError, match="take the task segmentation"):
        Saliency(SIZE).select(data)
    with pytest.raises(ValueError, match="num_classes=3"):
        Saliency(SIZE).like(data, 3)


def test_classes_weigh_by_pixels():
    data = tiny()
    targets, weights = Saliency(SIZE).teach(data, {"object": 4})
    np.testing.assert_array_equal(weights == 4, targets == 1)
    np.testing.assert_array_equal(weights == 0, targets == 255)
    _, weights = Saliency(SIZE).teach(data, "balanced")
    on, off = weights[targets == 1].sum(), weights[targets == 0].sum()
    assert on == pytest.approx(off, rel=1e-5)


def test_a_picture_is_gray_and_white_stands_out():
    answer = {"saliency": np.array([[0, 0.5, 1]], "float32"), "share": 0.3}
    url = Saliency(SIZE).plain(answer)["saliency"]
    image = Pillow.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), [[0, 128, 255]])
