"""A name of known data, or a place: what is meant, and what is refused."""

import pathlib

import pytest

from zoo.data import images as image_data
from zoo.data import pairs as pair_data
from zoo.data import sources
from zoo.data import texts as text_data
from zoo.data.images import load_images
from zoo.data.pairs import load_pairs
from zoo.data.texts import load_texts

NAMES = ("digits", "glue/mrpc")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sources, "public_names", lambda: ["mnist", "glue"])
    return tmp_path


def test_a_path_is_a_place_whatever_it_is_called(here):
    with pytest.raises(FileNotFoundError, match="'digits', no such file"):
        load_images(pathlib.Path("digits"))
    (here / "digits").mkdir()
    assert sources.place(pathlib.Path("digits"), NAMES).is_dir()
    assert sources.place("./digits", NAMES).is_dir()


@pytest.mark.parametrize("name", ["digits", "mnist", "glue/mrpc"])
def test_a_name_that_is_a_folder_too_is_refused(here, name):
    assert sources.place(name, NAMES) is None
    (here / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=f"both; write ./{name} for"):
        sources.place(name, NAMES)
    assert sources.place(sources.Known(name), NAMES) is None


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_the_data_of_a_card_are_read_by_name(here, monkeypatch, name):
    for module in (image_data, text_data, pair_data):
        monkeypatch.setattr(
            module, "_from_tensorflow_datasets", lambda *found: found
        )
    monkeypatch.setattr(image_data, "_digits", lambda split: ("digits", split))
    for label in ("cat", "dog"):
        (here / name / label).mkdir(parents=True)
    for load in (load_images, load_texts, load_pairs):
        assert load(sources.Known(name), "test") == (name, "test")


def test_another_string_is_a_place_if_there_is_one(here):
    (here / "flowers" / "more").mkdir(parents=True)
    for text in ("flowers", "flowers/", "flowers/more", str(here / "flowers")):
        assert sources.place(text, NAMES).is_dir()
    assert sources.place("glue/sst2", NAMES) is None
    assert sources.place("unknown", NAMES) is None


@pytest.mark.parametrize("load", [load_images, load_texts, load_pairs])
@pytest.mark.parametrize(
    "text",
    [
        "my photos",
        "./photos",
        "photso/train",
        "/no/where",
        "x.csv",
        "~/no-x",
        "glue/x.tsv",
    ],
)
def test_a_mistyped_place_says_that_nothing_is_there(load, text):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load(text)


def test_only_names_that_are_really_near_are_told():
    assert sources.near("digts", NAMES) == "; near: ['digits']"
    assert sources.near("flowers", NAMES) == ""


@pytest.mark.parametrize("source", [None, 3])
def test_what_is_neither_is_refused(source):
    with pytest.raises(ValueError, match="a name, a path, or examples"):
        load_images(source)


def test_a_place_is_told_from_the_home_folder(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    assert sources.shown(pathlib.Path("a/b")) == "~/a/b"
    assert sources.shown(pathlib.Path("/etc")) == "/etc"
