"""The picture of a translation: words, not pieces, against each other."""

import numpy as np
import pytest

from zoo.translation.picture import alignment_figure, alignments


def answer(**maps):
    weights = np.array(
        [
            [0.5, 0.3, 0.2, 0.0],
            [0.1, 0.1, 0.8, 0.0],
            [0.0, 0.4, 0.6, 0.0],
            [9.0, 9.0, 9.0, 9.0],
        ]
    )
    return {
        "translation": "A dogs.",
        "words": [" A", " dog", "s"],
        "source": [" Hu", "nde", "."],
        "attention": maps or {"attention": weights},
    }


def test_pieces_are_joined_to_words_read_summed_and_said_averaged():
    rows, columns, maps = alignments(answer())
    assert rows == ["A", "dogs"] and columns == ["Hunde", "."]
    np.testing.assert_allclose(
        maps["attention"], [[0.8, 0.2], [(0.2 + 0.4) / 2, 0.7]]
    )


def test_figures_and_marks_are_words_of_their_own():
    found = answer()
    found["words"] = [" 2", "0", "-"]
    rows, _, _ = alignments(found)
    assert rows == ["2", "0", "-"]


def test_heads_are_averaged_and_layers_stand_side_by_side():
    heads = np.zeros((4, 2, 4))
    heads[:, 0, 0] = heads[:, 1, 2] = 1
    found = answer(block_0=heads, block_1=heads)
    _, _, maps = alignments(found)
    np.testing.assert_allclose(maps["block_0"], [[0.5, 0.5]] * 2)
    titles = [ax.get_title() for ax in alignment_figure([found]).axes]
    assert {"block_0", "block_1"} <= set(titles)


def test_draws_the_words_of_both_texts():
    figure = alignment_figure([answer()])
    words = [x.get_text() for x in figure.axes[0].get_yticklabels()]
    assert words == ["A", "dogs"]
    words = [x.get_text() for x in figure.axes[0].get_xticklabels()]
    assert words == ["Hunde", "."]


def test_an_empty_translation_is_drawn_too():
    empty = {**answer(), "words": [], "translation": ""}
    assert alignment_figure([empty, answer()]).axes


def test_there_must_be_a_text():
    with pytest.raises(ValueError, match="none"):
        alignment_figure([])
