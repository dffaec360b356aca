"""Texts and translations, from wherever they come."""

import dataclasses

import numpy as np
import pytest

import zoo
from tests.zoo.data.frames import Frame
from zoo.data import copying, dates
from zoo.data.translations import TranslationData, load_translations

GERMAN = [f"Satz {number}, mit Größe." for number in range(10)]
ENGLISH = [f"Sentence {number}, of a size." for number in range(10)]


def written(folder, name, lines):
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def test_dates_need_nothing_and_say_where_each_letter_comes_from():
    train, test = (load_translations(split=part) for part in ("train", "test"))
    assert len(train) == dates.PARTS["train"][0] and len(test) == 1000
    assert train.name == "dates" and train.split == "train"
    for place in (0, 7, 999):
        ((iso,), text) = test.translations[place], test.texts[place]
        start, end = test.truth["spans"][place, 0]
        assert text[start:end] == iso[:4]
    part = test.take([5, 3])
    assert part.texts == [test.texts[5], test.texts[3]]
    np.testing.assert_array_equal(
        part.truth["spans"], test.truth["spans"][[5, 3]]
    )
    assert part.captions == part.translations
    assert test.describe()["licence_class"] == "A"


@pytest.mark.parametrize("name, blanks", copying.BLANKS.items())
def test_figures_to_copy_have_the_silence_of_their_name(name, blanks):
    train, test = (load_translations(name, part) for part in ("train", "test"))
    assert (len(train), len(test), test.name) == (20_000, 1000, name)
    assert not set(train.texts) & set(test.texts)
    (said,) = test.translations[7]
    assert test.texts[7] == said + "." * (blanks - 1) + ":"
    start, end = test.truth["spans"][7, 3]
    assert test.texts[7][start:end] == said[3] and (start, end) == (3, 4)
    assert test.describe()["licence_class"] == "A"


def test_two_files_are_read_line_by_line_and_cut(tmp_path):
    pair = written(tmp_path, "a.de", GERMAN), written(tmp_path, "a.en", ENGLISH)
    parts = [load_translations(pair, part) for part in ("train", "test")]
    assert list(map(len, parts)) == [8, 2]
    found = {
        text: given
        for part in parts
        for text, (given,) in zip(part.texts, part.translations)
    }
    assert found == dict(zip(GERMAN, ENGLISH))
    assert "a.de," in parts[0].place and parts[0].name == "a.de"
    again = load_translations([str(path) for path in pair], "train")
    assert again.sha256() == parts[0].sha256()


def test_a_shell_gives_two_files_with_a_comma(tmp_path, monkeypatch):
    paths = [tmp_path / "a.de", tmp_path / "b.en"]
    for path, lines in zip(paths, ("eins\nzwei\n", "one\ntwo\n")):
        path.write_text(lines, "utf-8")
    both = ",".join(map(str, paths))
    found = load_translations(both)
    known = load_translations(tuple(paths))
    assert found.texts == known.texts and found.place == known.place
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_translations("~/a.de,~/b.en").texts == known.texts
    with pytest.raises((ValueError, FileNotFoundError)):
        load_translations(f"{both},{paths[0]}")
    with pytest.raises((ValueError, FileNotFoundError)):
        load_translations(f"{paths[0]},{tmp_path / 'none'}")


def test_two_pairs_of_files_are_two_parts(tmp_path):
    pairs = [
        (
            written(tmp_path, f"{part}.de", GERMAN[:count]),
            written(tmp_path, f"{part}.en", ENGLISH[:count]),
        )
        for part, count in (("train", 6), ("test", 3))
    ]
    train, test = (load_translations(pairs, part) for part in ("train", "test"))
    assert train.texts == GERMAN[:6] and test.texts == GERMAN[:3]
    assert train.split == "train" and test.split == "test"


def test_blank_lines_are_left_out_on_both_sides_and_told(tmp_path):
    german, english = list(GERMAN), list(ENGLISH)
    german[3], english[5] = "  ", ""
    pair = written(tmp_path, "a.de", german), written(tmp_path, "a.en", english)
    found = load_translations([pair, pair], "test")
    assert found.texts == [GERMAN[n] for n in (0, 1, 2, 4, 6, 7, 8, 9)]
    assert found.translations[3] == [ENGLISH[4]]
    assert found.skipped == ("line 4: blank in a.de", "line 6: blank in a.en")
    assert "2 lines skipped" in repr(found)


def test_only_a_line_feed_ends_a_line(tmp_path):
    odd = "a\u2028b\x0bc\x85d"
    paths = tmp_path / "a.de", tmp_path / "a.en"
    paths[0].write_bytes(f"{odd}\r\nzwei".encode())
    paths[1].write_bytes(b"\xef\xbb\xbfone\ntwo\n")
    found = load_translations([paths, paths], "test")
    assert found.texts == [odd, "zwei"]
    assert found.translations == [["one"], ["two"]]


def test_files_that_do_not_fit_are_refused(tmp_path):
    pair = (
        written(tmp_path, "a.de", GERMAN),
        written(tmp_path, "b", ENGLISH[1:]),
    )
    with pytest.raises(ValueError, match="a.de of 10 lines, .*b of 9"):
        load_translations(pair)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_translations((pair[0], tmp_path / "nowhere"))
    latin = tmp_path / "latin"
    latin.write_bytes("eins\nGröße\n".encode("latin-1"))
    with pytest.raises(ValueError, match="UTF-8.*latin, line 2"):
        load_translations((latin, pair[1]))
    blank = written(tmp_path, "blank", [""])
    with pytest.raises(ValueError, match="neither.*blank"):
        load_translations((blank, blank))


def test_a_table_has_two_columns(tmp_path):
    path = tmp_path / "pairs.csv"
    rows = zip(GERMAN, ENGLISH)
    path.write_text(
        "target,source\n" + "".join(f'"{b}","{a}"\n' for a, b in rows)
    )
    train, test = (load_translations(path, part) for part in ("train", "test"))
    assert len(train) == 8 and len(test) == 2 and "pairs.csv" in test.place
    for text, (given,) in zip(test.texts, test.translations):
        assert ENGLISH[GERMAN.index(text)] == given
    frame = Frame({"de": GERMAN, "en": ENGLISH})
    columns = {"source": "de", "target": "en"}
    found = load_translations(zoo.Table(frame, columns=columns))
    assert found.texts == GERMAN and found.translations[2] == [ENGLISH[2]]
    path.write_text("source,target\na,\n")
    with pytest.raises(ValueError, match="target"):
        load_translations(path)


def test_lists_may_have_several_translations():
    several = [["one", " two "], "three"]
    found = load_translations((["eins", "zwei"], several))
    assert found.translations == [["one", "two"], ["three"]]
    assert load_translations(found) is found
    other = dataclasses.replace(found, translations=[["one"], ["three"]])
    assert other.sha256() != found.sha256()
    assert repr(found).startswith("<TranslationData translations, all: 2 texts")


@pytest.mark.parametrize(
    "source, message",
    [
        ((["a"], ["b", "c"]), "1 texts, translations of 2"),
        (([], []), "0 texts"),
        ((["a", " "], ["b", "c"]), r"\[' '\] at place 1"),
        (([["a", "b"]], ["c"]), "'a', 'b'.* at place 0"),
        ((["a"], [[]]), r"\[\] at place 0"),
        ((["a"], [["b", 3]]), "3. at place 0"),
        ((["a"], {"b": 1}), "dict as translations"),
        ((["a"], ["b"], ["c"]), "tuple of 3"),
        ("datez", "near: .'dates'"),
        (5, "int"),
    ],
)
def test_refuses_what_is_no_translation(source, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_translations(source)


@pytest.fixture
def official(tmp_path, monkeypatch):
    """The official builders, which read sentences of our own."""
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))

    def make(name, *parts):
        builder = tfds.builder(name)
        languages = builder.info.features.languages

        def rows(part):
            for number in range(5):
                said = f" {number} {part}"
                blank = part == "test" and number == 2
                yield (
                    number,
                    {
                        language: "  " if blank else language + said
                        for language in languages
                    },
                )

        monkeypatch.setattr(
            type(builder),
            "_split_generators",
            lambda self, *_: {part: rows(part) for part in parts},
        )
        return builder

    return make


def test_an_official_set_is_read_where_it_is_prepared(official):
    name = "ted_hrlr_translate/pt_to_en"
    builder = official(name, "train", "validation", "test")
    with pytest.raises(
        FileNotFoundError, match="builder.*pt_to_en.*download_and_prepare.*noth"
    ):
        load_translations(name)
    builder.download_and_prepare()
    train, test = (load_translations(name, x) for x in ("train", "test"))
    assert len(train) == 5 and len(test) == 4
    assert {text[:3] for text in train.texts} == {"pt "}
    for text, (given,) in zip(train.texts, train.translations):
        assert given == text.replace("pt", "en") and text.endswith("train")
    assert (test.name, test.split) == (name, "test")
    (skipped,) = test.skipped
    assert skipped.endswith("blank in test.pt")
    assert train.version == str(builder.info.version)
    assert train.describe()["licence_class"] is None


def test_an_official_set_of_one_part_is_cut(official):
    official("opus/law", "train").download_and_prepare()
    parts = [load_translations("opus/law", x) for x in ("train", "test")]
    assert list(map(len, parts)) == [4, 1]
    assert parts[1].texts[0].startswith("de ")


@pytest.mark.parametrize(
    "name, message",
    [
        ("mnist", "two languages.*'mnist' with image, label"),
        ("ted_multi_translate", "two languages.*talk_name, translations"),
        ("ted_hrlr_translate/de_to_eo", "of tensorflow-datasets.*de_to_eo"),
    ],
)
def test_refuses_an_official_set_of_something_else(official, name, message):
    with pytest.raises(ValueError, match=message):
        load_translations(name)


def test_no_texts_are_said():
    assert "no texts" in repr(TranslationData([], []))
