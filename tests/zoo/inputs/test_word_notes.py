"""What inputs of words note: what was cut, what is not known."""

from zoo.inputs import word_notes


def test_says_what_was_cut_and_where():
    assert word_notes.unread(0, []) == ""
    assert word_notes.unread(1, []) == " [1 word at its end not read]"
    assert word_notes.unread(2, [], "last") == (
        " [2 words at its beginning not read]"
    )


def test_names_three_unknown_words_and_counts_the_others():
    said = word_notes.unread(0, ["a", "b", "c", "d", "e"])
    assert said == " [not in the vocabulary: a, b, c and 2 more]"


def test_a_text_begins_on_one_line():
    assert word_notes.beginning("a\nb \x1b[31m") == "a b [31m"
    assert word_notes.beginning("") == '""'
    assert word_notes.beginning("x" * 100) == "x" * 56 + " ..."
    assert len(word_notes.beginning("word " * 50)) <= 60


def test_ids_are_said_as_words():
    assert word_notes.said(["a", "b"], [[2, 3, 0], [1, 9]]) == (
        "a b . unheard-of unheard9"
    )
