"""Images by class: what is found, how it is brought to a network's size."""

import io
import os
import struct
import zlib

import keras
import numpy as np
import pytest
from PIL import Image

from tests.public_data import needs_public
from tests.zoo.settings import global_setting
from tests.zoo.tiny import tiny_data
from zoo.data.batches import Batches
from zoo.data.images import (
    AUGMENTATION,
    Augmenting,
    ImageData,
    Reader,
    image_to_draw,
    load_images,
    prepare_images,
    read_image,
    usual_shape,
)


def test_digits_are_cut_in_two_without_overlap():
    train, test = load_images("digits", "train"), load_images("digits", "test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.images.shape == (1437, 8, 8, 1)
    assert train.images.max() == 255
    counts = np.bincount(test.labels)
    assert counts.min() >= 34 and counts.max() <= 38
    assert train.sha256() == load_images("digits", "train").sha256()
    assert train.sha256() != test.sha256()


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(5):
            pixels = generator.integers(0, 255, (6 + index, 9, 3), "uint8")
            Image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    return tmp_path


def batches_of(
    data, size, channels, batch_size=128, augment=(), shuffle=False, seed=0
):
    read = Reader(data.images, size, channels, augment, seed)
    return Batches(
        len(data), read, data.labels, None, batch_size, shuffle, seed
    )


def test_reads_a_folder_of_classes(folder):
    train, test = load_images(folder, "train"), load_images(folder, "test")
    assert train.label_names == ["cat", "dog"]
    assert (len(train), len(test)) == (8, 2)
    assert not set(train.images) & set(test.images)
    batch, labels = batches_of(train, (4, 4), 3, batch_size=5)[1]
    assert batch.shape == (3, 4, 4, 3) and labels.shape == (3,)
    path, label = train.images[0], train.label_names[train.labels[0]]
    assert path.parent.name == label


def test_reads_a_folder_that_is_cut_already(folder, tmp_path_factory):
    whole = tmp_path_factory.mktemp("cut")
    os.symlink(folder, whole / "train")
    with pytest.raises(ValueError, match="validation"):
        load_images(whole, "test")
    os.symlink(folder, whole / "validation")
    assert len(load_images(whole, "train")) == 10
    assert len(load_images(whole, "test")) == 10


def test_refuses_a_folder_with_one_class(folder):
    for path in (folder / "dog").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="none in .*dog"):
        load_images(folder)
    (folder / "dog").rmdir()
    with pytest.raises(ValueError, match=r"two classes.*\['cat'\]"):
        load_images(folder)


def test_takes_arrays_and_names_their_classes():
    images = np.zeros((3, 4, 4, 1), "uint8")
    data = load_images((images, np.array([[7], [2], [7]])))
    assert data.label_names == ["2", "7"]
    assert data.labels.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="3 images, labels of shape"):
        load_images((images, np.array([1, 2])))


@pytest.mark.parametrize("batch", [None, 2])
def test_takes_a_tf_dataset(batch):
    tf = pytest.importorskip("tensorflow")
    data = tiny_data(5)
    dataset = tf.data.Dataset.from_tensor_slices((data.images, data.labels))
    read = load_images(dataset.batch(batch) if batch else dataset)
    np.testing.assert_array_equal(read.images, data.images)
    np.testing.assert_array_equal(read.labels, data.labels)


@needs_public("fashion_mnist", "tf_flowers")
def test_reads_a_public_set_by_its_official_name():
    pytest.importorskip("tensorflow_datasets")
    data = load_images("fashion_mnist", "test")
    assert data.images.shape == (10_000, 28, 28, 1)
    assert np.bincount(data.labels).tolist() == [1000] * 10
    assert data.label_names[9] == "Ankle boot"
    flowers = load_images("tf_flowers", "train")
    assert len(flowers.label_names) == 5 and flowers.split == "train[:80%]"


def test_refuses_a_name_that_nobody_knows():
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ValueError, match="data='no_such_images'"):
        load_images("no_such_images")
    with pytest.raises(ValueError, match="split='dev'"):
        load_images("digits", "dev")


def test_reads_every_form_of_an_image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (5, 4, 3), "uint8")
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    forms = [
        path,
        str(path),
        path.read_bytes(),
        Image.fromarray(pixels),
        pixels,
        np.dstack([pixels, np.full((5, 4), 7, "uint8")]),  # transparency
    ]
    for form in forms:
        np.testing.assert_array_equal(read_image(form), pixels)
    assert read_image(pixels[..., 0]).shape == (5, 4, 1)
    assert read_image(Image.fromarray(pixels).convert("L")).shape == (5, 4, 1)


def test_scales_the_16_bits_of_a_gray_png(tmp_path):
    deep = np.array([[0, 257, 1000], [32768, 65000, 65535]], "uint16")
    Image.fromarray(deep).save(tmp_path / "deep.png")
    expected = [[0, 1, 3], [128, 253, 255]]  # the upper byte, as libpng
    np.testing.assert_array_equal(
        read_image(tmp_path / "deep.png")[..., 0], expected
    )


def test_refuses_what_is_no_image(tmp_path):
    path = tmp_path / "image.png"
    path.write_text("not an image")
    with pytest.raises(ValueError, match="image.png"):
        read_image(path)
    Image.new("RGB", (64, 64), "red").save(path)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match="bytes"):
        read_image(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"shape=\(4, 4, 2\)"):
        read_image(np.zeros((4, 4, 2)))
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "nowhere.png")


def turned(pixels, orientation):
    """What a viewer shows, by the table of the EXIF standard."""
    rows_first = orientation < 5
    image = pixels if rows_first else pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return image


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_a_photograph_as_the_camera_was_held(form, orientation):
    pixels = np.random.default_rng(0).integers(0, 255, (6, 4, 3), "uint8")
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif, lossless=True)
    expected = turned(pixels, orientation)
    np.testing.assert_array_equal(read_image(file.getvalue()), expected)
    with Image.open(file) as image:
        np.testing.assert_array_equal(read_image(image), expected)


def test_a_broken_orientation_leaves_the_image_as_it_is():
    pixels = np.full((6, 4, 3), 9, "uint8")
    file = io.BytesIO()
    broken = b"Exif\0\0MM\0*garbage"
    Image.fromarray(pixels).save(file, "PNG", exif=broken)
    np.testing.assert_array_equal(read_image(file.getvalue()), pixels)


def test_transparent_pixels_keep_their_colour_but_in_a_gif():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    shown = {}
    for form, option in (("PNG", 0), ("PNG", b"\0\x80"), ("GIF", 0)):
        file = io.BytesIO()
        image.save(file, form, transparency=option)
        shown[form] = read_image(file.getvalue())[0].tolist()
        if form == "PNG":
            assert shown[form] == [[10, 20, 30], [40, 50, 60]]
    assert shown["GIF"] == [[0, 0, 0], [40, 50, 60]]


@pytest.mark.filterwarnings("error")
def test_a_bomb_of_pixels_is_refused_before_it_is_decoded(monkeypatch):
    def header(width, height):
        ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = [ihdr, b"IDAT" + zlib.compress(b""), b"IEND"]
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(chunk) - 4)
            + chunk
            + struct.pack(">I", zlib.crc32(chunk))
            for chunk in chunks
        )

    before = Image.MAX_IMAGE_PIXELS
    # Beyond our limit, Pillow's warning, and Pillow's error.
    for width, height in ((10**4, 7000), (10**4, 10**4), (10**5, 10**5)):
        with pytest.raises(ValueError, match="at most 67108864 pixels"):
            read_image(header(width, height))
    assert Image.MAX_IMAGE_PIXELS == before
    monkeypatch.setattr("zoo.data.images.MAX_PIXELS", 15)
    small = Image.new("RGB", (4, 4))
    with pytest.raises(ValueError, match="Received: a PIL.Image of 4 x 4"):
        read_image(small)
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_MAX_PIXELS", "16")
    assert read_image(small).shape == (4, 4, 3)
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_MAX_PIXELS", "many")
    with pytest.raises(ValueError, match="positive integer. Received: 'many'"):
        read_image(small)


FAULTS = [
    (np.nan, "NaN or infinity"),
    (np.inf, "NaN or infinity"),
    (-1.0, "from -1 to 9"),
    (256.0, "from 9 to 256"),
]


@pytest.mark.parametrize("value, message", FAULTS)
def test_refuses_values_that_are_no_pixels_wherever_they_come(value, message):
    image = np.full((4, 4, 3), 9.0)
    image[1, 2, 0] = value
    batch = image[None]
    with pytest.raises(ValueError, match=message):
        read_image(image)
    for images in (batch, [image]):
        with pytest.raises(ValueError, match=message):
            prepare_images(images, (4, 4), 3)
        with pytest.raises(ValueError, match=message):
            data = ImageData(images, np.array([0]), ["a", "b"])
            batches_of(data, (4, 4), 3)[0]


def test_refuses_floats_from_0_to_1_since_they_would_be_black():
    image = np.linspace(0, 1, 48).reshape(4, 4, 3)
    message = "multiply them by 255.*floats from 0 to 1"
    with pytest.raises(ValueError, match=message):
        read_image(image)
    with pytest.raises(ValueError, match=f"{message} at place 1"):
        prepare_images([image * 255, image], (4, 4), 3)
    with pytest.raises(ValueError, match=message):
        prepare_images(image[None], (4, 4), 3)
    with pytest.raises(ValueError, match=message):
        batches_of(ImageData(image[None], np.array([0]), ["a"]), (4, 4), 3)
    # Black is black in either range, and integers are not scaled.
    for dark in (image * 0, np.eye(4, dtype="uint8"), np.eye(4, dtype=int)):
        assert read_image(dark).max() == dark.max()
    # One dark image among others is no sign of their range.
    mixed = np.stack([image, image * 255])
    np.testing.assert_allclose(prepare_images(mixed, (4, 4), 3), mixed)


def test_of_a_broken_image_the_place_in_the_data_is_told():
    images = [np.full((4, 4, 3), 9.0) for _ in range(5)]
    images[4][0, 0, 0] = np.nan
    read = Reader(images, (4, 4), 3)
    for indices in ([4], [0, 4], [3, 4, 1]):
        with pytest.raises(ValueError, match="NaN.* at place 4"):
            read(np.array(indices), 0, 1)


def test_a_batch_may_be_transparent():
    batch = np.arange(64, dtype="uint8").reshape(1, 4, 4, 4)
    np.testing.assert_array_equal(
        prepare_images(batch, (4, 4), 3), batch[..., :3]
    )


@pytest.mark.parametrize(
    "raw, received",
    [
        ([[1, 2], [3, 4]], "list"),
        ((1, 2), "tuple"),
        (5, "int"),
        (np.float32(5), "float32"),
        (iter([]), "list_iterator"),
        (None, "NoneType"),
        (np.zeros((2, 8, 8)), "shape=.2, 8, 8"),
        (np.zeros((3, 8, 8, 3)), "shape=.3, 8, 8, 3"),
        (np.zeros((0, 8, 3)), "shape=.0, 8, 3"),
        (np.full((2, 2, 3), "a"), "dtype=<U1"),
        (np.full((2, 2, 3), 7, object), "dtype=object"),
    ],
)
def test_refuses_what_is_not_one_image(raw, received):
    with pytest.raises(ValueError, match=f"Received: .*{received}"):
        read_image(raw)


@pytest.mark.parametrize(
    "size, multiple, expected",
    [
        ((45, 60), 1, (45, 60, 1)),
        ((45, 60), 16, (48, 64, 1)),
        ((8, 64), 16, (16, 64, 1)),
        ((96, 96), 16, (96, 96, 1)),
        ((45, 97), 16, (96, 96, 1)),
        ((45, 97), 64, (128, 128, 1)),
    ],
)
def test_the_usual_size_is_that_of_small_images_rounded_up(
    size, multiple, expected
):
    found = usual_shape(np.zeros((2, *size, 1), "uint8"), multiple)
    assert found == expected


@pytest.mark.parametrize("channels", [1, 3])
def test_a_large_image_is_drawn_smaller_in_its_own_shape(channels):
    image = np.random.default_rng(0).uniform(0, 255, (4, 8, channels))
    kept = image_to_draw(image, most=8)
    assert kept.dtype == "uint8"
    np.testing.assert_array_equal(kept, np.round(image))
    small = image_to_draw(image, most=4)
    rows = np.array([[3, 3, 1, 0], [0, 1, 3, 3]]) / 7  # as above
    columns = np.zeros((4, 10))
    for place in range(4):
        columns[place, 2 * place :][:4] = [1, 3, 3, 1]
    columns = columns[:, 1:-1] / columns[:, 1:-1].sum(1, keepdims=True)
    expected = np.einsum("ri,ijc,kj->rkc", rows, kept, columns)
    assert small.shape == (2, 4, channels)
    np.testing.assert_allclose(small, expected, atol=1.1)
    upright = image_to_draw(np.swapaxes(image, 0, 1), most=4)
    np.testing.assert_allclose(upright, np.swapaxes(expected, 0, 1), atol=1.1)


def test_an_image_to_draw_is_turned_and_bounded_however_long_it_is():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (1200, 300), (9, 8, 7)).save(file, "PNG", exif=exif)
    drawn = image_to_draw(file.getvalue())
    assert drawn.shape == (512, 128, 3)
    assert (drawn == (9, 8, 7)).all()
    assert image_to_draw(np.zeros((2, 4000), "uint8")).shape == (1, 512, 1)


def test_mixed_sizes_become_one_batch():
    images = [np.full((5, 4, 3), 9, "uint8"), np.full((8, 8), 3, "uint8")]
    batch = prepare_images(images, (4, 4), 3)
    np.testing.assert_allclose(batch[0], 9, rtol=1e-6)
    np.testing.assert_allclose(batch[1], 3, rtol=1e-6)


def pictures(count, folder):
    """Of three sizes, in three kinds: arrays, bytes of a PNG, files."""
    rng = np.random.default_rng(0)
    made = []
    for place in range(count):
        shape = [(9, 7, 3), (7, 9, 3), (12, 12)][rng.integers(3)]
        pixels = rng.integers(0, 256, shape, "uint8")
        if place % 3:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            pixels = file.getvalue()
        if place % 3 == 2:
            path = folder / f"{place}.png"
            path.write_bytes(pixels)
            pixels = path
        made.append(pixels)
    return made


@pytest.mark.parametrize("channels", [1, 3])
def test_many_images_are_read_as_each_alone(channels, tmp_path):
    raws = pictures(70, tmp_path)
    found = prepare_images(raws, (5, 6), channels)
    expected = [prepare_images([raw], (5, 6), channels) for raw in raws]
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_of_many_broken_files_the_first_is_told(tmp_path):
    raws = pictures(60, tmp_path)
    for place in (50, 23, 37):
        raws[place] = b"no image"
    with pytest.raises(ValueError, match="at place 23$"):
        prepare_images(raws, (4, 4), 3)
    raws[11] = tmp_path / "nowhere.png"
    with pytest.raises(FileNotFoundError, match="nowhere.png"):
        prepare_images(raws, (4, 4), 3)


def test_a_batch_depends_on_seed_epoch_and_place_alone():
    data = tiny_data(10)
    make = lambda seed=1: batches_of(  # noqa: E731
        data, (16, 16), 3, 4, list(AUGMENTATION), shuffle=True, seed=seed
    )
    one, other = make(), make()
    for _ in range(3):  # draws that came before must not matter
        one[0]
    np.testing.assert_array_equal(one[2][0], other[2][0])
    np.testing.assert_array_equal(one[1][1], other[1][1])
    one.epoch = 1
    assert (one[0][1] != other[0][1]).any()
    assert (make(2)[0][1] != other[0][1]).any()


def test_an_epoch_sees_every_example_once():
    data = tiny_data(10)
    data.labels = np.arange(10)
    batches = batches_of(data, (16, 16), 3, 4, shuffle=True)
    batches.epoch = 5
    assert len(batches) == 3
    seen = np.concatenate([batches[place][1] for place in range(3)])
    assert sorted(seen) == list(range(10)) and seen.tolist() != sorted(seen)


def test_flips_and_shifts_and_leaves_the_labels():
    image = np.zeros((64, 16, 16, 1), "uint8")
    image[:, 8, 3] = 255
    data = ImageData(image, np.arange(64) % 2, ["a", "b"])
    flipped = batches_of(data, (16, 16), 1, 64, ["flip"])[0][0]
    places = set(map(tuple, np.argwhere(flipped[..., 0] == 255)[:, 1:]))
    assert places == {(8, 3), (8, 12)}
    shifted = batches_of(data, (16, 16), 1, 64, ["shift"])[0][0]
    places = np.argwhere(shifted[..., 0] == 255)[:, 1:] - (8, 3)
    assert np.abs(places).max() == 2 and len(set(map(tuple, places))) > 9


def test_refuses_an_unknown_augmentation():
    with pytest.raises(ValueError, match="mixup"):
        batches_of(tiny_data(), (16, 16), 3, augment=["mixup"])


def test_divides_classes_in_proportion():
    data = tiny_data(30)
    first, second = data.divide(0.2, seed=3)
    assert np.bincount(second.labels).tolist() == [2, 2, 2]
    assert len(first) == 24
    assert len(data.sample(12)) == 12
    with pytest.raises(ValueError, match="fraction=1.5"):
        data.divide(1.5)


@pytest.mark.parametrize("name", sorted(AUGMENTATION))
def test_augments_alike_under_every_global_setting(name):
    data = tiny_data(4)
    drawn = lambda: batches_of(data, (16, 16), 3, 4, [name], seed=3)[0][0]  # noqa: E731
    expected = drawn()
    assert expected.dtype == "float32"
    with global_setting("channels_first"):
        np.testing.assert_array_equal(drawn(), expected)
    for floatx in ("float16", "float64"):
        with global_setting(floatx):
            np.testing.assert_array_equal(drawn(), expected)


def test_keras_augments_as_named():
    for make in AUGMENTATION.values():
        assert isinstance(make(), keras.layers.Layer)


@pytest.mark.parametrize("name", sorted(AUGMENTATION))
def test_masks_move_as_their_images_do(name):
    # Blocks of 8 pixels, in three grays: the mask can be read off the image.
    drawn = np.random.default_rng(0).integers(0, 3, (6, 4, 6))
    masks = drawn.repeat(8, axis=1).repeat(8, axis=2).astype("uint8")
    images = (60.0 + 50 * masks).astype("float32")[..., None]
    weights = (1.0 + masks).astype("float32")
    augmenting = Augmenting([name], seed=3)
    found, (moved, weighed) = augmenting(images, [masks, weights], 1, 2)
    assert found.shape == images.shape and moved.dtype == "uint8"
    assert weighed.dtype == "float32"
    outside = moved == 255
    np.testing.assert_array_equal(weighed[~outside], 1 + moved[~outside])
    if name in ("contrast", "brightness"):
        np.testing.assert_array_equal(moved, masks)
        assert (found != images).any()
        return
    assert (moved != masks).any()
    assert outside.any() == (name != "flip")
    told = np.round((found[..., 0] - 60) / 50)
    # But for the edges of blocks, where colours mix.
    assert (told == moved)[~outside].mean() > (0.8 if name == "rotate" else 0.9)
    again = augmenting(images, [masks], 1, 2)
    np.testing.assert_array_equal(again[1][0], moved)
    other = augmenting(images, [masks], 1, 3)
    assert (other[1][0] != moved).any()
    # What is read without masks is the same.
    reader = Reader(images, images.shape[1:3], 1, [name], seed=3)
    np.testing.assert_array_equal(reader(np.arange(6), 1, 2), found)
