"""A class for each pixel as an output: the contract, and what is its own."""

import base64
import io

import keras
import numpy as np
import pytest
from PIL import Image as Pillow
from sklearn.metrics import jaccard_score

from tests.zoo.contract import check_output
from zoo.cards import PresetError
from zoo.data.mask_files import resize_mask
from zoo.data.masks import MaskData, palette, read_masks
from zoo.data.resizing import fit_pixels
from zoo.outputs.mask import Mask, likeliest, percent

LABELS = ["ground", "square", "disc"]
SIZE = (4, 6)


def tiny(count=5, size=SIZE, seed=0):
    """Masks at random, a few pixels unknown, and images of their size."""
    generator = np.random.default_rng(seed)
    masks = generator.integers(0, 3, (count, *size)).astype("uint8")
    masks[0, 0, :2] = 255
    images = generator.integers(0, 256, (count, *size, 3)).astype("uint8")
    return MaskData(images, masks, list(LABELS), "tiny")


def final(said, output=None):
    output = output or Mask(LABELS, SIZE)
    found = output.final(keras.ops.convert_to_tensor(said))
    return {k: keras.ops.convert_to_numpy(x) for k, x in found.items()}


def measured(said, data):
    """What is measured of data of which that is said."""
    made = Mask(LABELS, SIZE)
    return made.measure(made.condense(final(said), data), data)


def drawn(shape=(5, *SIZE, 3), seed=1):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_keeps_the_contract():
    data = tiny()
    made = Mask.learn(data, {}, SIZE)
    check_output(made, data, drawn(), list(data.images), [{"n": 1}] * 5)


def test_metrics_are_scikit_learn_s_and_leave_out_what_is_unknown():
    data, said = tiny(), drawn()
    found = measured(said, data)
    known = data.masks != 255
    both = data.masks[known], said.argmax(-1)[known]
    expected = jaccard_score(*both, average="macro")
    assert found["mean_iou"] == pytest.approx(expected)
    # What a training shows is the same, batch by batch.
    (shown,) = Mask(LABELS, SIZE).metrics()
    for part in (slice(2), slice(2, None)):
        shown.update_state(data.masks[part], said[part])
    assert float(shown.result()) == pytest.approx(expected, rel=1e-5)
    right = (said.argmax(-1) == data.masks)[known]
    assert found["pixel_accuracy"] == pytest.approx(right.mean())
    shares = np.exp(said) / np.exp(said).sum(-1, keepdims=True)
    losses = [
        np.mean([-np.log(p[c]) for p, c in zip(share[k], mask[k])])
        for share, mask, k in zip(shares, data.masks, known)
    ]
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_class_that_is_neither_there_nor_said_has_no_share_in_the_mean():
    masks = np.zeros((1, *SIZE), "uint8")
    masks[0, 0] = 1
    data = MaskData(np.zeros((1, *SIZE, 3), "uint8"), masks, list(LABELS))
    said = np.zeros((1, *SIZE, 3), "float32")
    said[..., 0] = 5  # always the ground: 18 of 24 right
    found = measured(said, data)
    assert found["mean_iou"] == pytest.approx((18 / 24 + 0) / 2)
    # Which is what is reached without looking.
    assert found["mean_iou"].baseline == pytest.approx(float(found["mean_iou"]))


def test_masks_without_a_known_pixel_cost_nothing_and_cannot_be_measured():
    data = tiny()
    data.masks[1] = 255
    found = measured(drawn(), data)
    assert found["loss"].values[1] == 0
    data.masks[:] = 255
    with pytest.raises(ValueError, match="5 masks without any"):
        measured(drawn(), data)


def test_an_answer_has_the_size_of_its_image():
    said = np.full((2, *SIZE, 3), -9.0, "float32")
    said[:, :, :3, 0], said[:, :, 3:, 2] = 9, 9
    raws = [np.zeros((8, 30, 3), "uint8"), np.zeros((1, 1), "uint8")]
    output = Mask(LABELS, SIZE)
    first, second = output.answers(final(said), raws, [{}, {"note": "n"}])
    assert first["mask"].shape == (8, 30) and first["mask"].dtype == "uint8"
    assert (first["mask"][:, :15] == 0).all()
    assert (first["mask"][:, 15:] == 2).all()
    assert first["shares"] == {"ground": 0.5, "disc": 0.5, "square": 0.0}
    assert second["mask"].shape == (1, 1) and second["note"] == "n"


def test_shares_are_resized_before_the_likeliest_is_taken():
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], SIZE)
    shares = shares.astype("float32")
    expected = fit_pixels(shares[None], (9, 11), 3)[0].argmax(-1)
    np.testing.assert_array_equal(likeliest(shares, (9, 11)), expected)
    # A mask that is enlarged as it is would have other edges.
    assert (resize_mask(shares.argmax(-1), (9, 11)) != expected).any()


def test_masks_are_learned_at_the_network_s_size_by_the_nearest_pixel():
    mask = np.arange(48).reshape(6, 8).astype("uint8")
    np.testing.assert_array_equal(resize_mask(mask, (3, 4)), mask[1::2, 1::2])
    np.testing.assert_array_equal(
        resize_mask(mask, (12, 16)), mask.repeat(2, 0).repeat(2, 1)
    )
    made = Mask(LABELS, (2, 3))
    targets, weights = made.teach(tiny())
    assert targets.shape == (5, 2, 3) and targets.dtype == "uint8"
    assert weights is None


def test_classes_weigh_by_pixels():
    masks = np.zeros((2, *SIZE), "uint8")
    masks[0, 0], masks[1, 1] = 1, 255
    images = np.zeros((2, *SIZE, 3), "uint8")
    data = MaskData(images, masks, list(LABELS))
    made = Mask(LABELS, SIZE)
    _, weights = made.teach(data, "balanced")
    # 36 pixels of the first class, 6 of the second, in two classes.
    assert weights[0, 0, 0] == pytest.approx(42 / (2 * 6))
    assert weights[0, 1, 0] == pytest.approx(42 / (2 * 36))
    assert (weights[1, 1] == 0).all()
    _, weights = made.teach(data, {"square": 3})
    assert weights[0, 0, 0] == 3 and weights[0, 1, 0] == 1


def test_the_data_s_classes_are_told_by_name():
    data = tiny()
    backwards = Mask(LABELS[::-1], SIZE)
    turned = backwards.select(data)
    known = data.masks != 255
    masks = np.stack(list(read_masks(turned)))
    np.testing.assert_array_equal(masks[known], 2 - data.masks[known])
    np.testing.assert_array_equal(masks == 255, ~known)
    # Turned again they are as before; names of one rule are told by another's.
    again = Mask(LABELS, SIZE).select(turned)
    np.testing.assert_array_equal(list(read_masks(again)), data.masks)
    with pytest.raises(ValueError, match="'disc'"):
        Mask(["ground", "square"], SIZE).select(data)


def test_a_picture_holds_the_classes_and_their_colours():
    answer = {"mask": np.array([[0, 2, 1]], "uint8"), "shares": {}}
    made = Mask(LABELS, SIZE)
    file = io.BytesIO(
        base64.b64decode(made.plain(answer)["mask"].partition(",")[2])
    )
    image = Pillow.open(file)
    np.testing.assert_array_equal(np.asarray(image), answer["mask"])
    np.testing.assert_array_equal(
        np.asarray(image.convert("RGB")), palette(3)[answer["mask"]]
    )
    assert made.plain(answer)["mask"].startswith("data:image/png;base64,")


def test_what_is_there_is_never_told_to_be_nothing():
    assert percent(0.0) == "0.0 %" and percent(1e-4) == "< 0.1 %"
    assert percent(0.125) == "12.5 %"


@pytest.mark.parametrize(
    "size", [[4], [4, 0], [4, 6.0], [True, 6], "46", [4, 2**15]]
)
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(PresetError, match="`image_size` must be"):
        Mask.from_card({"image_size": size}, {"labels": LABELS})


def test_more_classes_than_a_byte_holds_are_refused():
    labels = [str(number) for number in range(256)]
    with pytest.raises(ValueError, match="255 classes at most"):
        Mask.from_card({"image_size": [4, 6]}, {"labels": labels})
    with pytest.raises(ValueError, match="255 classes at most"):
        Mask(LABELS, SIZE).like(tiny(), num_classes=300)
    assert len(Mask(labels[:255], SIZE).labels) == 255


def test_values_that_are_no_class_are_refused():
    data = tiny()
    data.masks[3, 1, 1] = 7
    with pytest.raises(ValueError, match="below 3.*Received: 7 .* place 3"):
        Mask(LABELS, SIZE).teach(data)


def test_models_that_read_other_sizes_are_not_compared():
    assert "(4, 6)" in Mask(LABELS, SIZE).unlike(Mask(LABELS, (8, 6)))
    assert "labels" in Mask(LABELS, SIZE).unlike(Mask(["a", "b"], SIZE))
