"""The scenes: what is said of them is so, by their pixels and boxes."""

import collections
import hashlib
import itertools
import re

import numpy as np
import pytest

from zoo.data.scenes import (
    COLOURS,
    MOST_OBJECTS,
    QUESTIONS,
    RELATIONS,
    SHAPES,
    SIZES,
    WORDS,
    Scenes,
    make,
    questions,
    relation,
)

SHAPES_OF_IMAGES = [(64, 64), (48, 80), (96, 64), (33, 66)]
NAMES = (SIZES, tuple(COLOURS), SHAPES)


@pytest.fixture(scope="module")
def some():
    return make(400, seed=5)


@pytest.fixture(scope="module")
def asked(some):
    return questions(some, seed=6, per_scene=8)


def objects_of(scenes, place):
    """Each object as a dict, from `kinds` and `boxes` alone."""
    found = []
    for kind, box in zip(scenes.kinds[place], scenes.boxes[place].tolist()):
        if kind[0] >= 0:
            size, colour, shape = (
                names[which] for names, which in zip(NAMES, kind)
            )
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            found.append(
                {"size": size, "colour": colour, "shape": shape, "at": (x, y)}
            )
    return found


def lies(one, where, other):
    """Whether one object is left of another, and so on."""
    right, down = np.subtract(one["at"], other["at"])
    return {
        "left of": -right > abs(down),
        "right of": right > abs(down),
        "above": -down > abs(right),
        "below": down > abs(right),
    }[where]


def fitting(objects, words):
    """The places of the objects that words like "large red shape" fit."""
    wanted = [word for word in words.split() if word not in ("shape", "one")]
    assert wanted
    return [
        place
        for place, each in enumerate(objects)
        if all(word in list(each.values())[:3] for word in wanted)
    ]


def test_a_scene_depends_on_seed_place_and_size_alone():
    few, more, other = make(4, seed=3), make(9, seed=3), make(4, seed=4)
    for name in ("images", "boxes", "kinds", "masks", "owners"):
        np.testing.assert_array_equal(
            getattr(more, name)[:4], getattr(few, name)
        )
    assert more.captions[:4] == few.captions
    assert (other.images != few.images).any(axis=(1, 2, 3)).all()


def test_scenes_are_the_same_on_every_machine():
    scenes = make(5, seed=1, size=(40, 64))
    digest = hashlib.sha256("\n".join(scenes.captions).encode())
    for part in (scenes.images, scenes.masks, scenes.kinds, scenes.boxes):
        digest.update(part.tobytes())
    assert digest.hexdigest() == (
        "49bcb042f8bc8c36734b78e28ddf25f01ecc3b8db232baa6867424d565ea6b9d"
    )
    asked = repr(questions(scenes, seed=1))
    assert hashlib.sha256(asked.encode()).hexdigest() == (
        "db96d31f12e11b75786996f52a9206e7831a04797831911a60466b430b1edeb0"
    )


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_arrays_are_as_promised(size):
    scenes = make(60, seed=2, size=size)
    counts = (scenes.kinds[..., 0] >= 0).sum(axis=1)
    assert set(counts) == {2, 3, 4} and len(scenes) == 60
    for part, shape, dtype in (
        (scenes.images, (60, *size, 3), "uint8"),
        (scenes.boxes, (60, MOST_OBJECTS, 4), "float32"),
        (scenes.kinds, (60, MOST_OBJECTS, 3), "int8"),
        (scenes.masks, (60, *size), "uint8"),
        (scenes.owners, (60, WORDS), "int8"),
    ):
        assert part.shape == shape and part.dtype == dtype
    for kinds, boxes, mask, count in zip(
        scenes.kinds, scenes.boxes, scenes.masks, counts
    ):
        assert (kinds[:count] >= 0).all() and (kinds[count:] == -1).all()
        assert (boxes[count:] == 0).all()
        assert set(np.unique(mask)) == set(range(count + 1))
        assert len({tuple(kind) for kind in kinds[:count]}) == count


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_boxes_are_tight_around_masks(size):
    scenes = make(60, seed=2, size=size)
    for boxes, masks in zip(scenes.boxes, scenes.masks):
        for place in range(masks.max()):
            rows, columns = np.nonzero(masks == place + 1)
            expected = np.array(
                [
                    columns.min() / size[1],
                    rows.min() / size[0],
                    (columns.max() + 1) / size[1],
                    (rows.max() + 1) / size[0],
                ]
            )
            np.testing.assert_allclose(
                boxes[place], expected * 2 - 1, atol=1e-6
            )


def test_pixels_have_the_colour_that_is_named(some):
    values = np.array(list(COLOURS.values()), float)
    for image, mask, kinds in zip(some.images, some.masks, some.kinds):
        for place in range(mask.max()):
            mean = image[mask == place + 1].mean(axis=0)
            # Shades are up to 12 of 255, and noise is cut at the ends.
            np.testing.assert_allclose(mean, values[kinds[place, 1]], atol=16)
        # The background is nearly gray.
        ground = image[mask == 0].astype(float)
        assert np.ptp(ground.mean(axis=0)) < 45


def test_pixels_have_the_shape_and_the_size_that_are_named(some):
    shares, sides = collections.defaultdict(list), collections.defaultdict(list)
    for mask, kinds in zip(some.masks, some.kinds):
        for place in range(mask.max()):
            rows, columns = np.nonzero(mask == place + 1)
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            assert height == width
            size, _, shape = kinds[place]
            sides[SIZES[size]].append(height)
            shares[SHAPES[shape]].append(len(rows) / height**2)
            if SHAPES[shape] == "triangle":  # the tip above
                assert (rows == rows.min()).sum() <= 2
                assert (rows == rows.max()).sum() == width
    assert set(sides["small"]) == {10, 11, 12}
    assert set(sides["large"]) == {18, 19, 20}
    assert set(shares["square"]) == {1.0}
    np.testing.assert_allclose(shares["circle"], np.pi / 4, atol=0.03)
    np.testing.assert_allclose(shares["triangle"], 1 / 2, atol=0.11)


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_objects_lie_apart_and_in_clear_relations(size):
    scenes = make(60, seed=2, size=size)
    unit = min(size) / 64
    for boxes, masks in zip(scenes.boxes, scenes.masks):
        pixels = boxes[: masks.max()] * (np.array([*size[::-1]] * 2) / 2)
        for one, other in itertools.combinations(range(masks.max()), 2):
            # In pixels as in shares of the image's sides.
            assert relation(pixels[one], pixels[other]) == relation(
                boxes[one], boxes[other]
            )
            a, b = pixels[one], pixels[other]
            gap = np.maximum(a[:2] - b[2:], b[:2] - a[2:]).max()
            assert gap >= 2 * unit - 1e-4
            across, down = np.abs((a[:2] + a[2:] - b[:2] - b[2:]) / 2)
            assert abs(across - down) >= 3 * unit - 1e-4


@pytest.mark.parametrize("size", SHAPES_OF_IMAGES)
def test_captions_say_what_the_boxes_say(size):
    scenes = make(150, seed=8, size=size)
    form = re.compile(
        "a (\\w+ \\w+ \\w+) (left of|right of|above|below) a (\\w+ \\w+ \\w+)"
    )
    found = collections.Counter()
    for place, caption in enumerate(scenes.captions):
        first, where, second = form.fullmatch(caption).groups()
        objects = objects_of(scenes, place)
        assert fitting(objects, first) == [0]
        assert fitting(objects, second) == [1]
        assert lies(objects[0], where, objects[1])
        found[where] += 1
        # Large before small, and then from left to right.
        order = [(each["size"] == "small", each["at"][0]) for each in objects]
        assert order == sorted(order)
        for (small, x), (also, next_x) in itertools.pairwise(order):
            pixels = (next_x - x) * size[1] / 2
            assert small != also or pixels >= 3 * min(size) / 64 - 1e-4
    assert set(found) == set(RELATIONS) and min(found.values()) > 8


def test_owners_point_from_words_to_what_they_describe(some):
    for place, (caption, owners) in enumerate(zip(some.captions, some.owners)):
        words, objects = caption.split(), objects_of(some, place)
        assert len(words) <= WORDS and (owners[len(words) :] == -1).all()
        described = [word in {*SIZES, *COLOURS, *SHAPES} for word in words]
        assert ((owners[: len(words)] >= 0) == described).all()
        for which in (0, 1):
            said = [
                word for word, owner in zip(words, owners) if owner == which
            ]
            assert said == list(objects[which].values())[:3]


def test_all_kinds_occur_about_as_often():
    kinds = make(1500, seed=1).kinds
    kinds = kinds[kinds[..., 0] >= 0]
    for column, names in enumerate(NAMES):
        counts = np.bincount(kinds[:, column], minlength=len(names))
        assert len(counts) == len(names)
        assert counts.min() > 0.85 * counts.mean()


def answer_to(objects, text):
    """The answers by brute force, and where one should look."""
    if match := re.fullmatch(
        r"how many (\w+?)s?(?: shapes)? are there\?", text
    ):
        return [str(len(fitting(objects, match[1])))], -1
    if match := re.fullmatch(
        r"are there more (\w+?)(?: shape)?s than (\w+?)(?: shape)?s\?", text
    ):
        one, other = (len(fitting(objects, word)) for word in match.groups())
        return ["yes" if one > other else "no"], -1
    part, words, hop = re.fullmatch(
        r"what (colour|shape) is the (.+?)((?: (?:left of|right of|above|below)"
        r" the .+)?)\?",
        text,
    ).groups()
    if hop:
        assert words == ("one" if part == "shape" else "shape")
        where, anchor = re.fullmatch(r" (\w+(?: of)?) the (.+)", hop).groups()
        (base,) = fitting(objects, anchor)
        found = [
            place
            for place, each in enumerate(objects)
            if place != base and lies(each, where, objects[base])
        ]
    else:
        found = fitting(objects, words)
        # The words do not say what is asked for.
        assert not set(words.split()) & set(
            COLOURS if part == "colour" else SHAPES
        )
    return [objects[place][part] for place in found], *found


def test_every_question_has_the_one_answer_that_is_given(some, asked):
    for place, text, answer, _, target in asked:
        answers, *targets = answer_to(objects_of(some, place), text)
        assert answers == [answer], text
        assert targets == [target], text


def test_kinds_of_questions_are_as_named(asked):
    for _, text, _, kind, target in asked:
        hop = any(f" {where} the " in text for where in RELATIONS)
        assert (kind == "two_hop") == hop
        assert (kind == "count") == text.startswith("how many")
        assert (kind == "comparison") == text.startswith("are there more")
        if kind in ("colour", "shape"):
            assert text.startswith(f"what {kind} is the ")
        assert (target == -1) == (kind in ("count", "comparison"))


def test_no_scene_is_asked_the_same_twice(some, asked):
    pairs = [(place, text) for place, text, *_ in asked]
    assert len(set(pairs)) == len(pairs) == 8 * len(some)
    assert [place for place, *_ in asked] == sorted(place for place, _ in pairs)


def test_answers_come_evenly_and_a_question_tells_little():
    asked = questions(make(1500, seed=1))
    assert len(asked) == 5 * 1500
    of_kind = collections.defaultdict(collections.Counter)
    of_text = collections.defaultdict(collections.Counter)
    for _, text, answer, kind, _ in asked:
        of_kind[kind][answer] += 1
        of_text[kind, text][answer] += 1
    chance = {
        "colour": 1 / 6,
        "shape": 1 / 3,
        "count": 1 / 5,
        "comparison": 1 / 2,
        "two_hop": 1 / 4,  # colours and shapes in turn
    }
    for kind, counts in of_kind.items():
        total = sum(counts.values())
        assert total == 1500
        # Four alike of one colour are rare.
        rare = 0.6 if kind == "count" else 0.98
        assert min(counts.values()) > rare * total / len(counts)
        best = sum(
            max(answers.values())
            for (of, _), answers in of_text.items()
            if of == kind
        )
        # Of two-hop questions there are many, each asked a few times.
        spare = 0.25 if kind == "two_hop" else 0.12
        assert best / total < chance[kind] + spare, kind


@pytest.mark.parametrize("kind", QUESTIONS)
def test_kinds_can_be_chosen(kind, some):
    asked = questions(some, kinds=[kind], per_scene=2)
    assert {each[3] for each in asked} == {kind}
    assert len(asked) > 1.5 * len(some)  # not every object can be named


def test_questions_depend_on_the_seed_alone(some):
    assert questions(some, seed=1) == questions(some, seed=1)
    assert questions(some, seed=1) != questions(some, seed=2)


def test_a_scene_that_runs_out_of_questions_gets_fewer():
    scenes = make(3, seed=0)
    most = len(questions(scenes, per_scene=10**6, kinds=("count",)))
    assert most == 3 * (2 + 6 + 3)


def test_what_does_not_fit_one_object_is_not_asked():
    kinds = np.array([[[0, 0, 0], [0, 1, 0], [1, 0, 0], [-1, -1, -1]]], "int8")
    boxes = np.zeros((1, 4, 4), "float32")
    boxes[0, :3] = [
        [-0.9, -0.1, -0.7, 0.1],
        [0.0, -0.1, 0.2, 0.1],
        [0.6, -0.1, 0.9, 0.2],
    ]
    none = np.zeros(0)
    scenes = Scenes(np.zeros((1, 8, 8, 3)), boxes, kinds, none, [], none)
    every = questions(scenes, per_scene=1000, kinds=("colour", "two_hop"))
    texts = {text: (answer, target) for _, text, answer, _, target in every}
    assert "what colour is the square?" not in texts
    assert "what colour is the small square?" not in texts
    assert texts["what colour is the large shape?"] == ("red", 2)
    # Two are left of the large one, and two right of the small red one.
    assert not [text for text in texts if "left of the large" in text]
    assert not [text for text in texts if "right of the small red" in text]
    assert texts["what colour is the shape left of the green square?"] == (
        "red",
        0,
    )
    assert texts["what colour is the shape right of the green shape?"] == (
        "red",
        2,
    )


@pytest.mark.parametrize(
    "options, why",
    [
        ({"count": 0}, "count=0"),
        ({"seed": -1}, "seed=-1"),
        ({"size": (31, 60)}, r"size=\(31, 60\)"),
        ({"size": (40, 81)}, r"size=\(40, 81\)"),
    ],
)
def test_refuses_what_cannot_be_drawn(options, why):
    with pytest.raises(ValueError, match=why):
        make(**{"count": 2, **options})


@pytest.mark.parametrize(
    "options, why",
    [
        ({"per_scene": 0}, "per_scene=0"),
        ({"seed": -1}, "seed=-1"),
        ({"kinds": ()}, r"kinds=\[\]"),
        ({"kinds": ("colour", "taste")}, r"kinds=\['colour', 'taste'\]"),
    ],
)
def test_refuses_what_cannot_be_asked(options, why, some):
    with pytest.raises(ValueError, match=why):
        questions(some, **options)
