"""Mask files: every form of one, and the one rule of a set."""

import io

import numpy as np
import pytest
from PIL import Image

from zoo.data.images import read_image
from zoo.data.mask_files import (
    RawMask,
    classes_seen,
    image_size,
    look_at,
    read_mask,
    resize_mask,
    rule,
)
from zoo.data.masks import palette

IDS = np.array([[0, 1, 2, 255], [2, 2, 0, 1], [5, 5, 5, 255]], "uint8")
WHITE = np.array([[0, 255, 0], [255, 255, 0]], "uint8")
RED, GREEN, BLACK, SKY = (200, 0, 0), (0, 128, 0), (0, 0, 0), (10, 20, 250)


def file_of(image, form="PNG", **options):
    """A Pillow image as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def gray(values, mode=None):
    image = Image.fromarray(np.asarray(values, "uint8"))
    return file_of(image if mode is None else image.convert(mode))


def indexed(values, colours=None, **options):
    """A palette image, whose colours say nothing of the indices."""
    values = np.asarray(values, "uint8")
    made = Image.frombytes("P", values.shape[::-1], values.tobytes())
    colours = palette(256)[::-1] if colours is None else np.array(colours)
    made.putpalette(colours.astype("uint8").reshape(-1).tolist())
    return file_of(made, **options)


def coloured(rows, **options):
    return file_of(Image.fromarray(np.array(rows, "uint8")), **options)


def blocks(values, side=16):
    """Large enough that a JPEG blurs the edges alone."""
    return np.kron(values, np.ones((side, side), "uint8"))


def jpeg(values, mode="L"):
    image = Image.fromarray(np.asarray(values, "uint8")).convert(mode)
    return file_of(image, "JPEG", quality=75)


def read(raws, names=None):
    """All masks of a set, by its one rule, and the names of the classes."""
    values, names = rule(look_at(raws), names)
    return [read_mask(each, values).tolist() for each in raws], names


def test_ids_are_read_from_every_form(tmp_path):
    path = tmp_path / "mask.png"
    path.write_bytes(gray(IDS))
    forms = [
        path,
        str(path),
        gray(IDS),
        bytearray(gray(IDS)),
        memoryview(gray(IDS)),
        gray(IDS, "LA"),
        gray(IDS, "RGB"),
        gray(IDS, "RGBA"),
        indexed(IDS),
        indexed(IDS, form="GIF", optimize=False),
        indexed(IDS, form="BMP"),
        file_of(Image.fromarray(IDS.astype("uint16"))),
        Image.fromarray(IDS),
        IDS,
        IDS[..., None],
        IDS.astype("int64"),
        IDS.astype("float32"),
        RawMask(path),
        RawMask(gray(IDS)),
    ]
    for form in forms:
        found = read_mask(form)
        assert found.dtype == "uint8" and found.shape == (3, 4)
        np.testing.assert_array_equal(found, IDS)


def test_tensors_are_masks():
    import keras

    np.testing.assert_array_equal(
        read_mask(keras.ops.convert_to_tensor(IDS)), IDS
    )


def test_of_a_palette_the_indices_count_not_the_colours():
    values = np.array([[0, 1], [2, 1]])
    made = indexed(values, [RED, RED, GREEN])
    np.testing.assert_array_equal(read_mask(made), values)
    # Transparency, which a palette may have too, is none of its matter.
    faint = indexed(values, [RED, RED, GREEN], transparency=b"\x00\xff\x80")
    np.testing.assert_array_equal(read_mask(faint), values)


def test_what_is_black_and_white_by_its_format_has_two_classes():
    bits = gray(WHITE, "1")
    assert Image.open(io.BytesIO(bits)).mode == "1"
    assert read_mask(bits).tolist() == [[0, 1, 0], [1, 1, 0]]
    assert read_mask(WHITE == 255).tolist() == [[0, 1, 0], [1, 1, 0]]
    # Gray could be ids as well: alone it is what it says.
    assert read_mask(gray(WHITE)).tolist() == WHITE.tolist()
    assert read_mask(gray(WHITE), (0, 255)).max() == 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_is_cut_at_128(mode):
    flat = np.array([[0, 100, 127, 128], [140, 255, 60, 200]], "uint8")
    expected = blocks(flat >= 128, 8)
    assert read_mask(jpeg(blocks(flat, 8), mode)).tolist() == expected.tolist()


def test_values_are_the_pixels_of_each_class():
    found = read_mask(gray([[1, 2, 3], [3, 255, 2]]), values=(2, 1, 3))
    assert found.tolist() == [[1, 0, 2], [2, 255, 0]]
    assert read_mask(RawMask(gray(WHITE), (255, 0))).tolist() == [
        [1, 0, 1],
        [0, 0, 1],
    ]
    rows = [[RED, BLACK], [BLACK, GREEN]]
    assert read_mask(coloured(rows), (BLACK, GREEN, RED)).tolist() == [
        [2, 0],
        [0, 1],
    ]
    # Colours say it, whatever they are stored as.
    made = indexed([[0, 1], [1, 2]], [RED, BLACK, GREEN])
    assert read_mask(made, (BLACK, GREEN, RED)).tolist() == [[2, 0], [0, 1]]
    assert read_mask(gray([[0, 7]]), (BLACK, (7, 7, 7))).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    "raw, values, why",
    [
        (np.full((2, 2), 0.5), None, "whole numbers.*0.5 in the mask"),
        (np.full((2, 2), np.nan), None, "whole numbers.*nan"),
        (np.full((2, 2), -1), None, "not negative.*-1"),
        (np.full((2, 2), 256), None, "a class.*256 in the mask"),
        (np.zeros((2, 2, 3)), None, r"argmax.*\(2, 2, 3\)"),
        (np.zeros((0, 2)), None, r"shape=\(0, 2\)"),
        (np.zeros(4), None, r"shape=\(4,\)"),
        (np.array([["a"]]), None, "numbers or booleans.*<U1"),
        ([[0, 1]], None, "an array. Received: list"),
        (None, None, "Received: NoneType"),
        (b"no image", None, r"Pillow can decode. Received: the mask \("),
        (gray([[0, 3, 4]]), (0, 255), "a class. Received: 3, 4 in the mask"),
        (coloured([[RED, BLACK]]), None, "not told by colours"),
        (coloured([[RED, SKY]]), (BLACK, RED), "Received: #0a14fa in"),
    ],
)
def test_refuses_what_is_no_mask(raw, values, why):
    with pytest.raises(ValueError, match=why):
        read_mask(raw, values)


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(gray(IDS)[:40])
    for call in (read_mask, lambda each: look_at([each])):
        with pytest.raises(ValueError, match="decode.*broken.png"):
            call(path)
        with pytest.raises(FileNotFoundError, match="missing.png"):
            call(tmp_path / "missing.png")
    path.write_bytes(gray([[3]]))
    with pytest.raises(ValueError, match="3 in .*broken.png"):
        read_mask(RawMask(path, (0, 1)))


def test_refuses_more_pixels_than_an_image_may_have(monkeypatch):
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_MAX_PIXELS", "11")
    with pytest.raises(ValueError, match="11 pixels.*3 x 4 pixels"):
        read_mask(gray(IDS))
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_MAX_PIXELS", "12")
    read_mask(gray(IDS))


def test_a_raw_mask_is_shown_without_its_bytes():
    assert repr(RawMask(gray(IDS), (0, 255))) == (
        "RawMask(bytes, values=(0, 255))"
    )
    assert repr(RawMask("a.png")) == "RawMask(a.png, values=None)"


# One rule for a set.


def test_0_and_255_are_two_classes_where_all_of_the_set_is():
    black, white = np.zeros((2, 3), "uint8"), np.full((2, 3), 255, "uint8")
    for form in (gray, indexed, lambda x: gray(x, "RGB"), lambda x: x):
        found, names = read([form(WHITE), form(black), form(white)])
        assert found == [(x // 255).tolist() for x in (WHITE, black, white)]
        assert names == ["background", "object"]
    _, names = read([gray(WHITE)], ["wall", "door"])
    assert names == ["wall", "door"]


def test_0_and_255_are_a_class_and_what_is_not_labelled_among_ids():
    found, names = read([gray(WHITE), gray([[0, 1, 2]])])
    assert found == [WHITE.tolist(), [[0, 1, 2]]]
    assert names == ["0", "1", "2"]
    # Of five classes, a set may hold one only.
    found, names = read([gray(WHITE)], list("abcde"))
    assert found == [WHITE.tolist()] and names == list("abcde")


def test_0_and_65535_are_two_classes():
    deep = file_of(Image.fromarray(WHITE.astype("uint16") * 257))
    found, names = read([deep])
    assert found == [(WHITE // 255).tolist()] and len(names) == 2


def test_bits_and_jpegs_go_with_black_and_white():
    flat = blocks(WHITE)
    found, _ = read(
        [gray(flat, "1"), jpeg(flat), gray(flat), jpeg(flat, "RGB")]
    )
    assert found == [(flat // 255).tolist()] * 4
    # All black, and still of two classes.
    seen = look_at([jpeg(0 * flat), gray(0 * flat, "1")])
    values, names = rule(seen)
    assert values == (0, 255) and names == ["background", "object"]
    assert classes_seen(seen, values) == {0}


def test_a_bit_among_ids_is_0_or_1():
    found, names = read([gray(WHITE, "1"), gray([[0, 1, 2]])])
    assert found == [[[0, 1, 0], [1, 1, 0]], [[0, 1, 2]]]
    assert names == ["0", "1", "2"]


def test_each_colour_is_a_class_sorted():
    raws = [
        coloured([[RED, BLACK], [RED, RED]]),
        coloured([[GREEN, BLACK], [SKY, GREEN]]),
        # Smaller files of the same kind of mask.
        indexed([[0, 1]], [RED, GREEN]),
        gray([[0, 0]]),
        coloured([[(*RED, 9), (*RED, 200)]]),  # transparency is no colour
    ]
    found, names = read(raws)
    assert names == ["#000000", "#008000", "#0a14fa", "#c80000"]
    assert found == [
        [[3, 0], [3, 3]],
        [[1, 0], [2, 1]],
        [[3, 1]],
        [[0, 0]],
        [[3, 3]],
    ]
    _, names = read(raws, ["void", "tree", "sky", "car"])
    assert names == ["void", "tree", "sky", "car"]
    with pytest.raises(ValueError, match="3 names.*#000000, #008000, #0a14fa"):
        read(raws, ["tree", "sky", "car"])


def test_shades_of_gray_are_colours_where_they_are_stored_so():
    shades = gray([[0, 128, 255]], "RGB")
    found, names = read([shades])
    assert found == [[[0, 1, 2]]]
    assert names == ["#000000", "#808080", "#ffffff"]
    assert read([shades], ["a", "b", "c"])[0] == [[[0, 1, 2]]]
    # Clear ids are ids.
    assert read([gray([[0, 1, 3, 255]], "RGB")])[0] == [[[0, 1, 3, 255]]]


def test_classes_seen_are_those_that_are_there():
    def seen(raws, names=None):
        looked = look_at(raws)
        return classes_seen(looked, rule(looked, names)[0])

    assert seen([gray([[0, 3, 255]])]) == {0, 3}
    assert seen([gray([[0, 0]])]) == {0}
    assert seen([gray([[255, 255]])]) == {1}
    assert seen([coloured([[RED, BLACK]]), gray([[0]])]) == {0, 1}


@pytest.mark.parametrize(
    "raws, names, why",
    [
        ([gray([[0, 128, 255]])], None, "shades of gray.*0, 128, 255"),
        ([gray([np.arange(66)])], None, "shades of gray.*0, 1, .*, 9, ..."),
        ([np.array([[0, 300]])], None, "0 to 254, or 255.*300 in the mask at"),
        (
            [gray([[0, 1]]), gray([[3, 255, 2, 7]])],
            list("abc"),
            "0 to 2, or 255.*: 3, 7 in the mask at place 1",
        ),
        (
            [gray([[0, 1]]), jpeg(blocks(WHITE))],
            None,
            "blurs class ids.*place 1 in a set with the values 0, 1, 255",
        ),
        (
            [coloured([[RED, BLACK]]), jpeg(blocks(WHITE))],
            None,
            "blurs colours.*the mask at place 1",
        ),
        (
            [jpeg(blocks([[0, 100], [180, 255]]))],
            None,
            "black and white; .*% of the pixels in between",
        ),
    ],
)
def test_refuses_a_set_without_a_clear_rule(raws, names, why):
    with pytest.raises(ValueError, match=why):
        rule(look_at(raws), names)


def test_ids_with_gaps_are_ids_if_names_say_so():
    names = [f"class {each}" for each in range(151)]
    found, _ = read([gray([[0, 128, 255]])], names)
    assert found == [[[0, 128, 255]]]
    assert read([gray([[0, 7]])])[1] == [str(each) for each in range(8)]


def test_refuses_photographs():
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), "uint8")
    with pytest.raises(ValueError, match="at most 64.*more than 256 in the"):
        look_at([coloured(noise)])
    with pytest.raises(ValueError, match="blurs colours.*a JPEG in colours"):
        look_at([file_of(Image.fromarray(noise), "JPEG")])
    many = [coloured(noise[at : at + 1]) for at in (0, 1)]
    with pytest.raises(ValueError, match="at most 64.*80 by the mask at"):
        rule(look_at(many))


def test_looks_at_arrays_and_calls_them_as_told():
    stack = np.stack([IDS, IDS[::-1]])
    for each in (stack, stack[..., None], list(stack)):
        seen = look_at(each)
        assert [x.size for x in seen] == [(3, 4)] * 2
        assert [x.numbers for x in seen] == [{0, 1, 2, 5, 255}] * 2
    assert look_at([IDS], ["left"])[0].where == "left"
    with pytest.raises(ValueError, match="0.5 in the mask at place 1"):
        look_at([IDS, np.full((3, 4), 0.5)])


# Sizes.


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("noted", [None, 1, 3, 6, 8])
def test_the_size_of_an_image_is_as_it_is_seen(form, noted, tmp_path):
    image = Image.new("RGB", (7, 4))
    options = {}
    if noted:
        exif = Image.Exif()
        exif[0x0112] = noted
        options["exif"] = exif
    raw = file_of(image, form, **options)
    path = tmp_path / "image"
    path.write_bytes(raw)
    expected = (7, 4) if noted in (6, 8) else (4, 7)
    assert read_image(raw).shape[:2] == expected
    assert image_size(raw) == image_size(path) == expected
    # A mask is not turned.
    if form == "PNG":
        mask = file_of(Image.new("L", (7, 4)), form, **options)
        assert read_mask(mask).shape == (4, 7)
        assert look_at([mask])[0].size == (4, 7)


def test_the_size_of_an_image_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="An image must be a PNG"):
        image_size(b"no image")
    with pytest.raises(FileNotFoundError):
        image_size(tmp_path / "missing.png")
    assert image_size(np.zeros((3, 5, 3))) == (3, 5)
    assert image_size(Image.new("RGB", (5, 3))) == (3, 5)


def test_images_are_not_decoded_for_their_size(monkeypatch):
    cut = file_of(Image.new("RGB", (70, 40)))[:60]
    assert image_size(cut) == (40, 70)


@pytest.mark.parametrize("size", [(3, 4), (6, 8), (7, 3), (1, 1), (2, 11)])
def test_a_mask_is_resized_to_the_nearest_pixel(size):
    generator = np.random.default_rng(0)
    mask = generator.integers(0, 255, (5, 8), "uint8")
    expected = Image.fromarray(mask).resize(
        size[::-1], Image.Resampling.NEAREST
    )
    np.testing.assert_array_equal(resize_mask(mask, size), expected)
    assert resize_mask(mask, size).dtype == "uint8"


def test_refuses_palettes_that_contradict_each_other():
    one = indexed([[0, 1]], [BLACK, RED, GREEN])
    # What is not used does not count.
    cut = indexed([[0, 1]], [BLACK, RED])
    assert read([one, cut, gray([[2, 0]])])[0][2] == [[2, 0]]
    other = indexed([[0, 1]], [BLACK, GREEN])
    with pytest.raises(
        ValueError, match="index 1 is #c80000 in .*place 0 and #008000 in .* 1"
    ):
        rule(look_at([one, other]))
    # Among colours, colours count.
    found, _ = read([one, other, coloured([[RED, GREEN]])])
    assert found == [[[0, 2]], [[0, 1]], [[2, 1]]]
