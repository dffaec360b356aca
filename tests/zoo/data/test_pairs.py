"""Pairs by class: what is found, and two sets that are made by rule."""

import dataclasses
import re

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tests.public_data import needs_public
from zoo.data import pairs as pair_data
from zoo.data.pairs import (
    PairData,
    load_pairs,
    read_lines,
    scene_claims,
    who_did_what,
)


def words(text):
    return re.findall(r"\w+", text.lower())


def overlap(left, right):
    return sum(word in words(left) for word in words(right))


def counts_of_each_side(train, test):
    """Counts of the words of each side, and how many of them are shared."""
    tables = [[], []]
    for side in range(2):
        counter = CountVectorizer(token_pattern=r"\w+")
        counter.fit([pair[side] for pair in train.pairs])
        for table, data in zip(tables, (train, test)):
            table.append(counter.transform([pair[side] for pair in data.pairs]))
    for table, data in zip(tables, (train, test)):
        shared = [[overlap(*pair)] for pair in data.pairs]
        table.append(sparse.csr_matrix(shared))
    return [sparse.hstack(table).tocsr() for table in tables]


def facts(scene):
    """`animal -> (look, verb, place)` of a scene."""
    found = {}
    for fact in re.split(" and | while | but ", scene.lower().rstrip(".")):
        _, look, animal, verb, *place = fact.split()
        found[animal] = (look, verb, " ".join(place))
    return found


def test_a_claim_is_what_its_class_says():
    data = scene_claims(300, seed=3)
    kinds = set()
    for (scene, claim), label in zip(data.pairs, data.labels):
        known = facts(scene)
        assert len(known) == 2
        _, *looked, animal, verb, preposition, _, noun = claim[:-1].split()
        place = f"{preposition} the {noun}"
        assert claim.startswith("The ") and claim.endswith(".")
        looks, verbs, places = zip(*known.values())
        assert set(looked) <= set(looks) and verb in verbs and place in places
        if data.label_names[label] == "neutral":
            assert animal in pair_data._ANIMALS and animal not in known
            continue
        look, *done = known[animal]
        assert looked in ([], [look])
        same = (verb == done[0], place == done[1])
        assert (label == 1) == all(same)
        kinds.add((label, bool(looked), *same))
    assert len(kinds) == 2 * (1 + 3), "a way to contradict is missing"
    assert np.bincount(data.labels).tolist() == [100, 100, 100]


def test_words_do_not_tell_entailment_from_contradiction():
    """Chance is 1/2, give or take 0.019 at one standard error of 667."""
    train, test = (
        data.take(np.flatnonzero(data.labels < 2))
        for data in (load_pairs(), load_pairs(split="test"))
    )
    for scene, claim in test.pairs:
        assert overlap(scene, claim) == len(words(claim))
    learned, asked = counts_of_each_side(train, test)
    learner = LogisticRegression(max_iter=1000).fit(learned, train.labels)
    assert learner.score(asked, test.labels) < 0.56


def test_a_right_candidate_answers_and_a_wrong_one_has_the_same_words():
    data = who_did_what(60, seed=3)
    assert data.grouped and data.label_names == ["wrong", "right"]
    for group in range(60):
        at = np.flatnonzero(data.groups == group)
        assert at.tolist() == list(range(at[0], at[0] + len(at)))
        assert 4 <= len(at) <= 6 and data.labels[at].sum() in (1, 2)
        question = data.pairs[at[0]][1]
        _, did, _, kind, thing = words(question)
        assert len({overlap(*data.pairs[place]) for place in at}) == 1
        for place in at:
            candidate, asked = data.pairs[place]
            clauses = [words(clause) for clause in candidate.split(" and ")]
            assert {len(clause) for clause in clauses} == {5}
            assert asked == question
            assert {did, "the", kind, thing} <= set(words(candidate))
            answers = any(
                clause[1:] == [did, "the", kind, thing] for clause in clauses
            )
            assert data.labels[place] == answers
    assert set(np.bincount(data.groups)) == {4, 5, 6}
    assert set(np.bincount(data.groups, data.labels)) == {1, 2}
    with pytest.raises(ValueError, match="5120 different.*count=5121"):
        who_did_what(5121)


def test_every_wrong_candidate_parts_what_belongs_together():
    data = who_did_what(60)
    seen = set()
    for (candidate, question), label in zip(data.pairs, data.labels):
        _, did, _, kind, thing = words(question)
        for clause in candidate.split(" and "):
            if did in words(clause):
                seen.add((label, kind in clause, f" {thing}" in clause))
    assert seen == {
        (1, True, True),
        (0, False, False),
        (0, False, True),
        (0, True, False),
    }


def test_words_do_not_tell_which_candidate_answers():
    """Chance is 1/2, give or take 0.017 at one standard error."""
    train, test = (load_pairs("who_did_what", s) for s in ("train", "test"))
    learned, asked = counts_of_each_side(train, test)
    learner = LogisticRegression(max_iter=1000).fit(learned, train.labels)
    assert roc_auc_score(test.labels, learner.decision_function(asked)) < 0.56


def test_what_is_made_by_rule_is_the_same_every_time():
    train, test = load_pairs(), load_pairs(split="test")
    assert (len(train), len(test)) == (6000, 1000)
    assert train.label_names == ["contradiction", "entailment", "neutral"]
    assert (train.split, test.split) == ("6000 of seed 0", "1000 of seed 1")
    assert not set(train.pairs) & set(test.pairs) and not train.grouped
    asked, held = (load_pairs("who_did_what", s) for s in ("train", "test"))
    assert (asked.groups.max(), held.groups.max()) == (1499, 299)
    questions = [{right for _, right in part.pairs} for part in (asked, held)]
    assert questions[0].isdisjoint(questions[1])
    assert held.split == "test of 1800 of seed 0"
    # What cards hold; another number needs another `version`.
    assert (train.version, asked.version) == ("1", "2")
    assert [data.sha256()[:16] for data in (train, test, asked, held)] == [
        "8def2d1d25a4affc",
        "c22e6fa73d425250",
        "b847fcfd8031aaa7",
        "852b4116dfd138a1",
    ]


def test_its_number_tells_where_a_text_ends():
    labels = np.array([0, 1])
    made = [
        PairData(pairs, labels, ["0", "1"]).sha256()
        for pairs in (
            [("ab", "c"), ("d", "")],
            [("a", "bc"), ("d", "")],
            [("ab", "c"), ("", "d")],
        )
    ]
    assert len(set(made)) == 3


def questions(sizes=(3, 1, 2, 4, 5, 2, 3), grouped=True):
    pairs = [
        (f"Candidate {index} of {question}", f"Question {question}?")
        for question, size in enumerate(sizes)
        for index in range(size)
    ]
    labels = np.arange(len(pairs)) % 2
    return PairData(pairs, labels, ["wrong", "right"], grouped=grouped)


def test_questions_are_numbered_as_they_appear():
    data = questions((2, 1, 1)).take([3, 0, 2, 1])
    assert data.groups.tolist() == [0, 1, 2, 1]
    assert data.groups.dtype == "int64"


def test_no_question_is_divided():
    data = questions()
    seen = set()
    for seed in range(8):
        first, second = data.divide(0.2, seed)
        assert sorted(first.pairs + second.pairs) == sorted(data.pairs)
        asked = [{right for _, right in part.pairs} for part in (first, second)]
        assert not asked[0] & asked[1] and all(asked)
        assert 2 <= len(second) <= 6, "20 pairs, of which 4 are to be set aside"
        assert data.divide(0.2, seed)[1].pairs == second.pairs
        assert first.grouped and second.grouped
        seen.add(tuple(second.pairs))
    assert len(seen) > 3
    sampled = data.sample(10)
    assert 8 <= len(sampled) <= 12
    for _, question in sampled.pairs:
        assert sum(right == question for _, right in sampled.pairs) == sum(
            right == question for _, right in data.pairs
        )
    assert data.sample(20) is data
    assert len(questions(grouped=False).divide(0.2)[1]) == 4


def test_says_what_it_takes_to_divide_questions():
    for share in (0.01, 0.99):
        first, second = questions((9, 9)).divide(share)
        assert len(first) == len(second) == 9
    with pytest.raises(ValueError, match="10 pairs of 1 questions.*8 and 2"):
        questions((10,)).divide(0.2)


def table(path, *lines):
    path.write_bytes("\r\n".join(lines).encode())
    return path


def test_reads_a_table_of_pairs(tmp_path):
    lines = [f'"Left, {index}",{index},{"ab"[index % 2]}' for index in range(9)]
    path = table(tmp_path / "said.csv", "right,left,label", *lines, "é,x,b")
    train, test = load_pairs(path), load_pairs(str(path), "test")
    assert (len(train), len(test)) == (8, 2)
    assert train.label_names == ["a", "b"] and train.name == "said"
    assert train.split == "80% (stratified, seed 0)" and not train.grouped
    found = dict(zip(train.pairs + test.pairs, [*train.labels, *test.labels]))
    assert found[("3", "Left, 3")] == 1 and found[("4", "Left, 4")] == 0
    assert found[("x", "é")] == 1


def test_reads_a_table_of_candidates(tmp_path):
    lines = [
        f"Who is {question}?,It is {index}.,{('wrong', '1')[index == 2]}"
        for question in range(10)
        for index in range(3)
    ]
    path = table(tmp_path / "asked.csv", "question,candidate,label", *lines)
    train, test = load_pairs(path), load_pairs(path, "test")
    assert (len(train), len(test)) == (24, 6)
    assert train.label_names == ["wrong", "right"] and train.grouped
    assert train.split == "80% (by question, seed 0)"
    assert not {right for _, right in train.pairs} & {
        right for _, right in test.pairs
    }
    for (left, right), label in zip(train.pairs, train.labels):
        assert right.startswith("Who") and label == (left == "It is 2.")


def test_candidates_keep_both_classes_where_all_are_right(tmp_path):
    for part, labels in (("train", "01"), ("test", "11")):
        lines = [f"Who?,It is {at}.,{label}" for at, label in enumerate(labels)]
        table(tmp_path / f"{part}.csv", "question,candidate,label", *lines)
    test = load_pairs(tmp_path, "test")
    assert test.labels.tolist() == [1, 1]
    assert test.label_names == ["wrong", "right"]


def test_reads_a_folder_of_tables(tmp_path):
    with pytest.raises(ValueError, match="`train.csv` and `test.csv`"):
        load_pairs(tmp_path)
    lines = ["left,right,label", "one,two,a", "three,four,b"]
    table(tmp_path / "train.csv", *lines)
    with pytest.raises(ValueError, match="`test.csv` or `validation.csv`"):
        load_pairs(tmp_path, "test")
    table(tmp_path / "validation.csv", *lines, "five,six,b")
    train, test = load_pairs(tmp_path), load_pairs(tmp_path, "test")
    assert train.pairs == [("one", "two"), ("three", "four")]
    assert len(test) == 3
    assert (test.name, test.split) == (tmp_path.name, "validation")


LEFT, ASKED = "left,right,label", "question,candidate,label"


@pytest.mark.parametrize(
    "lines, why",
    [
        ([], r"`left`, `right` and `label`, or `question`, `cand.*\[\]"),
        (["left,label", "a,b"], "must name the columns.*bad.csv, line 1"),
        ([LEFT, "a,b,x", "c,y"], "2 columns in .*bad.csv, line 3: 'c,y'"),
        ([LEFT, "a,b,x", "c,d,"], "an empty label in .*bad.csv, line 3"),
        ([LEFT, "a,b,x", " ,d,y"], "an empty left in .*bad.csv, line 3"),
        ([LEFT, '"a\na",b,x', "c,,y"], "an empty right in .*bad.csv, line 4"),
        ([ASKED, "a,b,1", ",d,0"], "an empty question in .*bad.csv, line 3"),
        ([ASKED, "a, ,1"], "an empty candidate in .*bad.csv, line 2"),
        ([ASKED, "a,b,1", "c,d,2"], "or 0 or 1.*'2' in .*bad.csv, line 3"),
        ([LEFT, "a,b,x", '"c,d,y'], "bad.csv, line 3: unexpected end"),
        ([LEFT, "a,b,x"], r"two classes.*\['x'\]"),
    ],
)
def test_refuses_a_malformed_table(lines, why, tmp_path):
    with pytest.raises(ValueError, match=why):
        load_pairs(table(tmp_path / "bad.csv", *lines))


def test_takes_pairs_and_labels():
    pairs = [("one", "two"), ["three", b"four"], ("five", "two")]
    data = load_pairs((pairs, ["b", "a", "b"]))
    assert data.pairs == [("one", "two"), ("three", "four"), ("five", "two")]
    assert data.label_names == ["a", "b"] and data.labels.tolist() == [1, 0, 1]
    assert load_pairs(data) is data and not data.grouped
    with pytest.raises(ValueError, match="3 pairs, labels of shape"):
        load_pairs((pairs, [1, 2]))
    with pytest.raises(ValueError, match="two strings.*'ab' at place 1"):
        load_pairs(([("a", "b"), "ab"], [0, 1]))
    with pytest.raises(ValueError, match="an empty right at place 1"):
        load_pairs(([("a", "b"), ("c", "\n")], [0, 1]))


@pytest.mark.parametrize("labels", [[3, 5, 3], ["b", "é", "b"]])
@pytest.mark.parametrize("batch", [None, 2])
def test_takes_a_tf_dataset(batch, labels):
    tf = pytest.importorskip("tensorflow")
    sides = (["ü", "b", "c"], ["d", "e", "ß"])
    dataset = tf.data.Dataset.from_tensor_slices((sides, labels))
    data = load_pairs(dataset.batch(batch) if batch else dataset)
    assert data.pairs == [("ü", "d"), ("b", "e"), ("c", "ß")]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.label_names == [str(label) for label in labels[:2]]


def test_refuses_a_tf_dataset_whose_sides_are_not_apart():
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices(
        ([["a", "b"], ["c", "d"]], [0, 1])
    )
    with pytest.raises(ValueError, match="ndarray for a pair at place 0"):
        load_pairs(dataset.batch(2))


@needs_public("wikiqa", "sick", "msrp")
def test_reads_the_sets_whose_files_are_downloaded_by_hand():
    pytest.importorskip("tensorflow_datasets")
    train, test = load_pairs("wikiqa"), load_pairs("wikiqa", "test")
    assert (len(train), train.groups.max() + 1) == (20360, 2118)
    assert (len(test), test.groups.max() + 1) == (2351, 243)
    assert (train.labels.sum(), test.labels.sum()) == (1040, 293)
    assert test.grouped and test.label_names == ["wrong", "right"]
    assert (test.name, test.split, test.version) == ("wikiqa", "test", "1.0.0")
    sick, msrp = load_pairs("sick", "test"), load_pairs("msrp", "test")
    assert np.bincount(sick.labels).tolist() == [720, 1414, 2793]
    assert np.bincount(msrp.labels).tolist() == [578, 1147]
    assert not sick.grouped and not msrp.grouped
    assert pair_data.LICENCES[sick.name] == pair_data.LICENCES[msrp.name] == "B"


@needs_public("glue/mrpc")
def test_reads_a_part_of_glue_that_has_labels():
    pytest.importorskip("tensorflow_datasets")
    train, test = load_pairs("glue/mrpc"), load_pairs("glue/mrpc", "test")
    assert (len(train), len(test)) == (3668, 408)
    assert (test.name, test.split) == ("glue/mrpc", "validation")


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Offers a public set, made of some parts."""
    tfds = pytest.importorskip("tensorflow_datasets")
    tf = pytest.importorskip("tensorflow")

    def offer(sides=("premise", "hypothesis"), **parts):
        features = {side: tfds.features.Text() for side in sides}
        features["label"] = tfds.features.ClassLabel(names=["no", "yes"])
        builder = tfds.dataset_builders.store_as_tfds_dataset(
            name="offered",
            version="1.2.3",
            features=tfds.features.FeaturesDict(features),
            split_datasets={
                part: tf.data.Dataset.from_tensor_slices(
                    {
                        **dict(zip(sides, map(list, zip(*pairs)))),
                        "label": np.array(labels, "int64"),
                    }
                )
                for part, (pairs, labels) in parts.items()
            },
            data_dir=tmp_path,
        )
        monkeypatch.setattr(pair_data, "_builder", lambda _: builder)

    return offer


def test_leaves_out_pairs_of_a_public_set_without_label_or_text(offer):
    pairs = [("a", "b"), ("c", "d"), ("e", ""), ("g", "h"), (" ", "j")]
    offer(train=(pairs, [-1, 0, 1, 1, 0]), test=(pairs[:2], [0, 1]))
    train, test = load_pairs("snli"), load_pairs("snli", "test")
    found = dict(zip(train.pairs, train.labels))
    assert found == {("c", "d"): 0, ("g", "h"): 1}
    assert train.labels.dtype == "int64" and len(test) == 2
    assert (train.name, train.split, train.version) == (
        "snli",
        "train",
        "1.2.3",
    )


def test_labels_that_are_missing_here_and_there_are_not_withheld(offer):
    pairs = [(f"left {at}", "right") for at in range(60)]
    labels = [-1] * 25 + [0, 1] * 5 + [-1] * 25
    offer(train=(pairs, labels), test=(pairs, [-1] * 60))
    train, test = load_pairs("snli"), load_pairs("snli", "test")
    assert (len(train), len(test)) == (8, 2)
    assert sorted(train.pairs + test.pairs) == sorted(pairs[25:35])


def test_passes_over_a_part_whose_labels_are_withheld(offer):
    pairs = [("a", "b"), ("c", "d")]
    offer(
        ("question1", "question2"),
        train=(pairs, [0, 1]),
        test=(pairs, [-1, -1]),
        validation=(pairs[::-1], [0, 1]),
    )
    test = load_pairs("glue/qqp", "test")
    assert test.split == "validation"
    assert dict(zip(test.pairs, test.labels)) == {("c", "d"): 0, ("a", "b"): 1}


def test_a_set_of_questions_in_one_part_is_cut_by_question(offer):
    data = questions()
    offer(
        ("candidate", "question"),
        test=(data.pairs, data.labels),
    )
    train, test = (load_pairs("wikiqa", split) for split in ("train", "test"))
    assert test.split == "20% of test (by question, seed 0)"
    assert sorted(train.pairs + test.pairs) == sorted(data.pairs)
    assert not {right for _, right in train.pairs} & {
        right for _, right in test.pairs
    }


def test_refuses_a_name_that_nobody_knows():
    with pytest.raises(ValueError, match="wikiqa. Received: data='imdb'"):
        load_pairs("imdb")
    with pytest.raises(ValueError, match="split='dev'"):
        load_pairs("scene_claims", "dev")
    with pytest.raises(FileNotFoundError, match="nowhere.csv"):
        load_pairs("nowhere.csv")


def test_reads_the_lines_of_a_file(tmp_path):
    path = tmp_path / "candidates.txt"
    path.write_bytes("\ufeffOne é.\r\n\r\n  Two\u2028two.\n \nThree".encode())
    assert read_lines(str(path)) == ["One é.", "Two\u2028two.", "Three"]
    path.write_text(" \n\n")
    with pytest.raises(ValueError, match="not blank.*candidates.txt"):
        read_lines(path)


def lengths(pairs):
    """Stands in for the ids of a network."""
    left, right = np.array([[len(left), len(right)] for left, right in pairs]).T
    return {
        "left": np.repeat(left[:, None], 3, axis=1).astype("int32"),
        "right": np.repeat(right[:, None], 2, axis=1).astype("int32"),
    }


def test_a_copy_stays_grouped():
    data = dataclasses.replace(questions(), name="other")
    assert data.grouped and data.take([0, 1]).grouped
