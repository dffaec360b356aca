"""Documents, from wherever they come: each once, cut by document."""

import dataclasses
import gzip

import numpy as np
import pytest

import zoo
from tests.public_data import needs_public
from zoo.data import stories
from zoo.data.corpus import CorpusData, load_corpus
from zoo.data.pieces import Pieces, normal

TEXTS = [f"Text {number}.\nIts second line." for number in range(10)]


def both(source):
    return [load_corpus(source, part) for part in ("train", "test")]


def in_folder(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number:02}.txt").write_text(text, "utf-8")
    return folder


def test_stories_need_nothing(monkeypatch):
    monkeypatch.setitem(stories.PARTS, "train", (30, 1))
    train, test = both("stories")
    assert train.texts == stories.make(30, 1)
    assert test.texts == stories.make(*stories.PARTS["test"])
    assert (train.split, test.split) == ("train", "test")
    assert test.describe() == {
        "name": "stories",
        "version": stories.VERSION,
        "licence_class": "A",
        "train_split": "test",
    }
    assert load_corpus(test) is test and load_corpus().texts == train.texts
    assert "1,000 documents of 2" in repr(test)


def test_a_list_is_cut_by_document():
    train, test = both(TEXTS)
    assert (len(train), len(test)) == (8, 2)
    assert sorted(train.texts + test.texts) == sorted(TEXTS)
    assert test.split == "20% (by document, seed 0)"
    again = both(np.array(TEXTS))
    assert [x.sha256() for x in again] == [x.sha256() for x in (train, test)]
    first, second = train.divide(0.25, seed=3)
    assert (len(first), len(second)) == (6, 2)
    assert second.texts != train.divide(0.25, seed=4)[1].texts
    assert sorted(first.texts + second.texts) == sorted(train.texts)
    assert len(train.sample(3)) == 3 and train.raws is train.texts


def test_documents_that_are_alike_stay_on_one_side():
    texts = [f"Text {number // 3}." for number in range(30)]
    for seed in range(5):
        first, second = CorpusData(texts).divide(0.2, seed)
        assert not set(first.texts) & set(second.texts)
        assert len(second) == 6
    assert CorpusData(texts).together.tolist() == [n // 3 for n in range(30)]


def test_an_article_stays_on_one_side():
    groups = np.array([7, 7, 7, 2, 2, 5, 5, 5, 5, 9])
    data = CorpusData(TEXTS, groups)
    first, second = data.divide(0.3)
    assert not set(first.groups) & set(second.groups)
    assert len(first) + len(second) == 10
    assert data.take([3, 0]).groups.tolist() == [2, 7]
    assert "10 documents from 4 articles of 24 to" in data.found()
    assert data.how_cut == "by article" and data.together is groups


def test_the_digest_tells_documents_order_and_bounds():
    digests = {
        CorpusData(texts).sha256()
        for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"])
    }
    assert len(digests) == 4


def test_blank_lines_part_a_file(tmp_path):
    path = tmp_path / "book.txt"
    text = "\ufeff\n\n" + "\r\n \t\r\n\r\n".join(
        x.replace("\n", "\r\n") for x in TEXTS
    )
    path.write_bytes(f"{text}\r\n".encode())
    train, test = both(path)
    assert (len(train), len(test)) == (8, 2)
    assert sorted(train.texts + test.texts) == TEXTS
    assert "blank lines part documents" in repr(train)
    assert train.name == "book.txt" and "book.txt" in train.place
    assert train.describe()["place"] == train.place
    packed = tmp_path / "book.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert load_corpus(packed).sha256() == train.sha256()


def test_without_blank_lines_each_line_is_a_document(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes(b"a\x0bb\r\nc\rd\n e \nf\n")
    found = load_corpus((path, path), "test")
    assert found.texts == ["a\x0bb", "c", "d", "e", "f"]
    assert "each line is a document" in repr(found) and found.split == "test"


def test_a_folder_holds_a_document_in_each_file(tmp_path):
    texts = [*TEXTS[:5], " \n", *TEXTS[5:]]
    folder = in_folder(tmp_path / "papers", texts)
    in_folder(folder / "more", ["Deep."])
    (folder / ".hidden.txt").write_text("no")
    (folder / "notes.md").write_text("no")
    with pytest.warns(UserWarning, match="1 files .* skipped: notes.md"):
        train, test = both(folder)
    assert sorted(train.texts + test.texts) == ["Deep.", *TEXTS]
    assert train.skipped == ("05.txt: blank",) and "1 skipped" in repr(train)
    assert train.name == "papers" and "by document" in train.split


def test_a_folder_that_is_cut_is_read_so(tmp_path):
    in_folder(tmp_path / "a" / "train", TEXTS[:7])
    in_folder(tmp_path / "a" / "val", TEXTS[7:])
    train, test = both(tmp_path / "a")
    assert (train.texts, test.texts) == (TEXTS[:7], TEXTS[7:])
    assert (train.split, test.split, test.name) == ("train", "val", "a")
    other = tmp_path / "b"
    other.mkdir()
    for part, texts in (("train", TEXTS[:4]), ("test", TEXTS[4:])):
        (other / f"{part}.txt").write_text("\n\n".join(texts))
    (other / "notes.txt").write_text("no")
    train, test = both(other)
    assert (train.texts, test.texts) == (TEXTS[:4], TEXTS[4:])
    assert train.skipped == ("notes.txt: lies beside the parts",)


def test_a_pair_is_what_is_learned_from_and_what_is_measured_on(tmp_path):
    folder = in_folder(tmp_path / "x", TEXTS)
    path = tmp_path / "one.txt"
    path.write_text("A single document.")
    train, test = both((folder, str(path)))
    assert train.texts == TEXTS and test.texts == ["A single document."]
    assert (train.split, test.split) == ("train", "test")
    assert load_corpus(("stories", ["a", "b"]), "test").texts == ["a", "b"]
    mine = CorpusData(["mine"], name="own")
    assert load_corpus((["a"], mine), "test").name == "own"


def test_blank_documents_are_told():
    found = load_corpus((["a", " \n", "b ", ""], ["c"]))
    assert found.texts == ["a", "b"]
    assert found.skipped == ("place 1: blank", "place 3: blank")


def test_a_file_in_another_encoding_is_named(tmp_path):
    folder = in_folder(tmp_path / "x", TEXTS)
    (folder / "03.txt").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(ValueError, match="UTF-8.*03.txt, line 1"):
        load_corpus(folder)
    with pytest.raises(ValueError, match="UTF-8.*03.txt, line 1"):
        load_corpus(folder / "03.txt")


@pytest.mark.parametrize(
    "source, message",
    [
        ([], "a list with 0, all blank"),
        (["", " "], "a list with 2"),
        (["one"], "1 documents, 1 different documents"),
        (["one", "one"], "2 documents, 1 different"),
        (["a", 3], "text=3"),
        (["a\ud800", "b"], "Unicode"),
        (["a", ("b",)], "text="),
        (("a", "b", "c"), "tuple of 3"),
        (((["a"], ["b"]), ["c"]), "a tuple as the part 'train'"),
        ({"text": ["a"]}, "dict"),
        (zoo.Table({"text": ["a"]}), "Table"),
        ("storiez", "near: .'stories'"),
        ("mnist", "data='mnist'"),
        ("squad/v2.0", "corpus of this name"),
        ("nowhere.txt", "no such file"),
        (5, "int"),
    ],
)
def test_refuses_what_is_no_corpus(source, message):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_corpus(source)


def test_refuses_a_table_in_a_file_and_an_empty_folder(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text\na\n")
    with pytest.raises(ValueError, match="tables.*rows.csv"):
        load_corpus(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="documents .*none in"):
        load_corpus(tmp_path / "empty")
    with pytest.raises(ValueError, match="split='dev'"):
        load_corpus(TEXTS, "dev")


def test_nothing_is_said_of_nothing():
    assert "no documents" in repr(CorpusData([]))
    other = dataclasses.replace(CorpusData(["a"]), skipped=("x", "y"))
    assert other.found().endswith("; 2 skipped")


@pytest.fixture
def official(tmp_path, monkeypatch):
    """The official builder of SQuAD, which reads paragraphs of our own."""
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    builder = tfds.builder("squad")

    def rows(part):
        for number in range(12):
            article = number // 6
            yield (
                f"{part}{number}",
                {
                    "id": str(number),
                    "title": f"{part} {article}",
                    "context": f" {part} {article}, {number // 2}.\n",
                    "question": "Which?",
                    "answers": {"text": ["1"], "answer_start": [0]},
                },
            )

    monkeypatch.setattr(
        type(builder),
        "_split_generators",
        lambda self, *_: {part: rows(part) for part in ("train", "validation")},
    )
    return builder


def test_squad_is_its_paragraphs_each_once(official):
    with pytest.raises(FileNotFoundError, match="builder.*squad.*nothing in"):
        load_corpus("squad")
    official.download_and_prepare()
    train, test = both("squad")
    for part, data in (("train", train), ("validation", test)):
        assert data.split == part and data.name == "squad"
        wanted = {f"{part} {n // 3}, {n}." for n in range(6)}
        assert set(data.texts) == wanted and len(data) == 6
        articles = [text.split(",")[0] for text in data.texts]
        assert len(set(zip(articles, data.groups))) == 2
    first, second = train.divide(0.5)
    assert not set(first.groups) & set(second.groups)
    assert train.describe()["licence_class"] == "A"
    assert train.version == str(official.info.version)
    assert load_corpus("squad/v1.1").sha256() == train.sha256()


@needs_public("squad")
def test_the_parts_of_squad_share_nothing():
    test = load_corpus("squad", "test")
    assert len(test) == len(set(test.texts)) == 2067
    assert len(np.unique(test.groups)) == 48
    assert all(text == text.strip() for text in test.texts)
    pieces = Pieces.learn(test.texts[:200], 600)
    for text in test.texts[:300]:
        assert pieces.text(pieces.ids(text)) == normal(text)


@pytest.mark.slow
@needs_public("squad")
def test_no_paragraph_of_squad_is_in_both_parts():
    train, test = both("squad")
    assert len(train) == len(set(train.texts)) == 18_891
    assert len(np.unique(train.groups)) == 442
    assert not set(train.texts) & set(test.texts)
