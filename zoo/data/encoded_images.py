"""Decodes images in TensorFlow as `zoo.data.images` does, for serving."""

from zoo.data.images import max_pixels
from zoo.data.resizing import LUMA

# By EXIF's orientation, from 0, which says nothing as any above 8: whether rows
# and columns are exchanged, and then whether the rows, and the columns, are
# turned round.
_TURNS = (
    (False, False, False),
    (False, False, False),
    (False, False, True),
    (False, True, True),
    (False, True, False),
    (True, False, False),
    (True, False, True),
    (True, True, True),
    (True, True, False),
)


def decode_images(encoded, size, channels):
    """Decodes images, each by itself: one that is broken harms no other.

    PNG, JPEG, GIF (its first frame) and BMP of 24 or 32 bits are decoded, to
    the pixels that `zoo.data.images.read_image` gives; their EXIF orientation
    is applied. What is of another kind, broken, or has more pixels than
    `zoo.data.images.max_pixels` allows now, is not.

    Args:
        encoded: String tensor `(B,)`.
        size: `(height, width)`.
        channels: 1 or 3.

    Returns:
        `(images, decoded)`: float32 `(B, height, width, channels)`, zeros where
        nothing could be decoded, and booleans `(B,)` that say where it could.
    """
    import tensorflow as tf

    def prepare(encoded, orientation):
        pixels = _turned(_decoded(encoded), orientation)
        pixels = tf.image.resize(pixels, size, antialias=True)
        if channels == 1:
            pixels = tf.linalg.matmul(pixels, tf.constant(LUMA)[:, None])
        return pixels, True

    (orientation,) = _where_possible(
        lambda encoded: (_orientation(encoded),), (encoded,), (tf.constant(1),)
    )
    nothing = tf.zeros((*size, channels)), tf.constant(False)
    return _where_possible(prepare, (encoded, orientation), nothing)


def _where_possible(function, inputs, nothing):
    """A function of each of some inputs; `nothing` where it fails.

    Only data sets can go on after an error inside a graph.
    """
    import tensorflow as tf

    count = tf.size(inputs[0], out_type=tf.int64)
    found = (
        tf.data.Dataset.from_tensor_slices(inputs)
        .enumerate()
        .map(
            lambda place, each: (place, *function(*each)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .ignore_errors()
        # So that there is one at least; its place is taken off again.
        .concatenate(tf.data.Dataset.from_tensors((count, *nothing)))
        .batch(count + 1)
        .get_single_element()
    )
    places, *values = found
    return tuple(
        tf.tensor_scatter_nd_update(
            tf.repeat(default[None], count + 1, axis=0), places[:, None], value
        )[:-1]
        for default, value in zip(nothing, values)
    )


def _decoded(encoded):
    import tensorflow as tf

    def begins(*signatures):
        return tf.reduce_any(
            [
                tf.strings.substr(encoded, 0, len(each)) == each
                for each in signatures
            ]
        )

    def png():
        _check_size(*_numbers(encoded, 16, (4, 4), ">"))
        return tf.io.decode_png(encoded, channels=3)

    def jpeg():
        _check_size(*tf.unstack(tf.io.extract_jpeg_shape(encoded)[:2]))
        # The exact transform is the one that Pillow takes.
        return tf.io.decode_jpeg(
            encoded, channels=3, dct_method="INTEGER_ACCURATE"
        )

    def gif():
        width, height = _numbers(encoded, 6, (2, 2), "<")
        _check_size(height, width)
        pixels = tf.io.decode_image(
            encoded, channels=3, expand_animations=False
        )
        # A frame that is less than the image comes alone.
        tf.debugging.assert_equal(tf.shape(pixels)[:2], [height, width])
        return pixels

    def bmp():
        tf.debugging.Assert(begins(b"BM"), ["no PNG, JPEG, GIF or BMP"])
        width, height, _, bits = _numbers(encoded, 18, (4, 4, 2, 2), "<")
        _check_size(height, width)
        # TensorFlow takes the places in a palette for gray.
        tf.debugging.assert_greater_equal(bits, 24)
        return tf.io.decode_image(encoded, channels=3, expand_animations=False)

    pixels = tf.case(
        [
            (begins(b"\x89PNG\r\n\x1a\n"), png),
            (begins(b"\xff\xd8\xff"), jpeg),
            (begins(b"GIF87a", b"GIF89a"), gif),
        ],
        default=bmp,
    )
    return tf.ensure_shape(pixels, (None, None, 3))


def _check_size(height, width):
    import tensorflow as tf

    height, width = (tf.cast(x, "int64") for x in (height, width))
    most = tf.constant(max_pixels(), "int64")
    tf.debugging.assert_less_equal(tf.abs(height * width), most)


def _turned(pixels, orientation):
    import tensorflow as tf

    def turn(exchanged, rows, columns):
        turned = tf.transpose(pixels, (1, 0, 2)) if exchanged else pixels
        axes = [axis for axis, back in enumerate((rows, columns)) if back]
        return tf.reverse(turned, axes) if axes else turned

    branches = [lambda turns=turns: turn(*turns) for turns in _TURNS]
    return tf.switch_case(orientation, branches, default=lambda: pixels)


def _orientation(encoded):
    """What a camera noted in the EXIF of a PNG or JPEG; may fail."""
    import tensorflow as tf

    place = tf.cond(
        tf.strings.substr(encoded, 0, 2) == b"\xff\xd8",
        lambda: _exif_of_jpeg(encoded),
        lambda: _exif_of_png(encoded),
    )
    order = tf.strings.substr(encoded, place, 2)
    (little,) = _numbers(encoded, place + 4, (4,), "<")
    (big,) = _numbers(encoded, place + 4, (4,), ">")
    return tf.cond(
        order == b"II",
        lambda: _tag(encoded, place + little, "<"),
        lambda: _tag(encoded, place + big, ">"),
    )


def _tag(encoded, directory, order):
    import tensorflow as tf

    (count,) = _numbers(encoded, directory, (2,), order)

    def is_other(entry):
        (tag,) = _numbers(encoded, directory + 2 + 12 * entry, (2,), order)
        return tf.logical_and(tag != 0x0112, entry < count)

    (entry,) = tf.while_loop(is_other, lambda entry: (entry + 1,), (0,))
    (value,) = _numbers(encoded, directory + 10 + 12 * entry, (2,), order)
    return tf.where(entry < count, value, 1)


def _exif_of_jpeg(encoded):
    import tensorflow as tf

    def is_other(place):
        named = tf.strings.substr(encoded, place + 4, 6) == b"Exif\0\0"
        is_exif = tf.logical_and(
            tf.strings.substr(encoded, place, 2) == b"\xff\xe1", named
        )
        return tf.logical_not(is_exif)

    def next_one(place):
        (length,) = _numbers(encoded, place + 2, (2,), ">")
        # Where there is no marker the image begins: no EXIF came.
        tf.debugging.assert_equal(tf.strings.substr(encoded, place, 1), b"\xff")
        tf.debugging.assert_none_equal(
            tf.strings.substr(encoded, place + 1, 1), b"\xda"
        )
        return (place + 2 + length,)

    return tf.while_loop(is_other, next_one, (2,))[0] + 10


def _exif_of_png(encoded):
    import tensorflow as tf

    def is_other(place):
        return tf.strings.substr(encoded, place + 4, 4) != b"eXIf"

    def next_one(place):
        (length,) = _numbers(encoded, place, (4,), ">")
        tf.debugging.assert_non_negative(length)
        return (place + 12 + length,)

    return tf.while_loop(is_other, next_one, (8,))[0] + 8


def _numbers(encoded, place, widths, order):
    """Integers of some bytes each, from a place on; fails behind the end."""
    import tensorflow as tf

    total = sum(widths)
    found = tf.io.decode_raw(tf.strings.substr(encoded, place, total), "uint8")
    numbers = []
    for part in tf.split(
        tf.cast(tf.ensure_shape(found, (total,)), "int32"), list(widths)
    ):
        powers = [256**power for power in range(part.shape[0])]
        powers = powers if order == "<" else powers[::-1]
        numbers.append(tf.reduce_sum(part * powers))
    return numbers
