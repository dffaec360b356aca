"""A copy that learns from other texts reads their words, too."""

import dataclasses

import numpy as np
import pytest

import zoo
from tests.zoo.sentence_matching.tiny import (
    ABCNN,
    MWAN,
    stirred,
    tiny_matcher,
    tiny_pairs,
)
from tests.zoo.text_classification.tiny import (
    FILLERS,
    HAN,
    TRANSFORMER,
    tiny_reader,
    tiny_texts,
)
from tests.zoo.tiny import tiny_data, tiny_task
from tests.zoo.visual_question_answering.tiny import (
    raws_of,
    tiny_answerer,
    tiny_questions,
)
from zoo.inputs import word_notes

QUICK = {"epochs": 1, "verbose": 0}
OTHERS = dict(zip(FILLERS, ("mast", "deck", "oar", "keel", "hull", "bow")))


def other_texts(count=32):
    """The same, six of whose eight fillers are words of ships."""
    data = tiny_texts(count)
    texts = []
    for text in data.texts:
        for word, other in OTHERS.items():
            text = text.replace(word, other)
        texts.append(text)
    return dataclasses.replace(data, texts=texts)


def vectors(task):
    """Word -> its vector."""
    (table,) = task.model.get_layer("embedding").get_weights()
    words = ["", "[UNK]", *task.input.tokens.vocabulary]
    return dict(zip(words, table[: len(words)], strict=True))


@pytest.mark.parametrize("builder", [TRANSFORMER, HAN])
def test_an_extended_vocabulary_keeps_what_is_known(builder):
    task = tiny_reader(builder)
    stirred(task)
    own, before = task.input.tokens.vocabulary, vectors(task)
    input, said = task.input.like(other_texts(), "extend")
    copy = task.rebuilt(input=input)
    assert copy.input.tokens.vocabulary[: len(own)] == own
    assert set(copy.input.tokens.vocabulary[len(own) :]) == set(OTHERS.values())
    after = vectors(copy)
    for word, vector in before.items():
        np.testing.assert_array_equal(after[word], vector)
    text = tiny_texts().texts[0]
    assert copy.predict(text)["probabilities"] == pytest.approx(
        task.predict(text)["probabilities"]
    )
    assert "extended by 6 words" in said
    assert task.predict("an awful mast")["unknown"] == ["an", "mast"]
    assert copy.predict("an awful mast")["unknown"] == ["an"]


def test_a_new_vocabulary_is_the_datas_and_known_words_keep_their_vectors():
    task = tiny_reader()
    stirred(task)
    before = vectors(task)
    input, said = task.input.like(other_texts(), "new")
    copy = task.rebuilt(input=input)
    after = vectors(copy)
    data = {word.strip(".!") for x in other_texts().texts for word in x.split()}
    assert set(after) == {"", "[UNK]", *data}
    shared = set(before) & set(after)
    assert {"awful", "lovely", "spoon", "road", "[UNK]", ""} == shared
    places = [
        each.input.tokens.vocabulary.index("spoon") for each in (task, copy)
    ]
    assert places[0] != places[1]
    for word in shared:
        np.testing.assert_array_equal(after[word], before[word])
    assert "left for 10 words, 4 of them its own" in said


@pytest.mark.parametrize("builder", [ABCNN, MWAN])
@pytest.mark.slow
def test_pairs_of_known_and_of_unknown_words_are_answered_as_before(builder):
    arguments = {"overlap_features": True} if builder == ABCNN else {}
    task = tiny_matcher(builder, **arguments)
    stirred(task)
    data = tiny_pairs()
    data.pairs = [(f"{x} mast", f"{y} deck") for x, y in data.pairs]
    input, _ = task.input.like(data, "extend")
    copy = task.rebuilt(input=input)
    assert copy.input.tokens.vocabulary_size == 2 + (
        task.input.tokens.vocabulary_size
    )
    # The ids of words that neither knows have moved.
    pairs = [("blick dax hull", "hull fep"), ("blick oar", "oar")]
    for before, after in zip(task.predict(pairs), copy.predict(pairs)):
        assert before["probabilities"] == pytest.approx(after["probabilities"])
    if builder == ABCNN:
        own, new = (
            each.model.get_layer("overlap_features").get_weights()[0]
            for each in (task, copy)
        )
        np.testing.assert_array_equal(new[: len(own)], own)
        expected = copy.input.tokens.idf({t for x in data.pairs for t in x})
        np.testing.assert_allclose(new[len(own) :], expected[len(own) :])
        assert (new[len(own) :] == np.log(64 / 32)).sum() == 0 < new.max()


def test_a_question_about_a_picture_has_words_too():
    task = tiny_answerer()
    stirred(task)
    data = tiny_questions()
    known = raws_of(data, 3)
    data.questions = [x.replace("left", "rear") for x in data.questions]
    copy = task.finetune(data, **QUICK)
    assert "rear" in copy.input.parts["question"].tokens.vocabulary
    assert copy.input.parts["image"] is task.input.parts["image"]
    again = task.rebuilt(input=copy.input)
    for before, after in zip(task.predict(known), again.predict(known)):
        assert before["probabilities"] == pytest.approx(after["probabilities"])


def test_many_unknown_words_extend_it_and_few_do_not(capsys):
    task = tiny_reader()
    copy = task.finetune(other_texts(), epochs=1, verbose=2)
    assert copy.input.tokens.vocabulary != task.input.tokens.vocabulary
    words = [w for x in other_texts().texts for w in x.split()]
    share = sum(w.strip(".!") in OTHERS.values() for w in words) / len(words)
    printed = capsys.readouterr().out
    assert f"vocabulary: {share:.1%} of the words of 'tiny'" in printed
    assert "extended by 6 words" in printed
    assert "learning rate: 0.003 (words are new to it)" in printed
    assert copy.card["recipe"]["training"]["learning_rate"] == 0.003

    few = tiny_texts(100)
    few.texts[0] += " mast"
    kept = task.finetune(few, epochs=1, verbose=2)
    assert kept.input is task.input
    assert "vocabulary" not in capsys.readouterr().out
    assert kept.card["recipe"]["training"]["learning_rate"] == 0.001


@pytest.mark.parametrize("frozen", ["backbone", ["emb"], "embedding"])
@pytest.mark.slow
def test_vectors_that_cannot_learn_are_not_drawn_anew(frozen, capsys):
    task = tiny_reader()
    copy = task.finetune(other_texts(), epochs=1, freeze=frozen)
    assert copy.input is task.input
    assert "which are kept" in capsys.readouterr().out
    copy = task.finetune(
        other_texts(), vocabulary="extend", freeze=frozen, **QUICK
    )
    assert "mast" in copy.input.tokens.vocabulary


@pytest.mark.slow
def test_what_was_said_is_on_the_card_and_the_copy_is_kept(tmp_path):
    task = tiny_reader()
    copy = task.finetune(other_texts(), vocabulary="new", **QUICK)
    assert copy.card["recipe"]["vocabulary"] == "new"
    kept = zoo.load(copy.save(tmp_path / "kept"))
    assert kept.input.tokens.vocabulary == copy.input.tokens.vocabulary
    assert kept.predict("a lovely mast") == copy.predict("a lovely mast")
    assert zoo.card(tmp_path / "kept")["builder_args"]["vocabulary_size"] == 12


def test_the_new_vectors_learn():
    task = tiny_reader()
    before = vectors(task.rebuilt(input=task.input.like(other_texts())[0]))
    copy = task.finetune(other_texts(), epochs=2, verbose=0)
    after = vectors(copy)
    assert all(np.any(after[word] != before[word]) for word in OTHERS.values())


def test_a_training_goes_on_with_the_vocabulary_that_it_began_with(tmp_path):
    task = tiny_reader()
    options = {"folder": tmp_path, **QUICK}
    task.finetune(other_texts(), vocabulary="extend", **options)
    with pytest.raises(ValueError, match="vocabulary='keep'"):
        task.finetune(other_texts(), vocabulary="keep", **options)


def test_what_is_no_choice_is_refused():
    with pytest.raises(ValueError, match="near: \\['extend'\\]"):
        tiny_reader().finetune(other_texts(), vocabulary="extnd", **QUICK)
    with pytest.raises(ValueError, match="for a task that reads texts"):
        tiny_task().finetune(tiny_data(), vocabulary="keep", **QUICK)


def test_rows_follow_the_words():
    found = word_notes.rows_of(["b", "x", "a"], ["a", "b", "c"])
    assert found.tolist() == [0, 1, 3, -1, 2]
