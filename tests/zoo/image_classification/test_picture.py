"""The picture of where a classifier looked: which maps, in which row."""

import io

import keras
import numpy as np
import PIL.Image
import pytest
from matplotlib.colors import to_hex

from keras_attention import CBAM, SEBlock, attention_maps
from keras_attention.feature_map.selective_kernel import SelectiveKernel
from keras_attention.glimpse.attention_crop import AttentionCrop
from keras_attention.glimpse.entropy_saliency import EntropySaliency
from keras_attention.glimpse.gaussian_attention import GaussianAttention
from keras_attention.glimpse.glimpse_sensor import GlimpseSensor
from keras_attention.glimpse.spatial_transformer import SpatialTransformer
from keras_attention.pictures.glimpses import REGION_COLORS, read_region
from tests.drawn import colours, inside
from tests.numbers import randomize
from tests.zoo.tiny import tiny_data
from zoo.data.images import prepare_images, read_image
from zoo.image_classification.dynamic_capacity_network import SalientPatches
from zoo.image_classification.picture import where_it_looked
from zoo.image_classification.spatial_transformer_network import PRESETS
from zoo.image_classification.task import ImageClassification
from zoo.inputs.image import Image
from zoo.outputs.label import Label


def picture(attention, count=2, **options):
    recipe = {
        "builder": "attention_resnet",
        "builder_args": {
            "input_shape": [16, 16, 3],
            "attention": attention,
            "filters": [8, 16],
            "blocks": 2,
        },
    }
    task = ImageClassification.untrained(
        recipe, Image((16, 16), 3), Label(["red", "green", "blue"])
    )
    randomize(task.model)  # untrained, CBAM's maps are even
    images = list(tiny_data(count).images)
    answers = task.look(images)
    read = task.input.arrays(images)["image"]
    figure = where_it_looked(images, read, answers, **options)
    rows = len(figure.axes) // count
    return answers, np.reshape(figure.axes, (rows, count))


def words(grid):
    return [row[0].get_ylabel().split("\n")[0] for row in grid]


@pytest.mark.parametrize(
    "attention, rows",
    [
        ("cbam", ["stage 1, block 2", "stage 2, block 2", "stage 2, block 2"]),
        ("bam", ["stage 1"]),
        ("se", ["stage 2, block 2"]),
        ("sk", ["stage 2, block 2"]),
    ],
)
def test_shows_the_last_layer_of_each_stage(attention, rows):
    _, grid = picture(attention)
    assert words(grid) == ["the image", *rows]


def test_names_that_tell_no_stage_leave_the_last_map_of_each_size():
    """As those of networks of keras.applications, inside a backbone."""
    image = keras.Input((8, 12, 3))
    x = keras.layers.Conv2D(4, 1, name="conv")(image)
    x = SEBlock(name="unit_7_se")(CBAM(name="unit_1_cbam")(x))
    x = CBAM(name="unit_2_cbam")(x)
    x = CBAM(name="unit_3_cbam")(keras.layers.AveragePooling2D(2)(x))
    inner = keras.Model(image, SEBlock(name="unit_4_se")(x), name="inner")
    model = keras.Model(image, inner(image))
    images = np.random.default_rng(0).uniform(0, 255, (1, 8, 12, 3))
    maps = {}
    for name, found in attention_maps(model, images).items():
        parts = found if isinstance(found, dict) else {"": found}
        for part, weights in parts.items():
            maps["/".join(filter(None, (name, part)))] = weights[0]
    answers = [{"label": "a", "probability": 1, "attention": maps}]
    figure = where_it_looked(images, images, answers, model=model)
    shown = words(np.reshape(figure.axes, (-1, 1)))
    assert shown == [
        *("the image", "unit 2, cbam", "unit 3, cbam", "unit 4, se"),
    ]


def test_a_row_of_maps_has_one_range_and_every_map_its_image():
    answers, grid = picture("cbam")
    for row, layer in ((1, "stage_1_block_2"), (2, "stage_2_block_2")):
        maps = np.stack(
            [a["attention"][f"{layer}_attention/spatial"] for a in answers]
        )
        for ax, expected in zip(grid[row], maps):
            drawn = ax.images[-1]
            np.testing.assert_array_equal(drawn.get_array(), expected[..., 0])
            assert drawn.get_clim() == (maps.min(), maps.max())
        assert len({(one.min(), one.max()) for one in maps}) == 2


def test_bars_are_the_gates_of_the_last_layer():
    answers, grid = picture("se")
    for ax, answer in zip(grid[-1], answers):
        heights = [bar.get_height() for bar in ax.patches]
        gates = answer["attention"]["stage_2_block_2_attention"]
        np.testing.assert_allclose(heights, gates.ravel())


def test_shows_the_latest_maps_where_there_are_many():
    _, grid = picture("cbam", maps=1)
    assert words(grid) == ["the image"] + 2 * ["stage 2, block 2"]


def test_the_line_above_is_the_answer_or_what_is_given():
    answers, grid = picture("cbam")
    share = f"{100 * answers[0]['probability']:.0f} %"
    assert grid[0, 0].get_title() == f"{answers[0]['label']} ({share})"
    _, grid = picture("cbam", titles=["one", "two"])
    assert [ax.get_title() for ax in grid[0]] == ["one", "two"]


def test_refuses_to_draw_nothing():
    nothing = np.zeros((0, 8, 8, 3))
    with pytest.raises(ValueError, match="There must be an image"):
        where_it_looked(nothing, nothing, [])
    answers, _ = picture("se")
    one, two = np.zeros((1, 8, 8, 3)), np.zeros((2, 8, 8, 3))
    with pytest.raises(ValueError, match="1 images, 2 as .* 2 answers"):
        where_it_looked(one, two, answers)


@pytest.mark.parametrize("shape", [(6, 12), (12, 6), (8, 8)])
@pytest.mark.parametrize("count", [1, 8, 11])
def test_each_map_lies_on_its_own_image_the_right_way_up(shape, count):
    corners = [
        ((0, 0), (0, -1), (-1, 0), (-1, -1))[i % 4] for i in range(count)
    ]
    answers = []
    for corner in corners:
        weights = np.zeros((2, 3, 1))
        weights[corner] = 1
        maps = {"stage_1_block_1_attention/spatial": weights}
        answers.append(
            {"label": f"of {len(answers)}", "probability": 1, "attention": maps}
        )
    images = np.zeros((count, *shape, 3))
    figure = where_it_looked(images, images, answers)
    shown = {ax.get_title(): ax for ax in figure.axes if ax.get_title()}
    assert list(shown) == [f"of {i} (100 %)" for i in range(count)]
    across = min(8, count)
    _, hottest = colours("plasma")
    for place, ax in enumerate(shown.values()):
        below = figure.axes[figure.axes.index(ax) + across]
        np.testing.assert_array_equal(
            below.images[1].get_array(),
            answers[place]["attention"]["stage_1_block_1_attention/spatial"][
                ..., 0
            ],
        )
        height, width = shape
        for image in below.images:
            assert list(image.get_extent()) == [0, width, height, 0]
    y, x = corners[-1]
    drawn = inside(below)
    hot = np.abs(drawn - hottest).sum(-1)
    centre = np.unravel_index(hot.argmin(), hot.shape)
    assert (centre[0] * 2 >= len(drawn)) == (y == -1)
    assert (centre[1] * 2 >= drawn.shape[1]) == (x == -1)
    assert drawn.shape[1] / drawn.shape[0] == pytest.approx(
        shape[1] / shape[0], rel=0.1
    )


def test_long_labels_do_not_meet_and_dollars_are_dollars():
    answers, _ = picture("se")
    for answer in answers:
        answer["label"] = "$\\frac{$ a label that goes on and on\x1b"
    images = np.zeros((2, 8, 8, 3))
    figure = where_it_looked(images, images, answers)
    figure.canvas.draw()
    boxes = [ax.title.get_window_extent() for ax in figure.axes[:2]]
    assert boxes[0].x1 <= boxes[1].x0
    assert figure.axes[0].get_title().startswith("$\\frac{$ a l")


# Glimpses: hand-made answers, and the layers that say what they are.

SIZE = (20, 40)  # height, width
MIRRORED = [[-1, 0, 0], [0, 1, 0]]


def box(half, x, y):
    return [[half, 0, x], [0, half, y]]


def corners(half, x, y, size=SIZE):
    """Of a box, in pixels from the outer corner of the first."""
    height, width = size
    left, right = ((x + side * half + 1) / 2 * width for side in (-1, 1))
    top, bottom = ((y + side * half + 1) / 2 * height for side in (-1, 1))
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def network(*layers, shape=(*SIZE, 1)):
    """A network of glimpse layers, each of which looks at the image."""
    image = keras.Input(shape)
    said = keras.layers.GlobalAveragePooling2D()(image)
    outputs = []
    for layer in layers:
        wanted = {AttentionCrop: 3, GlimpseSensor: 2, GaussianAttention: 6}
        inputs = [image]
        if type(layer) in wanted:
            inputs.append(keras.layers.Dense(wanted[type(layer)])(said))
        x = layer(*inputs)
        x = x[0] if isinstance(x, tuple) else x
        outputs.append(keras.layers.Flatten()(x))
    return keras.Model(image, outputs)


def glimpsed(answered, model=None, images=None, **options):
    """The rows of axes of a picture of images and their maps."""
    count = len(next(iter(answered.values())))
    if images is None:
        images = np.random.default_rng(0).integers(0, 256, (count, *SIZE, 1))
    answers = [
        {
            "label": f"of {index}",
            "probability": 1,
            "attention": {
                name: np.asarray(of_all[index], "float32")
                for name, of_all in answered.items()
            },
        }
        for index in range(count)
    ]
    figure = where_it_looked(images, images, answers, model=model, **options)
    return images, np.reshape(figure.axes, (-1, min(8, count)))


def said(grid):
    return [row[0].get_ylabel() for row in grid]


@pytest.mark.parametrize("align_corners", [True, False])
def test_a_transformer_shows_the_image_before_and_after(align_corners):
    layer = SpatialTransformer(align_corners=align_corners, name="upright")
    turns = [MIRRORED, box(0.5, 0.5, 0)]
    images, grid = glimpsed({"upright": turns}, network(layer))
    assert said(grid) == [
        "the image",
        "upright:\nwhere it looked",
        "what it read there\n20 x 40 pixels",
    ]
    whole = corners(1, 0, 0, np.array(SIZE) - align_corners)
    right = corners(0.5, 0.5, 0, np.array(SIZE) - align_corners)
    for ax, expected in zip(
        grid[1], (np.array(whole)[[1, 0, 3, 2]], np.array(right))
    ):
        _, outline = ax.patches
        found = outline.get_xy()[:4] - 0.5 * align_corners
        np.testing.assert_allclose(found, expected, atol=1e-4)
    after = grid[2, 0].images[0].get_array()
    np.testing.assert_allclose(after, pale(images[0])[:, ::-1], atol=1e-5)
    expected = read_region(
        pale(images[1]), turns[1], SIZE, align_corners, outside=0.5
    )
    after = grid[2, 1].images[0].get_array()
    np.testing.assert_allclose(after, expected, atol=1e-5)
    for ax in grid[2]:
        assert to_hex(ax.spines["top"].get_edgecolor()) == to_hex(
            outline.get_edgecolor()
        )


def pale(image):
    """Grey values of an image in [0, 1], as three colours."""
    return np.repeat(image / 255, 3 // image.shape[-1], axis=-1)


def test_a_transformer_is_drawn_as_its_layer_reads():
    layer = SpatialTransformer(
        transform="attention", output_size=(5, 6), padding="border", name="part"
    )
    _, grid = glimpsed(
        {"part": [box(1, 2, 0)]}, network(layer), np.full((1, *SIZE, 1), 99)
    )
    assert said(grid)[2] == "what it read there\n5 x 6 pixels"
    after = grid[2, 0].images[0].get_array()
    assert after.shape == (5, 6, 3)
    np.testing.assert_allclose(after, 99 / 255)  # outside it is the border
    assert len(grid[1, 0].patches) == 1  # upright, so nothing points upwards
    zeros = SpatialTransformer(transform="translation", name="part")
    _, grid = glimpsed(
        {"part": [box(1, 2, 0)]}, network(zeros), np.full((1, *SIZE, 1), 99)
    )
    after = grid[2, 0].images[0].get_array()
    np.testing.assert_allclose(after[:, 1:], 0.5)  # grey


def test_projective_transforms_and_splines_have_outlines_of_their_own():
    tilted = [[1, 0, 0], [0, 1, 0], [0.5, 0, 1]]
    even = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(9, 2)
    layers = [
        SpatialTransformer(transform="projective", name="plane"),
        SpatialTransformer(transform="tps", points=3, name="sheet"),
        SpatialTransformer(transform="tps", points=3, steps=2, name="sheets"),
    ]
    images, grid = glimpsed(
        {"plane": [tilted], "sheet": [even], "sheets": [even]}, network(*layers)
    )
    assert len(grid) == 7
    _, outline = grid[1, 0].patches
    expected = [(-2, -2), (2 / 3, -2 / 3), (2 / 3, 2 / 3), (-2, 2)]
    in_pixels = (np.array(expected) + 1) / 2 * (39, 19) + 0.5
    np.testing.assert_allclose(outline.get_xy()[:4], in_pixels, rtol=1e-5)
    _, *lines = grid[3, 0].patches
    assert len(lines) == 6
    after = grid[4, 0].images[0].get_array()
    np.testing.assert_allclose(after, pale(images[0]), atol=1e-4)
    assert [words.split("\n")[0] for words in said(grid)[2::2]] == [
        "what it read there",
        "what it read there",
        "about what it read",
    ]


def test_crops_are_boxes_in_colours_and_below_scale_by_scale():
    model = network(
        AttentionCrop((5, 10), name="crop_2"), AttentionCrop((4, 4), name="b")
    )
    maps = {
        "crop_2": [box(0.5, 0.5, -0.5), box(0.5, 0, 0)],
        "b": [box(0.25, 0.5, -0.5), box(0.5, 1, 1)],  # partly outside
    }
    images, grid = glimpsed(maps, model)
    assert said(grid) == [
        "the image",
        "where it looked",
        "crop 2\n5 x 10 pixels",
        "b\n4 x 4 pixels",
    ]
    for index, ax in enumerate(grid[1]):
        for number, (outline, of_all) in enumerate(
            zip(ax.patches, maps.values(), strict=True)
        ):
            (half, _, x), (_, _, y) = of_all[index]
            np.testing.assert_allclose(
                outline.get_xy()[:4], corners(half, x, y), atol=1e-4
            )
            colour = to_hex(outline.get_edgecolor())
            assert colour == REGION_COLORS[number]
            frame = grid[2 + number, index].spines["left"]
            assert to_hex(frame.get_edgecolor()) == colour
        assert ax.get_xlim() == (0, 40) and ax.get_ylim() == (20, 0)
    # Half the image at half its size: means of 2 by 2 pixels.
    upper_right = pale(images[0])[:10, 20:].reshape(5, 2, 10, 2, 3)
    np.testing.assert_allclose(
        grid[2, 0].images[0].get_array(), upper_right.mean((1, 3)), atol=1e-5
    )
    outside = grid[3, 1].images[0].get_array()
    np.testing.assert_allclose(outside[2:, :], 0.5, atol=1e-5)


def places_of_glimpses(count, scales):
    places = np.random.default_rng(3).uniform(-0.8, 0.8, (2, count, 2))
    return places, [
        [[box(0.1 * 2**s, x, y) for s in range(scales)] for x, y in each]
        for each in places
    ]


def test_glimpses_are_numbered_along_a_path_and_then_step_by_step():
    places, found = places_of_glimpses(3, scales=2)
    images, grid = glimpsed({"recurrent/glimpses": found})
    assert said(grid) == [
        "the image",
        "recurrent:\n3 in order",
        "glimpse 1 of 3\n2 scales",
        "glimpse 2 of 3\n2 scales",
        "glimpse 3 of 3\n2 scales",
    ]
    for index, ax in enumerate(grid[1]):
        *boxes, path = ax.patches
        centres = (places[index] + 1) / 2 * (40, 20)
        np.testing.assert_allclose(path.get_xy(), centres, atol=1e-4)
        assert [text.get_text() for text in ax.texts] == ["1", "2", "3"]
        for text, centre in zip(ax.texts, centres):
            np.testing.assert_allclose(text.get_position(), centre, atol=1e-4)
        for outline, place in zip(boxes, places[index], strict=True):
            np.testing.assert_allclose(
                outline.get_xy()[:4], corners(0.1, *place), atol=1e-4
            )
        for step, place in enumerate(places[index]):
            ax = grid[2 + step, index]
            assert [to_hex(p.get_edgecolor()) for p in ax.patches] == list(
                REGION_COLORS[:2]
            )
            for outline, half in zip(ax.patches, (0.1, 0.2), strict=True):
                np.testing.assert_allclose(
                    outline.get_xy()[:4], corners(half, *place), atol=1e-4
                )
            around, seen = ax.images
            shown = 255 * pale(images[index])
            np.testing.assert_allclose(seen.get_array(), shown)
            np.testing.assert_allclose(
                around.get_array(), np.round(0.3 * shown + 0.35 * 255)
            )


def test_of_a_glimpse_the_widest_patch_is_bright_and_the_rest_pale():
    found = [[[box(0.1, 0, 0), box(0.5, -0.5, 0)]]]
    _, grid = glimpsed(
        {"recurrent/glimpses": found}, images=np.zeros((1, *SIZE, 1))
    )
    drawn = inside(grid[2, 0])
    row = drawn[drawn.shape[0] // 3, :, :].max(-1)
    width = len(row)
    assert (row[width // 10 : width * 4 // 10] == 0).all()
    assert (row[width * 6 // 10 :] == round(0.35 * 255)).all()


def test_a_long_sequence_is_shown_whole_but_not_all_of_it_one_by_one():
    _, found = places_of_glimpses(12, scales=1)
    _, grid = glimpsed({"recurrent/glimpses": found})
    assert said(grid)[-1] == "glimpse 8 of 12" and len(grid) == 10
    assert len(grid[1, 0].texts) == 12


def test_a_sensor_alone_is_a_single_glimpse():
    found = [[box(0.1, 0, 0), box(0.2, 0, 0)]] * 2
    _, grid = glimpsed(
        {"sensor": found}, network(GlimpseSensor(4, name="sensor"))
    )
    assert said(grid)[1:] == [
        "sensor:\nwhere it looked",
        "glimpse 1 of 1\n2 scales",
    ]


class Holding(keras.Model):
    """A model that has a layer and does not call it."""

    def __init__(self, layer):
        super().__init__()
        self.held = layer


def salient():
    """Of 3 by 6 places, the most salient, and its patch of 8 pixels."""
    saliency = np.zeros((1, 3, 6))
    saliency[0, 2, 4] = 0.004
    # The patch of the first place begins at 1, the others 5 pixels apart.
    x, y = 1 + 4 * 5 + 4, 1 + 2 * 5 + 4
    patch = [[8 / 40, 0, x / 20 - 1], [0, 8 / 20, y / 10 - 1]]
    return saliency, [[patch]], (x, y)


def test_patches_lie_on_the_map_by_which_they_were_chosen():
    saliency, patches, (x, y) = salient()
    maps = {"eye/saliency": saliency, "eye/patches": patches}
    model = Holding(SalientPatches(1, 8, 5, 1, name="eye"))
    _, grid = glimpsed(maps, model)
    assert said(grid) == [
        "the image",
        "eye\nplaces: 0.0000 to 0.0040\n1 patches",
    ]
    ax = grid[1, 0]
    (outline,) = ax.patches
    np.testing.assert_allclose(outline.get_xy()[:4].mean(0), (x, y), atol=1e-4)
    np.testing.assert_allclose(
        np.ptp(outline.get_xy(), axis=0), (8, 8), atol=1e-4
    )
    heat = ax.images[1]
    left, right, bottom, top = heat.get_extent()
    assert left + (right - left) * 4.5 / 6 == x
    assert top + (bottom - top) * 2.5 / 3 == y
    assert ax.get_xlim() == (0, 40) and ax.get_ylim() == (20, 0)


def test_what_names_say_is_believed_only_of_boxes():
    saliency, patches, _ = salient()
    maps = {"eye/saliency": saliency, "eye/patches": patches}
    _, grid = glimpsed(maps)  # an unknown layer: its map covers the image
    assert grid[1, 0].images[1].get_extent() == [0, 40, 20, 0]
    _, grid = glimpsed({"eye/patches": patches})
    assert said(grid)[1] == "eye:\n1 patches"
    assert len(grid[1, 0].images) == len(grid[1, 0].patches) == 1
    _, grid = glimpsed({"eye/saliency": saliency})
    assert said(grid)[1] == "eye\nplaces: 0.0000 to 0.0040"
    _, grid = glimpsed({"stage_1/patches": np.ones((1, 4, 5, 1))})
    assert said(grid) == ["the image", "stage 1\nplaces: 1.00 to 1.00"]


def test_a_saliency_by_which_patches_were_cut_is_drawn_with_them_only():
    saliency, patches, _ = salient()
    model = Holding(EntropySaliency(keras.layers.Flatten(), name="unsure"))
    model.eye = SalientPatches(1, 8, 5, 1, name="eye")
    maps = {"eye/saliency": saliency, "eye/patches": patches}
    drawn = ["the image", "eye\nplaces: 0.0000 to 0.0040\n1 patches"]
    _, grid = glimpsed({"unsure": saliency, **maps}, model)
    assert said(grid) == drawn
    _, grid = glimpsed({"unsure": 2 * saliency, **maps}, model)
    assert len(said(grid)) == 3 and set(drawn) < set(said(grid))


def test_a_saliency_is_heat_over_the_image():
    top = keras.layers.GlobalMaxPooling2D()
    weights = np.zeros((2, 2, 4))
    weights[1, 0, 3] = 0.75
    model = Holding(EntropySaliency(top, name="where_it_matters"))
    _, grid = glimpsed({"where_it_matters": weights}, model)
    assert said(grid) == [
        "the image",
        "where it matters\nplaces: 0.00 to 0.75",
    ]
    for ax, expected in zip(grid[1], weights):
        heat = ax.images[1]
        np.testing.assert_array_equal(heat.get_array(), expected)
        assert heat.get_extent() == [0, 40, 20, 0]
        assert heat.get_clim() == (0, 0.75)
    _, hottest = colours("plasma")
    drawn = inside(grid[1, 1])
    hot = np.abs(drawn - hottest).sum(-1)
    y, x = np.unravel_index(hot.argmin(), hot.shape)
    assert y * 2 < len(drawn) and x * 4 > 3 * drawn.shape[1]


def test_a_gaussian_glimpse_is_heat_and_what_it_read():
    rows, columns = np.zeros((1, 2, 20)), np.zeros((1, 3, 40))
    rows[0, [0, 1], [4, 6]] = 1
    columns[0, [0, 1, 2], [30, 32, 34]] = 1
    maps = {"draw/rows": rows, "draw/columns": columns}
    layer = GaussianAttention((2, 3), name="draw")
    images, grid = glimpsed(maps, network(layer))
    assert said(grid) == [
        "the image",
        "draw\nplaces: 0.00 to 1.00",
        "what it read there\n2 x 3 pixels",
    ]
    expected = np.zeros((20, 40))
    expected[4:7:2, 30:35:2] = 1
    heat = grid[1, 0].images[1]
    np.testing.assert_array_equal(heat.get_array(), expected)
    assert heat.get_extent() == [0, 40, 20, 0]
    np.testing.assert_allclose(
        grid[2, 0].images[0].get_array(), pale(images[0])[4:7:2, 30:35:2]
    )


def test_a_layer_counts_for_more_than_the_shape_of_its_weights():
    shares = np.array([[[0.2, 0.3, 0.4], [0.8, 0.7, 0.6]]])  # (2, 3) too
    _, grid = glimpsed(
        {"a": shares}, network(SelectiveKernel(3, groups=1, name="a"))
    )
    assert said(grid) == ["the image", "a\n3 channels: 0 to 1"]
    heights = [bar.get_height() for bar in grid[1, 0].patches]
    np.testing.assert_allclose(heights, shares[0, 1])
    _, grid = glimpsed({"a": [MIRRORED]}, network(SpatialTransformer(name="a")))
    assert said(grid)[1] == "a:\nwhere it looked"


def test_a_layer_is_found_by_its_path_and_by_the_number_of_its_call():
    inner = network(SpatialTransformer(output_size=(3, 4), name="turn"))
    image = keras.Input((*SIZE, 1))
    twice = [inner(image), inner(image)]
    model = keras.Model(image, twice)
    path = f"{inner.name}/turn"
    _, grid = glimpsed({path: [MIRRORED], f"{path}_2": [MIRRORED]}, model)
    assert said(grid)[1:] == [
        "turn:\nwhere it looked",
        "what it read there\n3 x 4 pixels",
        "turn 2:\nwhere it looked",
        "what it read there\n3 x 4 pixels",
    ]


def test_shows_the_latest_glimpses_where_there_are_many():
    names = [f"turn_{number}" for number in range(4)]
    model = network(*[SpatialTransformer(name=name) for name in names])
    _, grid = glimpsed({name: [MIRRORED] for name in names}, model, maps=2)
    assert said(grid)[1::2] == [
        "turn 2:\nwhere it looked",
        "turn 3:\nwhere it looked",
    ]


@pytest.mark.parametrize("shape", [(6, 12, 3), (12, 6, 1), (8, 8, 1)])
@pytest.mark.parametrize("count", [1, 11])
def test_every_image_has_its_own_glimpses_below_it(shape, count):
    layer = SpatialTransformer(align_corners=False, name="turn")
    shifts = np.linspace(-0.5, 0.5, count)
    images = np.random.default_rng(0).uniform(0, 255, (count, *shape))
    answers = [
        {
            "label": str(index),
            "probability": 1,
            "attention": {"turn": np.array(box(0.5, x, 0), "float32")},
        }
        for index, x in enumerate(shifts)
    ]
    model = network(layer, shape=shape)
    figure = where_it_looked(images, images, answers, model=model)
    across = min(8, count)
    shown = {ax.get_title(): ax for ax in figure.axes if ax.get_title()}
    assert len(shown) == count
    for index, ax in enumerate(shown.values()):
        place = figure.axes.index(ax)
        where, after = (figure.axes[place + across * row] for row in (1, 2))
        found = where.patches[-1].get_xy()[:4]
        expected = corners(0.5, shifts[index], 0, shape[:2])
        np.testing.assert_allclose(found, expected, atol=1e-4)
        np.testing.assert_allclose(
            where.images[0].get_array(), 255 * pale(images[index]), atol=0.5
        )
        assert after.images[0].get_array().shape == (*shape[:2], 3)
    drawn = inside(where)
    assert drawn.shape[1] / drawn.shape[0] == pytest.approx(
        shape[1] / shape[0], rel=0.1
    )


def test_words_of_glimpses_are_drawn_as_they_are_and_clear_of_images():
    layer = SpatialTransformer(name="a" * 60)
    _, grid = glimpsed({"a" * 60: [MIRRORED]}, network(layer))
    _, other = glimpsed({"$\\frac{$/glimpses": [[[box(0.1, 0, 0)]]]})
    assert said(other)[1].startswith("$\\frac{$:")
    for rows in (grid, other):
        for _ in range(2):  # as often as a file is laid out
            inside(rows[0, 0])
        for row in rows:
            words = row[0].yaxis.label
            assert not words.get_parse_math()
            assert words.get_window_extent().x1 < row[0].bbox.x0
            assert words.get_window_extent().x0 > 0


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_a_network_is_looked_into_from_its_image_to_its_picture(dtype):
    recipe = {
        "builder": "spatial_transformer_network",
        "builder_args": {"input_shape": [16, 24, 1]} | PRESETS["tiny"],
    }
    task = ImageClassification.untrained(
        recipe, Image((16, 24), 1), Label(["red", "green"]), dtype
    )
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 1))
    images = images.astype("uint8")
    figure = task.picture(list(images), task.look(list(images)))
    grid = np.reshape(figure.axes, (3, 2))
    assert said(grid)[1] == "transformer:\nwhere it looked"
    for ax, image in zip(grid[2], images):  # at its start it changes nothing
        np.testing.assert_allclose(
            ax.images[0].get_array(), pale(image), atol=1e-5
        )


# Photographs: drawn as the user has them, with what was read of them.


def photograph(height, width, mode="RGB"):
    """Of few colours, with a white corner above on the left."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([200 * y / height, 200 * x / width, 0 * x + 90], -1)
    pixels[: height // 5, : width // 5] = 255
    return PIL.Image.fromarray(pixels.astype("uint8")).convert(mode)


def encoded(picture, form, **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def looked(raws, maps, model=None, shape=(16, 16, 3), **options):
    """The figure and its axes by row, of raw images and their maps."""
    read = prepare_images(raws, shape[:2], shape[2])
    answers = [
        {"label": "a", "probability": 1, "attention": each} for each in maps
    ]
    figure = where_it_looked(raws, read, answers, model=model, **options)
    figure.draw_without_rendering()
    return read, np.reshape(figure.axes, (-1, len(raws)))


def heat(*corner):
    weights = np.zeros((3, 3, 1))
    weights[corner] = 1
    return {"stage_1_block_1_attention/spatial": weights}


def test_the_users_own_images_are_drawn_in_every_form_and_shape(tmp_path):
    turned = PIL.Image.Exif()
    turned[0x0112] = 6  # the camera was held upright
    path = tmp_path / "turned.png"
    path.write_bytes(encoded(photograph(30, 60), "png", exif=turned))
    raws = [
        photograph(50, 150),
        np.asarray(photograph(150, 50)),
        encoded(photograph(40, 40, "L"), "png"),
        path,
        np.asarray(photograph(18, 20, "L"), "float32"),
    ]
    read, grid = looked(raws, [heat(0, 0)] * 5)
    assert said(grid) == [
        "the image",
        "what it read\n16 x 16 pixels",
        "stage 1, block 1\nplaces: 0.00 to 1.00",
    ]
    for raw, as_read, (image, mosaic, over) in zip(raws, read, grid.T):
        own = read_image(raw)
        own = np.broadcast_to(own, (*own.shape[:2], 3))
        np.testing.assert_array_equal(image.images[0].get_array(), own)
        np.testing.assert_allclose(
            mosaic.images[0].get_array(), as_read / 255, atol=1e-6
        )
        grey = 0.4 * 255 + 0.6 * own @ (0.299, 0.587, 0.114)
        np.testing.assert_allclose(
            over.images[0].get_array(), grey, atol=0.5 + 1e-6
        )
        height, width = own.shape[:2]
        for ax in (image, over):
            drawn = ax.get_window_extent()
            assert drawn.height / drawn.width == pytest.approx(
                height / width, rel=0.03
            )
        ground, over = over.images
        assert ground.get_extent() == over.get_extent() == [0, 16, 16, 0]
    assert read_image(path).shape == (60, 30, 3)


@pytest.mark.parametrize("corner", [(0, 0), (0, 2), (2, 0), (2, 2)])
@pytest.mark.parametrize("size", [(60, 180), (180, 60), (400, 900)])
def test_a_map_lies_over_the_whole_photograph(corner, size):
    _, grid = looked([photograph(*size)], [heat(*corner)])
    _, hottest = colours("plasma")
    drawn = inside(grid[-1, 0])
    near = np.abs(drawn - hottest).sum(-1)
    places = np.argwhere(near < near.min() + 60).mean(0) / near.shape
    expected = (np.array(corner) + 0.5) / 3
    np.testing.assert_allclose(places, expected, atol=0.12)


@pytest.mark.parametrize("size", [(60, 180), (180, 60), (500, 300)])
def test_a_box_lands_on_the_right_pixels_of_a_photograph(size):
    """A black part of the photograph is where the network looked."""
    high, wide = size
    pixels = np.full((*size, 3), 200, "uint8")
    pixels[high // 2 : high * 3 // 4, wide // 10 : wide * 3 // 10] = 0
    region = [[0.2, 0, -0.6], [0, 0.25, 0.25]]
    model = network(AttentionCrop((5, 10), name="crop"), shape=(16, 16, 3))
    _, grid = looked([pixels], [{"crop": np.array(region)}], model)
    assert [each.split("\n")[0] for each in said(grid)] == [
        "the image",
        "what it read",
        "where it looked",
        "crop",
    ]
    before, where = inside(grid[0, 0]), inside(grid[2, 0])
    orange = [int(REGION_COLORS[0][i : i + 2], 16) for i in (1, 3, 5)]
    for drawn, colour in ((before, [0, 0, 0]), (where, orange)):
        found = np.argwhere(np.abs(drawn - colour).sum(-1) < 60)
        ends = np.array([found.min(0), found.max(0) + 1]) / drawn.shape[:2]
        expected = np.array([[0.5, 0.1], [0.75, 0.3]])
        np.testing.assert_allclose(ends, expected, atol=0.03)


def test_corners_of_what_was_read_are_placed_by_its_pixels():
    """With `align_corners` -1 and 1 are centres of pixels it read."""
    layer = SpatialTransformer(align_corners=True, name="turn")
    model = network(layer, shape=(10, 20, 1))
    whole = {"turn": np.array(box(1, 0, 0))}
    raw = photograph(300, 900)
    read, grid = looked([raw], [whole], model, (10, 20, 1))
    ax = grid[2, 0]
    np.testing.assert_array_equal(ax.images[0].get_array().shape, (171, 512, 3))
    outline = ax.transData.transform(ax.patches[-1].get_xy()[:4])
    area = ax.get_window_extent()
    assert area.height / area.width == pytest.approx(1 / 3, rel=0.03)
    relative = (outline - (area.x0, area.y0)) / (area.width, area.height)
    left, below = 0.5 / 20, 0.5 / 10
    np.testing.assert_allclose(
        relative,
        [
            (left, 1 - below),
            (1 - left, 1 - below),
            (1 - left, below),
            (left, below),
        ],
        atol=1e-4,
    )
    # What it read there is of the pixels that it has.
    after = grid[3, 0].images[0].get_array()
    np.testing.assert_allclose(after, pale(read[0]), atol=1e-5)


def test_a_colour_photograph_keeps_its_colours_where_the_network_reads_gray():
    raw = photograph(8, 12)
    model = network(SpatialTransformer(name="turn"), shape=(8, 12, 1))
    turn = {"turn": np.array(box(1, 0, 0))}
    read, grid = looked([raw], [turn], model, (8, 12, 1))
    assert said(grid)[1] == "what it read\n8 x 12 pixels"
    for row in (0, 2):
        np.testing.assert_array_equal(grid[row, 0].images[0].get_array(), raw)
    np.testing.assert_allclose(grid[1, 0].images[0].get_array(), pale(read[0]))


def test_a_smaller_image_is_drawn_as_it_is_and_smooth_under_a_map():
    raws = [np.asarray(photograph(8, 12)), np.asarray(photograph(16, 16))]
    read, grid = looked(raws, [heat(0, 0), heat(1, 1)])
    assert said(grid)[1] == "what it read\n16 x 16 pixels"
    for raw, as_read, (image, _, over) in zip(raws, read, grid.T):
        np.testing.assert_array_equal(image.images[0].get_array(), raw)
        grey = 0.4 * 255 + 0.6 * np.round(as_read) @ (0.299, 0.587, 0.114)
        np.testing.assert_allclose(
            over.images[0].get_array(), grey, atol=0.5 + 1e-6
        )
        drawn = over.get_window_extent()
        height, width = raw.shape[:2]
        assert drawn.height / drawn.width == pytest.approx(
            height / width, rel=0.03
        )


def test_photographs_are_large_where_they_are_few():
    widths = []
    for count, size in ((1, 64), (1, 640), (8, 640)):
        raws = [photograph(size, size)] * count
        _, grid = looked(raws, [heat(0, 0)] * count)
        widths.append(grid[0, 0].get_position().width)
        widths[-1] *= grid[0, 0].figure.get_figwidth()
    small, large, many = widths
    assert small == pytest.approx(1.25, abs=0.2)
    assert large > 1.4 * small and many == pytest.approx(small, abs=0.2)


def test_rows_are_as_high_as_the_images_of_their_block():
    raws = [photograph(20, 60)] * 8 + [photograph(60, 60)]
    read = prepare_images(raws, (16, 16), 3)
    answers = [
        {"label": "a", "probability": 1, "attention": heat(0, 0)} for _ in raws
    ]
    figure = where_it_looked(raws, read, answers)
    figure.draw_without_rendering()
    wide, square = figure.axes[0], figure.axes[3 * 8]
    for ax, ratio in ((wide, 1 / 3), (square, 1)):
        drawn = ax.get_window_extent()
        assert drawn.height / drawn.width == pytest.approx(ratio, rel=0.03)
        assert drawn.width / figure.dpi == pytest.approx(1.25, abs=0.2)


def test_a_task_draws_over_the_photograph_that_it_was_given(tmp_path):
    recipe = {
        "builder": "attention_resnet",
        "builder_args": {
            "input_shape": [16, 16, 3],
            "attention": "cbam",
            "filters": [8],
            "blocks": 1,
        },
    }
    task = ImageClassification.untrained(
        recipe, Image((16, 16), 3), Label(["red", "green"])
    )
    path = tmp_path / "wide.jpg"
    photograph(700, 1400).save(path)
    figure = task.picture([path], task.look([path]))
    image, mosaic, over, _ = figure.axes
    assert image.images[0].get_array().shape == (256, 512, 3)
    assert over.images[0].get_array().shape == (256, 512)
    assert mosaic.images[0].get_array().shape == (16, 16, 3)
