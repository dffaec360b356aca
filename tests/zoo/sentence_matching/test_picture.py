"""Grids of words: the maps as they are, cut to the words, each named."""

import numpy as np
import pytest

from keras_attention import pictures
from keras_attention.pair.multiway_attention import WAYS
from tests.zoo.sentence_matching.tiny import (
    stirred,
    tiny_matcher,
    tiny_selector,
)
from zoo.sentence_matching.picture import alignment_figure

LEFT = ["blick", "dax", "wug"]
RIGHT = ["dax", "lim"]
GENERATOR = np.random.default_rng(0)


def grid(rows=6, columns=4):
    return GENERATOR.random((rows, columns)).astype("float32")


def answered(words=(LEFT, RIGHT), **maps):
    """An answer of a network of 6 and 4 words, its maps by `layer__part`."""
    return {
        "label": "alike",
        "probability": 0.934,
        "attention": {
            name.replace("__", "/"): weights for name, weights in maps.items()
        },
        "words": words,
    }


def drawn(ax):
    """What an axes shows: its cells, and the names of rows and columns."""
    (image,) = ax.images
    names = ax.get_yticklabels(), ax.get_xticklabels()
    return np.asarray(image.get_array()), *(
        [label.get_text() for label in labels] for labels in names
    )


def test_draws_the_words_that_were_compared():
    weights = grid()
    answer = answered(block_1__input=weights, block_1__output=grid(8, 6))
    ax, _ = alignment_figure([answer], 6).axes
    cells, rows, columns = drawn(ax)
    np.testing.assert_array_equal(cells, weights[:3, :2].astype("float64"))
    assert (rows, columns) == (LEFT, RIGHT)
    assert ax.get_title() == "alike (93 %)"


def test_windows_are_named_by_their_first_and_last_word():
    weights = grid(8, 6)  # three words wide
    ax, _ = alignment_figure([answered(block_1__output=weights)], 6).axes
    cells, rows, columns = drawn(ax)
    np.testing.assert_array_equal(cells, weights[:5, :4].astype("float64"))
    assert rows == ["blick", "blick..dax", "blick..wug", "dax..wug", "wug"]
    assert columns == ["dax", "dax..lim", "dax..lim", "lim"]


def test_a_text_of_one_word_has_windows_too():
    weights = grid(8, 6)
    answer = answered((["dax"], RIGHT), block_1__output=weights)
    _, rows, _ = drawn(alignment_figure([answer], 6).axes[0])
    assert rows == ["dax"] * 3


def test_of_several_blocks_the_first_is_drawn():
    first, second = grid(), grid()
    answer = answered(block_1__input=first, block_2__input=second)
    cells, *_ = drawn(alignment_figure([answer], 6).axes[0])
    np.testing.assert_array_equal(cells, first[:3, :2].astype("float64"))


def test_ways_stand_side_by_side_in_one_range_of_colours():
    maps = {f"attention__{way}": grid() / 2 for way in WAYS}
    maps["attention__minus"][0, 0] = 0.9
    maps |= {"attention__ways": grid(), "attention__left": grid()[:, 0]}
    figure = alignment_figure([answered(**maps)], 6)
    *axes, bar = figure.axes
    assert [ax.get_title() for ax in axes] == list(WAYS)
    for way, ax in zip(WAYS, axes, strict=True):
        cells, rows, columns = drawn(ax)
        weights = maps[f"attention__{way}"][:3, :2]
        np.testing.assert_array_equal(cells, weights.astype("float64"))
        assert columns == RIGHT
        assert rows == (LEFT if ax is axes[0] else [])
        limits = ax.images[0].norm
        assert (limits.vmin, limits.vmax) == (0, pytest.approx(0.9))
    assert figure.get_suptitle() == "alike (93 %)"


def test_a_ranking_says_its_score():
    answer = {"score": 0.12345, **answered(block_1__input=grid())}
    del answer["label"]
    ax, _ = alignment_figure([answer], 6).axes
    assert ax.get_title() == "score 0.123"


def test_several_pairs_stand_one_below_the_other():
    long = ([f"word{place}" for place in range(6)], RIGHT)
    answers = [
        answered(long, block_1__input=grid()),
        answered(block_1__input=grid()),
    ]
    alone = [alignment_figure([answer], 6) for answer in answers]
    whole = alignment_figure(answers, 6)
    (ax,) = whole.axes
    page = np.asarray(ax.images[0].get_array())
    sizes = [figure.get_size_inches() * 160 for figure in alone]
    assert page.shape[0] == pytest.approx(sum(high for _, high in sizes), abs=2)
    assert page.shape[1] == pytest.approx(max(wide for wide, _ in sizes), abs=1)
    np.testing.assert_allclose(whole.get_size_inches() * 160, page.shape[1::-1])
    top = round(sizes[0][1])
    for part in (page[:top], page[top:]):
        assert len(np.unique(part.reshape(-1, 4), axis=0)) > 20


def test_draws_what_a_model_found(tmp_path):
    pairs = [("Blick, dax wug!", "A dax; lim"), ("toma", "fep gorp")]
    for task in (
        stirred(tiny_matcher(variant=2)),
        stirred(tiny_matcher(variant=3)),
    ):
        for count in (1, 2):
            answers = task.look(pairs[:count])
            figure = task.picture(pairs[:count], answers)
            path = pictures.save_figure(figure, tmp_path / "looked.png")
            assert path.read_bytes()[:4] == b"\x89PNG"
        figure = task.picture(pairs[:1], answers[:1])
        cells, rows, columns = drawn(figure.axes[0])
        maps = answers[0]["attention"]
        part = maps.get("block_1/input", maps["block_1/output"])
        np.testing.assert_array_equal(
            cells, part[: len(rows), : len(columns)].astype("float64")
        )
        assert rows[-1] == "wug" and columns[-1] == "lim"


def test_draws_the_best_candidate_of_each_question():
    task = stirred(tiny_selector())
    raws = [("Does blick dax?", ["fep gorp", "blick dax wug", "lim"])]
    answers = task.look(raws)
    figure = task.picture(raws, answers)
    best = answers[0]["answers"][0]
    cells, rows, columns = drawn(figure.axes[0])
    assert rows == best["words"][0] and columns == ["[does]", "blick", "dax"]
    score, *legend = figure.axes[0].get_title().splitlines()
    assert score == f"score {best['score']:.3f}"
    assert " ".join(legend) == "[...]: not in the vocabulary"
    weights = best["attention"]["block_1/input"]
    np.testing.assert_array_equal(
        cells, weights[: len(rows), :3].astype("float64")
    )


def test_words_are_drawn_as_they_are(tmp_path):
    odd = (["$\\dax$", "\u6f22\U0001f600", "x" * 300], ["\x1b[31m"])
    answers = [answered(odd, block_1__input=grid())]
    _, rows, columns = drawn(alignment_figure(answers, 6).axes[0])
    assert rows[0] == "$\\dax$" and len(rows[2]) < 20
    assert "\x1b" not in columns[0]
    for count in (1, 2):
        figure = alignment_figure(answers * count, 6)
        pictures.save_figure(figure, tmp_path / "odd.png")


def test_refuses_to_draw_nothing():
    with pytest.raises(ValueError, match="a pair to look at. Received: none"):
        alignment_figure([], 6)


def test_unknown_words_and_what_was_cut_are_told():
    answer = {
        **answered(output__ways=grid(), layer__attention=grid()),
        "cut": (0, 12),
        "unknown": (["dax"], ["antidisestablishment"]),
        "words": (LEFT, ["dax", "antidisestablishment"]),
    }
    ax = alignment_figure([answer], 6).axes[0]
    _, rows, columns = drawn(ax)
    assert rows == ["blick", "[dax]", "wug"]
    assert columns == ["dax", "[antidisestablis…]"]
    title = " ".join(ax.get_title().split())
    assert title == (
        "alike (93 %) right: 12 words at its end not read "
        "[...]: not in the vocabulary"
    )
