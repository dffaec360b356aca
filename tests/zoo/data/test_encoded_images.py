"""Images decoded in TensorFlow: the same pixels as by Pillow."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from tests.zoo.export.exported import encoded, some_images
from zoo.data.encoded_images import decode_images
from zoo.data.images import prepare_images

tf = pytest.importorskip("tensorflow")

SIZE = (9, 14)
WIDE = some_images(1, (23, 40))[0]
PICTURE = Image.fromarray(WIDE)
GRAY = some_images(1, (23, 40), 1, seed=1)[0, ..., 0]
DEEP = np.random.default_rng(0).integers(0, 65536, (23, 40, 4), "uint16")
ORIENTATIONS = range(10)  # 0 and 9 say nothing


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda files: decode_images(files, SIZE, 3),
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )


def check_alike(decode, files):
    images, decoded = decode(tf.constant(files))
    assert decoded.numpy().all()
    expected = prepare_images(files, SIZE, 3)
    np.testing.assert_allclose(images, expected, rtol=0, atol=1e-3)
    return images.numpy()


def exif(orientation, order="<", before=0):
    """EXIF written byte by byte, `before` other tags standing first."""
    entries = [(0x0100 + place, 4, 1, 6, 0) for place in range(before)]
    entries.append((0x0112, 3, 1, orientation, 0))
    parts = [b"II" if order == "<" else b"MM", struct.pack(f"{order}HI", 42, 8)]
    parts.append(struct.pack(f"{order}H", len(entries)))
    for tag, kind, count, value, rest in entries:
        if kind == 4:
            parts.append(struct.pack(f"{order}HHII", tag, kind, count, value))
        else:
            layout = f"{order}HHIHH"
            parts.append(struct.pack(layout, tag, kind, count, value, rest))
    return b"Exif\0\0" + b"".join(parts) + struct.pack(f"{order}I", 0)


@pytest.mark.parametrize("form", ["jpeg", "png"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_turns_by_each_orientation_as_prediction_does(decode, form, order):
    files = [
        encoded(WIDE, form=form, exif=exif(value, order, value % 3))
        for value in ORIENTATIONS
    ]
    images = check_alike(decode, files)
    for value in (0, 9):
        np.testing.assert_array_equal(images[value], images[1])
    apart = [image for image in images[1:9]]
    assert len(np.unique([image.sum() for image in apart])) > 1
    for place, image in enumerate(apart):
        for other in apart[:place]:
            assert np.abs(image - other).max() > 5


def test_finds_the_orientation_behind_other_segments(decode):
    plain = encoded(WIDE, form="jpeg", exif=exif(6))
    head, tail = plain[:2], plain[2:]
    for name in (b"http://ns.adobe.com/xap/1.0/\0<x/>", b"Exif of no kind"):
        head += b"\xff\xe1" + struct.pack(">H", 2 + len(name)) + name
    file = head + tail
    images = check_alike(decode, [file, plain])
    np.testing.assert_array_equal(images[0], images[1])


@pytest.mark.parametrize(
    "broken",
    [
        b"Exif\0\0",
        b"Exif\0\0XX\0*\0\0\0\x08",
        exif(6)[:14],
        exif(6)[:20],
        exif(6).replace(b"\x08\0\0\0", b"\xff\xff\xff\x7f", 1),
        exif(6).replace(b"\x08\0\0\0", b"\xff\xff\xff\xff", 1),
    ],
)
def test_broken_exif_leaves_the_image_as_it_is(decode, broken):
    images, decoded = decode(
        tf.constant([encoded(WIDE, form="jpeg", exif=broken)])
    )
    assert decoded.numpy().all()
    plain = prepare_images([encoded(WIDE, form="jpeg")], SIZE, 3)
    np.testing.assert_allclose(images, plain, rtol=0, atol=1e-3)


def test_all_kinds_are_decoded_as_by_prediction(decode):
    see_through = PICTURE.copy()
    see_through.putalpha(Image.fromarray(GRAY))
    palette = PICTURE.quantize(16)
    animated = io.BytesIO()
    palette.save(
        animated, "gif", save_all=True, append_images=[Image.fromarray(GRAY)]
    )

    def saved(image, form, **options):
        file = io.BytesIO()
        image.save(file, form, **options)
        return file.getvalue()

    check_alike(
        decode,
        [
            saved(PICTURE, "bmp"),
            saved(see_through, "bmp"),
            saved(Image.fromarray(GRAY), "gif"),
            saved(palette, "gif", transparency=3),
            animated.getvalue(),
            saved(palette, "png", transparency=3),
            saved(palette, "png", transparency=bytes(range(0, 160, 10))),
            saved(PICTURE, "png", transparency=PICTURE.getpixel((0, 0))),
            saved(see_through, "png"),
            encoded(GRAY, "LA"),
            encoded(GRAY, "1"),
            saved(PICTURE.convert("CMYK"), "jpeg"),
            saved(PICTURE, "jpeg", progressive=True, quality=40),
            saved(Image.fromarray(GRAY), "jpeg"),
            *(
                tf.io.encode_png(DEEP[..., :count]).numpy()
                for count in (1, 2, 3, 4)
            ),
        ],
    )


def test_what_cannot_be_decoded_is_told_by_its_place(decode, monkeypatch):
    good = encoded(WIDE)
    palette = io.BytesIO()
    PICTURE.quantize(16).save(palette, "bmp")  # TensorFlow misreads these
    files = [
        b"",
        b"x",
        good,
        good[: len(good) // 2],
        encoded(WIDE, form="jpeg")[:300],
        encoded(WIDE, form="webp"),
        encoded(WIDE, form="tiff"),
        palette.getvalue(),
        good,
    ]
    images, decoded = decode(tf.constant(files))
    assert np.flatnonzero(decoded).tolist() == [2, 8]
    assert not images.numpy()[~decoded.numpy()].any()
    expected = prepare_images([good], SIZE, 3)[0]
    np.testing.assert_allclose(images[2], expected, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(images[8], images[2])


def test_no_image_and_nothing_but_broken_ones_are_batches_too(decode):
    images, decoded = decode(tf.constant([], tf.string))
    assert images.shape == (0, *SIZE, 3) and decoded.shape == (0,)
    images, decoded = decode(tf.constant([b"x", b"y"]))
    assert images.shape == (2, *SIZE, 3) and not decoded.numpy().any()


def test_a_bomb_of_pixels_is_not_decoded(monkeypatch):
    monkeypatch.setattr("zoo.data.images.MAX_PIXELS", 23 * 40)
    larger = some_images(1, (23, 41))[0]
    for form in ("png", "jpeg", "gif", "bmp"):
        files = [encoded(image, form=form) for image in (WIDE, larger)]
        _, decoded = decode_images(tf.constant(files), SIZE, 3)
        assert decoded.numpy().tolist() == [True, False], form
