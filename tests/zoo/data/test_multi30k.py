"""Multi30k as tensorflow-datasets reads it, shown on sentences of our own."""

import gzip

import numpy as np
import pytest

from tests.public_data import needs_public

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data import pieces as piece_data  # noqa: E402
from zoo.data.multi30k import Multi30k  # noqa: E402
from zoo.data.multi30k_names import (  # noqa: E402
    LANGUAGES,
    NAMES,
    PAIRS,
    PARTS,
)
from zoo.data.pieces import Pieces, normal  # noqa: E402
from zoo.data.translations import load_translations  # noqa: E402

ODD = "a\u2028b\x85c"


def raw(root):
    return root / "downloads/manual/multi30k/data/task1/raw"


def write(root):
    """Upstream's layout, three sentences a part."""
    raw(root).mkdir(parents=True)
    for part, languages in PARTS.items():
        for language in languages:
            said = [f"{language} {part} {n}" for n in range(2)]
            pack(root, f"{part}.{language}", [*said, ODD])


def pack(root, name, lines):
    packed = gzip.compress("".join(f"{each}\n" for each in lines).encode())
    (raw(root) / f"{name}.gz").write_bytes(packed)


def prepared(root):
    builder = Multi30k(data_dir=root)
    builder.download_and_prepare()
    return builder


@pytest.fixture
def root(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    return tmp_path


def test_reads_upstream_files_in_their_order(root):
    builder = prepared(root)
    assert set(builder.info.splits) == set(PARTS)
    for part, languages in PARTS.items():
        rows = list(builder.as_dataset(split=part).as_numpy_iterator())
        for language in LANGUAGES:
            said = [row[language].decode() for row in rows]
            there = [f"{language} {part} 0", f"{language} {part} 1", ODD]
            assert said == (there if language in languages else [""] * 3)
    # From then on the official way reads it.
    again = tfds.load("multi30k", split="val", data_dir=root, download=False)
    assert len(again) == 3


def test_a_name_is_a_pair_of_languages(root):
    for name, (source, target) in PAIRS.items():
        assert name == f"multi30k_{source}_{target}" and source != target
        found = load_translations(name, "test")
        assert found.texts == [
            *(f"{source} test_2016_flickr {n}" for n in (0, 1)),
            ODD,
        ]
        assert found.translations[1] == [f"{target} test_2016_flickr 1"]
        assert (found.name, found.split) == (name, "test_2016_flickr")
        assert found.describe()["licence_class"] == "B"
    assert len(PAIRS) == 12
    train = load_translations("multi30k_fr_de")
    assert train.texts[0] == "fr train 0" and train.split == "train"
    assert train.version == "1.0.0"


def test_a_name_may_go_on_with_the_part_to_measure_on(root):
    named = [name.split("/") for name in NAMES if "/" in name]
    assert len(named) == 12 * 3 + 6 * 2
    for name, part in named[::4]:
        found = load_translations(f"{name}/{part}", "test")
        assert found.texts[0] == f"{PAIRS[name][0]} {part} 0"
        assert (found.name, found.split) == (name, part)
    again = load_translations("multi30k_de_en/val", "train")
    assert again.sha256() == load_translations("multi30k_de_en").sha256()


def test_a_sentence_that_is_blank_is_left_out_and_told(root):
    pack(root, "val.de", ["eins", " ", "drei"])
    found = load_translations("multi30k_en_de/val", "test")
    assert found.skipped == ("line 2: blank in val.de",)
    assert found.translations == [["eins"], ["drei"]]
    assert not load_translations("multi30k_en_fr/val", "test").skipped


def test_what_is_not_there_is_told_with_what_to_do(root):
    (raw(root) / "val.fr.gz").unlink()
    with pytest.raises(
        FileNotFoundError, match="github.com/multi30k/dataset.*no .*val.fr.gz"
    ):
        load_translations("multi30k_de_en")
    (root / "downloads").rename(root / "else")
    with pytest.raises(
        FileNotFoundError, match="github.com/multi30k/dataset.*Received: Man"
    ):
        load_translations("multi30k_de_en")


def test_files_that_do_not_fit_are_refused(root):
    pack(root, "val.fr", ["un", "deux"])
    with pytest.raises(
        ValueError, match="val.cs.gz of 3 lines.*val.fr.gz of 2 lines"
    ):
        prepared(root)
    content = gzip.compress("un\nété\ndeux\n".encode("latin-1"))
    (raw(root) / "val.fr.gz").write_bytes(content)
    with pytest.raises(ValueError, match="UTF-8.*val.fr.gz, line 2"):
        prepared(root)
    (raw(root) / "val.fr.gz").write_bytes(content[:-9])
    with pytest.raises(ValueError, match="whole.*val.fr.gz"):
        prepared(root)


@pytest.mark.parametrize(
    "name",
    ["multi30k_de_de", "multi30k_de_it", "multi30k_cs_en/test_2017_flickr"],
)
def test_refuses_another_pair(name):
    with pytest.raises((ValueError, FileNotFoundError), match="near: .'multi"):
        load_translations(name)


def test_the_set_itself_is_no_pair(root):
    prepared(root)
    with pytest.raises(ValueError, match="two languages.*cs, de, en, fr"):
        load_translations("multi30k")


@needs_public("multi30k")
@pytest.mark.slow
def test_the_real_files_are_whole():
    counts = {"train": 29_000, "val": 1_014, "test_2018_flickr": 1_071}
    counts |= {"test_2016_flickr": 1_000, "test_2017_flickr": 1_000}
    counts["test_2017_mscoco"] = 461
    builder = Multi30k()
    builder.download_and_prepare()
    found = {n: s.num_examples for n, s in builder.info.splits.items()}
    assert found == counts
    train = load_translations("multi30k_de_en")
    assert len(train) == 29_000 and not train.skipped


@pytest.fixture(scope="module")
def sentences():
    """The sentences of each part, in German, English and French."""
    found = {}
    for part in ("train", "val", "test"):
        split, name = "test" if part == "test" else "train", "multi30k_{}_{}"
        if part == "val":
            split, name = "test", "multi30k_{}_{}/val"
        pairs = load_translations(name.format("de", "en"), split)
        french = load_translations(name.format("fr", "en"), split)
        english = [text for (text,) in pairs.translations]
        found[part] = pairs.texts + english + french.texts
    return found


@needs_public("multi30k")
@pytest.mark.slow
def test_every_sentence_comes_back_and_tensorflow_reads_it_alike(sentences):
    pieces = Pieces.learn(sentences["train"], vocabulary_size=8_000)
    read = tf.function(
        piece_data.piece_reading(pieces),
        input_signature=[tf.TensorSpec((None,), tf.string)],
    )
    assert list(map(len, sentences.values())) == [87_000, 3_042, 3_000]
    assert pieces.cut(sentences["train"]) == 0
    for texts in sentences.values():
        lost = [x for x in texts if pieces.text(pieces.ids(x)) != normal(x)]
        assert not lost
        for start in range(0, len(texts), 4096):
            part = texts[start : start + 4096]
            ids = read(tf.constant([text.encode() for text in part]))
            np.testing.assert_array_equal(ids, pieces(part))
