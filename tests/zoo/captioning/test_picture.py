"""The strips of answers: which image, which words, which maps."""

import io

import numpy as np
import pytest
from PIL import Image as Picture

from keras_attention.pictures import save_figure
from tests.drawn import inside
from zoo.captioning.picture import (
    region_strips_of_answers,
    strips_of_answers,
)


def answer(words, maps, **more):
    return {
        "caption": " ".join(words),
        "words": words,
        "score": -1.0,
        "attention": maps,
        **more,
    }


def peaks(shape, *places):
    weights = np.zeros((len(places), *shape), "float32")
    for index, place in enumerate(places):
        weights[(index, *place)] = 0.5
    return weights


def image(height, width, colour):
    return np.full((height, width, 3), colour, "uint8")


def encoded(pixels, form="png"):
    file = io.BytesIO()
    Picture.fromarray(pixels).save(file, form)
    return file.getvalue()


def rows_of(figure):
    """The panels of each strip, without bars."""
    strips = []
    for ax in figure.axes:
        if not ax.get_title() and ax.images:
            strips.append([])
        if ax.images:
            strips[-1].append(ax)
    return strips


def test_each_image_has_the_words_and_maps_of_its_answer():
    raws = [image(20, 30, (255, 0, 0)), image(40, 20, (0, 0, 255))]
    first = peaks((2, 3), (0, 0), (1, 2), (0, 1))
    second = peaks((2, 3), (1, 0), (0, 2))
    answers = [
        answer(["a", "red", "wall"], {"decoder": first}),
        answer(["blue", "sea"], {"decoder": second}),
    ]
    figure = strips_of_answers(raws, answers)
    assert [t.get_text() for t in figure.texts] == ["a red wall", "blue sea"]
    strips = rows_of(figure)
    for raw, said, strip in zip(raws, answers, strips, strict=True):
        assert [ax.get_title() for ax in strip] == ["", *said["words"]]
        np.testing.assert_array_equal(strip[0].images[0].get_array(), raw)
        for ax, weights in zip(strip[1:], said["attention"]["decoder"]):
            np.testing.assert_array_equal(ax.images[1].get_array(), weights)
            height, width = raw.shape[:2]
            assert list(ax.images[1].get_extent()) == [0, width, height, 0]
    assert first[1].argmax() == 5  # the lower right corner
    light = inside(strips[0][2]).sum(-1)
    y, x = np.unravel_index(light.argmax(), light.shape)
    assert y > len(light) / 2 and x > 2 * light.shape[1] / 3


@pytest.mark.parametrize("grid", [(2, 8), (8, 2), (4, 4)])
def test_flat_maps_are_of_the_grid_that_is_told_row_by_row(grid):
    weights = np.random.default_rng(0).random((3, 16), "float32")
    figure = strips_of_answers(
        [image(8, 8, 90)], [answer(["a", "b"], {"x": weights})], grid
    )
    ((_, *panels),) = rows_of(figure)
    height, width = grid
    for ax, row in zip(panels, weights):
        expected = [
            [row[i * width + j] for j in range(width)] for i in range(height)
        ]
        np.testing.assert_array_equal(ax.images[1].get_array(), expected)


def test_of_more_maps_than_words_the_first_are_drawn_and_set_the_range():
    weights = peaks((2, 2), (0, 0), (1, 1), (0, 1))
    weights[2] = 9
    figure = strips_of_answers(
        [image(8, 8, 90)], [answer(["a", "b"], {"x": weights})]
    )
    ((_, *panels),) = rows_of(figure)
    assert len(panels) == 2
    assert {ax.images[1].get_clim() for ax in panels} == {(0, 0.5)}


def test_several_maps_are_strips_of_their_own_whatever_their_names():
    long = "decoder/" + "x" * 40
    maps = {
        f"{long}1": peaks((2, 2), (0, 0)),
        f"{long}2": peaks((2, 2), (1, 1)),
        "$y$\n": peaks((1, 3), (0, 2)),
    }
    figure = strips_of_answers([image(8, 8, 90)], [answer(["a"], maps)])
    strips = rows_of(figure)
    for (_, ax), weights in zip(strips, maps.values(), strict=True):
        np.testing.assert_array_equal(ax.images[1].get_array(), weights[0])
    titles = [text.get_text() for text in figure.texts]
    assert titles[0] == titles[1] and titles[0].startswith("decoder/xxx")
    assert titles[2] == "$y$·: a"
    figure.draw_without_rendering()


def test_a_caption_without_words_is_an_image_alone():
    figure = strips_of_answers(
        [image(8, 8, 90)], [answer([], {"x": peaks((2, 2), (0, 0))})]
    )
    assert len(figure.axes) == 1
    assert [text.get_text() for text in figure.texts] == ["(no words)"]


@pytest.mark.parametrize("word", ["WWWWWWWW", "Ж" * 40, "mmmmm"])
def test_a_wide_caption_stays_on_the_page(word):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    narrow = answer(["a"], {"x": np.ones((1, 2, 2))}, caption=f"{word} " * 9)
    figure = strips_of_answers([image(8, 8, 90)], [narrow])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert 1 < len(figure.texts) <= 4
    for line in figure.texts:
        box = line.get_window_extent(canvas.get_renderer())
        assert 0 < box.x0 and box.x1 < figure.bbox.width
    said = "".join(line.get_text() for line in figure.texts).replace(" ", "")
    assert (word * 9).startswith(said.rstrip("…"))


def test_words_of_strangers_are_shown_as_they_are(tmp_path):
    words = ["$\\frac{1}{0}$", "a\x00b", "\u202e", "w" * 3000]
    figure = strips_of_answers(
        [image(8, 8, 90)], [answer(words, {"x": np.ones((4, 2, 2))})]
    )
    ((_, *panels),) = rows_of(figure)
    shown = [ax.get_title() for ax in panels]
    assert shown[:3] == ["$\\frac{1}{0}$", "a·b", "·"]
    assert len(shown[3]) < 30 and len(figure.texts) <= 5
    assert max(figure.get_size_inches()) < 15
    save_figure(figure, tmp_path / "words.png")


def test_images_are_taken_in_every_form(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), "uint8")
    path = tmp_path / "image.png"
    path.write_bytes(encoded(pixels))
    gray = pixels[..., :1]
    raws = [
        path,
        path.read_bytes(),
        Picture.fromarray(pixels),
        pixels,
        pixels.astype("float32"),
        gray,
    ]
    said = answer(["a"], {"x": np.ones((1, 2, 2))})
    figure = strips_of_answers(raws, [said] * len(raws))
    strips = rows_of(figure)
    for raw, (first, _) in zip(raws, strips, strict=True):
        expected = np.repeat(gray, 3, -1) if raw is gray else pixels
        np.testing.assert_array_equal(first.images[0].get_array(), expected)
    batch = strips_of_answers(np.stack([pixels, pixels]), [said] * 2)
    assert len(rows_of(batch)) == 2


def test_an_image_is_kept_whole_up_to_a_size_and_then_reduced():
    y, x = np.mgrid[0:600, 0:1024]
    pixels = np.stack([y // 3, x // 5, 0 * x], -1).astype("uint8")
    double = pixels.repeat(2, 0).repeat(2, 1)
    said = answer(["a"], {"x": np.ones((1, 2, 2))})
    kept, reduced = (
        rows_of(figure)[0][0].images[0].get_array().astype(int)
        for figure in (
            strips_of_answers([raw], [said]) for raw in (pixels, double)
        )
    )
    np.testing.assert_array_equal(kept, pixels)
    assert reduced.shape == pixels.shape
    assert np.abs(reduced - pixels).max() <= 2


def test_panels_side_by_side_are_as_many_as_told():
    said = answer(list("abcdef"), {"x": np.ones((6, 2, 2))})
    for columns, across in ((3, 3), (7, 7)):
        figure = strips_of_answers([image(8, 8, 90)], [said], columns=columns)
        (panels,) = rows_of(figure)
        places = {round(ax.get_window_extent().x0) for ax in panels}
        assert len(places) == across


@pytest.mark.parametrize(
    ("raws", "answers", "options", "message"),
    [
        ([], [], {}, "0 images, 0 answers"),
        ([image(8, 8, 0)], [], {}, "1 images, 0 answers"),
        ([image(8, 8, 0)], [answer(["a"], {})], {}, "none.*attention={}"),
        (
            [image(8, 8, 0)],
            [answer(["a", "b"], {"x": np.ones((1, 2, 2))})],
            {},
            r"2 words.*\(1, 2, 2\)",
        ),
        (
            [image(8, 8, 0)],
            [answer(["a"], {"x": np.ones((1, 16))})],
            {},
            r"'x' of shape \(1, 16\), grid=None",
        ),
        (
            [image(8, 8, 0)],
            [answer(["a"], {"x": np.ones((1, 16))})],
            {"grid": (3, 4)},
            r"\(1, 16\), grid=\(3, 4\)",
        ),
        (
            [image(8, 8, 0)],
            [answer(["a"], {"x": np.full((1, 2, 2), np.nan)})],
            {},
            "finite",
        ),
        (
            [b"no image"],
            [answer(["a"], {"x": np.ones((1, 2, 2))})],
            {},
            "Pillow",
        ),
    ],
)
def test_refuses_what_it_cannot_draw(raws, answers, options, message):
    with pytest.raises(ValueError, match=message):
        strips_of_answers(raws, answers, **options)


BOXES = [(-1, -1, 0, 1), (0, -1, 1, 0.5)]


def boxed(words, weights):
    return answer(words, {}, boxes={"count": 2, "weights": weights})


def test_boxes_of_each_image_have_the_weights_of_its_answer():
    raws = [
        {"image": encoded(image(20, 30, 90)), "boxes": BOXES},
        {"image": image(40, 20, 9), "boxes": np.array(BOXES)},
    ]
    answers = [
        boxed(["a", "red"], [[1, 0], [0.2, 0.8], [0.5, 0.5]]),
        boxed(["blue"], [[0.3, 0.7]]),
    ]
    figure = region_strips_of_answers(raws, answers)
    assert [t.get_text() for t in figure.texts] == ["a red", "blue"]
    strips = rows_of(figure)
    fronts = [[], []]
    for strip, said, found, size in zip(
        strips, answers, fronts, ((20, 30), (40, 20)), strict=True
    ):
        assert [ax.get_title() for ax in strip] == ["", *said["words"]]
        for ax in strip[1:]:
            front = max(ax.patches, key=lambda patch: patch.get_zorder())
            found.append((front.get_x(), front.get_height() / size[0]))
    assert fronts == [[(0, 1), (15, 0.75)], [(10, 0.75)]]


def test_a_caption_without_words_is_an_image_with_its_boxes():
    raw = {"image": image(8, 8, 90), "boxes": BOXES}
    for weights in ([], [[0.5, 0.5]]):
        figure = region_strips_of_answers([raw], [boxed([], weights)])
        assert [text.get_text() for text in figure.texts] == ["(no words)"]
        (ax,) = figure.axes
        assert len(ax.patches) == 2


@pytest.mark.parametrize(
    ("raws", "answers", "message"),
    [
        ([], [], "0 images, 0 answers"),
        ([{"image": image(8, 8, 0), "boxes": BOXES}], [], "0 answers"),
        (
            [{"image": image(8, 8, 0), "boxes": BOXES}],
            [boxed(["a", "b"], [[1, 0]])],
            r"2 words, 2 boxes, weights of shape \(1, 2\)",
        ),
        (
            [{"image": image(8, 8, 0), "boxes": BOXES[:1]}],
            [boxed(["a"], [[1, 0]])],
            r"1 words, 1 boxes, weights of shape \(1, 2\)",
        ),
        (
            [{"image": image(8, 8, 0), "boxes": BOXES}],
            [answer(["a"], {}, boxes={"count": 2})],
            r"weights of shape \(0,\)",
        ),
        (
            [{"image": image(8, 8, 0), "boxes": []}],
            [boxed(["a"], [[1, 0]])],
            "a box at least",
        ),
        (
            [{"image": b"no image", "boxes": BOXES}],
            [boxed(["a"], [[1, 0]])],
            "Pillow",
        ),
    ],
)
def test_refuses_boxes_that_it_cannot_draw(raws, answers, message):
    with pytest.raises(ValueError, match=message):
        region_strips_of_answers(raws, answers)
