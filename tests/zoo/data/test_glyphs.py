"""The glyphs: they alone tell the class, and lie where the truth says."""

import types

import numpy as np
import pytest

from zoo import measuring
from zoo.data.glyphs import GLYPHS, glyphs
from zoo.data.images import load_images


def strokes(label):
    rows = list(GLYPHS.values())[label].split()
    return np.array([[cell == "#" for cell in row] for row in rows])


def shown(images, boxes, side=10):
    """What lies in the boxes, gray, `(N, side, side)`."""
    gray = images.astype(float).mean(axis=-1)
    return np.stack(
        [p[y : y + side, x : x + side] for p, (x, y, *_) in zip(gray, boxes)]
    )


def half(images):
    return images.reshape(-1, 48, 2, 48, 2, 3).mean(axis=(2, 4))


def test_any_subset_has_the_same_images():
    few, labels, truth = glyphs(10, seed=3)
    more, all_labels, all_truth = glyphs(30, seed=3)
    np.testing.assert_array_equal(more[:10], few)
    np.testing.assert_array_equal(all_labels[:10], labels)
    np.testing.assert_array_equal(all_truth["box"][:10], truth["box"])
    other, _, _ = glyphs(10, seed=4)
    assert (other != few).any(axis=(1, 2, 3)).all()


def test_images_use_the_whole_range():
    images, labels, truth = glyphs(200)
    assert images.shape == (200, 96, 96, 3) and images.dtype == "uint8"
    assert images.min() == 0 and images.max() == 255
    assert np.bincount(labels).tolist() == [25] * 8
    assert labels.dtype == "int64" and truth["box"].dtype == "int64"


def test_strokes_and_shadows_are_where_the_box_says():
    images, labels, truth = glyphs(800)
    assert (truth["box"][:, 2:] == 10).all()
    inside = shown(images, truth["box"])
    for label in range(8):
        mean = inside[labels == label].mean(axis=0)
        mean -= mean.mean()
        expected = np.zeros((10, 10))
        expected[:9, :9] += strokes(label)
        expected[1:, 1:] -= strokes(label)
        assert np.corrcoef(mean.ravel(), expected.ravel())[0, 1] > 0.95
        lit = mean[expected == 1].mean() - mean[expected == 0].mean()
        dark = mean[expected == -1].mean() - mean[expected == 0].mean()
        np.testing.assert_allclose([lit, dark], [48, -48], atol=3)


def test_without_its_glyph_an_image_says_nothing_of_its_class():
    # The same body under each glyph: what is drawn does not ask for the class.
    strong, labels, truth = glyphs(16, relief=60.0)
    faint, _, same = glyphs(16, relief=1e-3)
    np.testing.assert_array_equal(truth["box"], same["box"])
    changed = (strong != faint).any(axis=-1)
    for picture, (x, y, width, height) in zip(changed, truth["box"]):
        picture[y : y + height, x : x + width] = False
        assert not picture.any()
    assert len(set(labels)) == 8


def test_the_glyph_lies_on_the_body_as_a_whole():
    images, _, truth = glyphs(300, relief=1e-3)
    inside = shown(images, truth["box"])
    # The body is of one colour, shaded; the background varies a lot.
    assert np.median(inside.std(axis=(1, 2))) < 13
    assert inside.std(axis=(1, 2)).max() < 20
    x, y = truth["box"][:, :2].T
    for place in (x, y):
        assert place.min() < 30 and place.max() > 56
        assert place.min() >= 0 and place.max() <= 86


def test_half_the_resolution_hides_most_of_a_glyph():
    images, labels, truth = glyphs(800)
    small = np.repeat(np.repeat(half(images), 2, axis=1), 2, axis=2)
    left = [
        shown(pixels, truth["box"]).std(axis=(1, 2))
        for pixels in (images, small)
    ]
    assert np.median(left[0]) > 25
    # What noise and the body's shade do not explain.
    assert np.median(left[1]) < 0.6 * np.median(left[0])
    # On even places straight strokes vanish as a whole.
    even = (truth["box"][:, :2] % 2 == 0).all(axis=1) & (labels == 0)
    assert np.median(left[1][even]) < 8


@pytest.mark.slow
def test_is_known_by_name_and_found_again_by_its_card():
    train = load_images("glyphs")
    assert train.images.shape == (4000, 96, 96, 3)
    assert train.label_names == list(GLYPHS)
    assert train.describe() == {
        "name": "glyphs",
        "version": "1.0.0",
        "licence_class": "A",
        "train_split": "train",
    }
    task = types.SimpleNamespace(
        card={"data": train.describe()}, read=load_images
    )
    test = measuring.own_test(task)
    assert len(test) == 1000 and test.split == "test"
    assert test.sha256() == load_images("glyphs", "test").sha256()
    assert test.take(np.arange(5)).truth["box"].shape == (5, 4)
    train_images = {image.tobytes() for image in train.images}
    assert not train_images & {image.tobytes() for image in test.images}


@pytest.mark.parametrize(
    "options, why",
    [
        ({"count": 0}, "count=0"),
        ({"relief": 0.0}, "relief=0.0"),
        ({"relief": 128.0}, "relief=128.0"),
    ],
)
def test_refuses_what_cannot_be_drawn(options, why):
    with pytest.raises(ValueError, match=why):
        glyphs(**{"count": 5, **options})
