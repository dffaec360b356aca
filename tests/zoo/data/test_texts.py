"""Texts by class: what is found, and documents that one sentence decides."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from tests.public_data import needs_public
from zoo.data import examples
from zoo.data import texts as text_data
from zoo.data.texts import TextData, key_sentences, load_texts
from zoo.data.tokens import Tokens


def test_one_sentence_decides_and_its_place_is_told():
    data, places = key_sentences(300, seed=3)
    good = {pair[1] for pair in text_data._OPINIONS}
    bad = {pair[0] for pair in text_data._OPINIONS}
    tokens = Tokens.learn(data.texts, length=8, sentences=10)
    for text, label, place in zip(data.texts, data.labels, places):
        sentences = tokens.words(text)
        verdicts = [
            index
            for index, words in enumerate(sentences)
            if words[0] == "i" and words[1] in text_data._FOUND
        ]
        if data.label_names[label] == "undecided":
            assert verdicts == []
        else:
            assert verdicts == [place]
            assert sentences[place][-1] in (bad, good)[label]
        assert 6 <= len(sentences) <= 10
        assert {len(words) for words in sentences} <= {5, 6, 7, 8}
    assert np.bincount(data.labels).tolist() == [100, 100, 100]
    assert set(places[data.labels == 2]) == {-1}
    assert set(places[data.labels < 2]) == set(range(10))


def test_the_words_of_a_document_do_not_tell_its_class():
    """Chance is 1/3, give or take 0.024 at one standard error of 400."""
    train, test = key_sentences(2000)[0], key_sentences(400, seed=1)[0]
    counter = CountVectorizer(token_pattern=r"\w+")
    learner = LogisticRegression(max_iter=1000)
    learner.fit(counter.fit_transform(train.texts), train.labels)
    counts = counter.transform(test.texts)
    assert learner.score(counts, test.labels) < 0.41
    # Praise and blame weigh the same in every single document.
    bad, good = (
        counts[:, [counter.vocabulary_[word] for word in words]].sum(axis=1)
        for words in zip(*text_data._OPINIONS)
    )
    assert (bad == good).all()


def test_each_verb_of_what_others_say_goes_with_either_verdict():
    data, places = key_sentences(200)
    heard = [
        sentence
        for text, place in zip(data.texts, places)
        for at, sentence in enumerate(text[:-1].split(". "))
        if at != place
    ]
    for verb in (*text_data._FOUND, "heard", "read", "met"):
        ends = {each.split()[-1] for each in heard if verb in each.split()}
        assert ends == {word for pair in text_data._OPINIONS for word in pair}


def test_key_sentences_are_the_same_every_time():
    train, test = load_texts(), load_texts(split="test")
    assert (len(train), len(test)) == (4000, 1000)
    assert train.label_names == ["bad", "good", "undecided"]
    assert (train.split, test.split) == ("4000 of seed 0", "1000 of seed 1")
    assert not set(train.texts) & set(test.texts)
    # What cards hold; another number needs another `version`.
    assert train.version == "2"
    assert train.sha256().startswith("7af7f231693445f4")
    assert test.sha256().startswith("06a7f47d3069ed2c")


def test_its_number_tells_where_a_text_ends():
    labels = np.array([0, 1])
    one = TextData(["ab", "c"], labels, ["0", "1"])
    other = TextData(["a", "bc"], labels, ["0", "1"])
    assert one.sha256() != other.sha256()


def classes_of_texts(folder, count=5):
    for name in ("no", "yes"):
        (folder / name / "deeper").mkdir(parents=True)
        for index in range(count):
            path = folder / name / ("deeper" if index else "") / f"{index}.txt"
            path.write_text(f"Text {index}:\n{name}, é", "utf-8")
        (folder / name / "notes.md").write_text("left out")
    return folder


@pytest.mark.filterwarnings("ignore:.*notes.md")
def test_reads_a_folder_of_classes(tmp_path):
    folder = classes_of_texts(tmp_path / "reviews")
    train, test = load_texts(folder), load_texts(str(folder), "test")
    assert (len(train), len(test)) == (8, 2)
    assert train.label_names == ["no", "yes"] and train.name == "reviews"
    assert train.split == "80% (stratified, seed 0)"
    assert not set(train.texts) & set(test.texts)
    for text, label in zip(train.texts, train.labels):
        assert text.endswith(f"\n{train.label_names[label]}, é")


@pytest.mark.filterwarnings("ignore:.*notes.md")
def test_reads_a_folder_that_is_cut_already(tmp_path):
    classes_of_texts(tmp_path / "train", 3)
    with pytest.raises(ValueError, match="`validation/` beside it"):
        load_texts(tmp_path, "test")
    classes_of_texts(tmp_path / "test", 2)
    train, test = load_texts(tmp_path), load_texts(tmp_path, "test")
    assert (len(train), len(test)) == (6, 4)
    assert (train.name, train.split) == (tmp_path.name, "train")


def test_refuses_a_folder_without_texts(tmp_path):
    classes_of_texts(tmp_path)
    for path in (tmp_path / "yes").rglob("*.txt"):
        path.unlink()
    with pytest.raises(ValueError, match=r"texts \(.txt\).*none in .*yes"):
        load_texts(tmp_path)


def table(path, *lines, encoding="utf-8"):
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def test_reads_a_table(tmp_path):
    lines = [f'"Say ""no""\n, é",no,{index}' for index in range(5)]
    lines += [f"Say yes,yes,{index}" for index in range(5)] + ["", ""]
    path = table(
        tmp_path / "said.csv", "text,label,id", *lines, encoding="utf-8-sig"
    )
    train, test = load_texts(path), load_texts(str(path), "test")
    assert (len(train), len(test)) == (8, 2)
    assert train.label_names == ["no", "yes"] and train.name == "said"
    assert dict(zip(train.labels, train.texts)) == {
        0: 'Say "no"\n, é',
        1: "Say yes",
    }


def test_reads_a_folder_of_tables(tmp_path):
    lines = ["label,text", "a,one", "b,two"]
    table(tmp_path / "train.csv", *lines)
    with pytest.raises(ValueError, match="`test.csv` or `validation.csv`"):
        load_texts(tmp_path, "test")
    table(tmp_path / "validation.csv", *lines, "b,three")
    train, test = load_texts(tmp_path), load_texts(tmp_path, "test")
    assert train.texts == ["one", "two"] and train.labels.tolist() == [0, 1]
    assert len(test) == 3
    assert (test.name, test.split) == (tmp_path.name, "validation")


def test_reads_a_text_of_a_million_characters_from_a_table(tmp_path):
    lines = ["text,label", "x" * 10**6 + ",a", "y,b"]
    table(tmp_path / "train.csv", *lines)
    assert len(load_texts(tmp_path).texts[0]) == 10**6


@pytest.mark.parametrize(
    "lines, why",
    [
        ([], r"must name the columns.*\[\]"),
        (["texts,label", "a,b"], "must name the columns.*bad.csv, line 1"),
        (["text,label", "a,x", "b"], "1 columns in .*bad.csv, line 3: 'b'"),
        (["text,label", "a,x", "b, c,y"], "3 columns in .*line 3: 'b, c,y'"),
        (["text,label", "a,x", "b,"], "an empty label in .*bad.csv, line 3$"),
        (["text,label", "a,x", "b, "], "an empty label in .*bad.csv, line 3$"),
        (["text,label", "a,x", " ,y"], "an empty text in .*bad.csv, line 3$"),
        (["text,label", '"a\nb",x', '"b"c,y'], "bad.csv, line 4: '.' expected"),
        (["text,label", "a,x", '"b,y'], "bad.csv, line 3: unexpected end"),
        (
            ["text,label", "a,x"],
            r"two classes.*\['x'\] as labels in the column 'label' .*bad.csv",
        ),
    ],
)
def test_refuses_a_malformed_table(lines, why, tmp_path):
    with pytest.raises(ValueError, match=why):
        load_texts(table(tmp_path / "bad.csv", *lines))


def test_refuses_a_file_that_is_not_in_utf_8(tmp_path):
    lines = ["text,label", "a,x", "\xe9,y"]
    path = table(tmp_path / "old.csv", *lines, encoding="latin-1")
    with pytest.raises(ValueError, match="UTF-8.*old.csv, line 3"):
        load_texts(path)
    with pytest.raises(FileNotFoundError, match="nowhere.csv"):
        load_texts(tmp_path / "nowhere.csv")


def test_takes_texts_and_labels():
    data = load_texts((["one", "two", "three"], ["b", "a", "b"]))
    assert data.label_names == ["a", "b"]
    assert data.labels.tolist() == [1, 0, 1]
    assert load_texts(data) is data
    with pytest.raises(ValueError, match="3 texts, labels of shape"):
        load_texts((["one", "two", "three"], [1, 2]))
    with pytest.raises(ValueError, match="a string. Received: int at place 1"):
        load_texts((["one", 2], [0, 1]))


@pytest.mark.parametrize("labels", [[3, 5, 3], ["b", "é", "b"]])
@pytest.mark.parametrize("batch", [None, 2])
def test_takes_a_tf_dataset(batch, labels):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((["ü", "", "c"], labels))
    data = load_texts(dataset.batch(batch) if batch else dataset)
    assert data.texts == ["ü", "", "c"]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.label_names == [str(label) for label in labels[:2]]


@needs_public("trec", "ag_news_subset")
def test_reads_public_sets_by_their_official_names():
    pytest.importorskip("tensorflow_datasets")
    trec = load_texts("trec", "test")
    assert len(trec) == 500 and trec.split == "test"
    assert trec.label_names == ["DESC", "ENTY", "ABBR", "HUM", "NUM", "LOC"]
    assert all(isinstance(text, str) for text in trec.texts)
    news = load_texts("ag_news_subset", "test")
    assert news.label_names == ["World", "Sports", "Business", "Sci/Tech"]
    title, description = news.texts[0].split("\n")
    assert 0 < len(title) < len(description)


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Offers a set of tensorflow-datasets, made of some parts."""
    tfds = pytest.importorskip("tensorflow_datasets")
    tf = pytest.importorskip("tensorflow")

    def offer(**parts):
        features = tfds.features.FeaturesDict(
            {
                "sentence": tfds.features.Text(),
                "label": tfds.features.ClassLabel(names=["no", "yes"]),
                "idx": np.int32,
            }
        )
        builder = tfds.dataset_builders.store_as_tfds_dataset(
            name="offered",
            version="1.2.3",
            features=features,
            split_datasets={
                part: tf.data.Dataset.from_tensor_slices(
                    {
                        "sentence": [
                            f"{part} {at}" for at in range(len(labels))
                        ],
                        "label": np.array(labels, "int64"),
                        "idx": np.arange(len(labels), dtype="int32"),
                    }
                )
                for part, labels in parts.items()
            },
            data_dir=tmp_path,
        )
        monkeypatch.setattr(examples, "public_set", lambda *_: builder)

    return offer


def test_reads_a_public_set_with_one_text_and_one_label(offer):
    offer(train=[0, 1, 1], test=[1, 0])
    train, test = load_texts("offered"), load_texts("offered", "test")
    assert sorted(train.texts) == ["train 0", "train 1", "train 2"]
    for text, label in zip(test.texts, test.labels):
        assert (text, label) in {("test 0", 1), ("test 1", 0)}
    assert (test.name, test.split, test.version) == ("offered", "test", "1.2.3")
    assert test.label_names == ["no", "yes"] and test.labels.dtype == "int64"


def test_passes_over_a_part_whose_labels_are_withheld(offer):
    offer(train=[0, 1], test=[-1, -1, -1], validation=[0, 1, 1])
    test = load_texts("offered", "test")
    assert test.split == "validation" and len(test) == 3


def test_cuts_a_public_set_that_has_one_part(offer):
    offer(test=[0, 1] * 10)
    train, test = load_texts("offered"), load_texts("offered", "test")
    assert (len(train), len(test)) == (16, 4)
    assert not set(train.texts) & set(test.texts)
    assert train.split == "80% of test (stratified, seed 0)"
    assert test.split == "20% of test (stratified, seed 0)"


def test_refuses_a_public_set_without_labels(offer):
    offer(test=[-1, -1])
    with pytest.raises(ValueError, match=r"with labels.*\['test'\]"):
        load_texts("offered")


def test_refuses_a_name_that_nobody_knows():
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ValueError, match="data='no_such_texts'"):
        load_texts("no_such_texts")
    with pytest.raises(ValueError, match="split='dev'"):
        load_texts("key_sentences", "dev")


def test_refuses_a_public_set_without_one_text_and_one_label():
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(ValueError, match="one text and one label.*image"):
        load_texts("mnist")
