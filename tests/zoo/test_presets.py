"""Presets: found in their order, fetched, checked, written whole."""

import functools
import http.server
import json
import threading

import pytest

import zoo
from tests.zoo.tiny import LABELS, tiny_data, tiny_task
from zoo import presets
from zoo.image_classification.task import ImageClassification


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A folder of two presets with its manifest."""
    folder = tmp_path_factory.mktemp("shelf")
    for name, attention in (("se_tiny", "se"), ("cbam_tiny", "cbam")):
        task = tiny_task(attention)
        task.card["metrics"] = {}
        task.save(folder / name)
    presets.write_manifest(folder)
    return folder


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No checkout, an empty cache, no URL."""
    monkeypatch.setattr(presets, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KERAS_ATTENTION_ZOO_URL", raising=False)
    return tmp_path


@pytest.fixture
def server(shelf, alone, monkeypatch):
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=shelf)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{web.server_address[1]}"
        monkeypatch.setenv("KERAS_ATTENTION_ZOO_URL", address)
        yield asked
        web.shutdown()
        thread.join()


def test_fetches_from_a_url_once(server, alone):
    assert zoo.list_models() == ["cbam_tiny", "se_tiny"]
    task = zoo.load("se_tiny")
    assert task.predict(tiny_data(1).images[0])["label"] in LABELS
    fetched = [path for path in server if path.startswith("/se_tiny/")]
    names = {"card.json", "model.keras", "labels.json", "golden.npz"}
    assert {path.rsplit("/", 1)[1] for path in fetched} == names
    assert len(fetched) == 4
    zoo.load("se_tiny")
    assert len([p for p in server if p.startswith("/se_tiny/")]) == 4
    assert {p.name for p in (alone / "cache/se_tiny").iterdir()} == names


def test_an_altered_download_leaves_nothing(server, shelf, alone, monkeypatch):
    whole = presets._download

    def cut(address):
        answer = whole(address)
        return answer[:-1] if address.endswith("model.keras") else answer

    monkeypatch.setattr(presets, "_download", cut)
    with pytest.raises(zoo.PresetError, match="SHA-256"):
        zoo.load("se_tiny")
    assert not list((alone / "cache").glob("*"))
    assert not list((alone / "cache").glob(".*"))


def test_a_url_that_does_not_answer_is_named(alone, monkeypatch):
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_URL", "http://127.0.0.1:9/no")
    with pytest.raises(zoo.PresetError, match="127.0.0.1:9/no/manifest.json"):
        zoo.load("se_tiny")


def test_the_checkout_goes_before_the_cache(shelf, alone, monkeypatch):
    monkeypatch.setattr(presets, "CHECKOUT", shelf)
    cached = tiny_task("se")
    cached.save(presets.cache() / "se_tiny")
    assert presets.find("se_tiny") == shelf / "se_tiny"
    cached.save(presets.cache() / "mine")
    assert presets.find("mine") == presets.cache() / "mine"


def test_lists_by_task_and_by_name(shelf, alone, monkeypatch):
    monkeypatch.setattr(presets, "CHECKOUT", shelf)
    assert zoo.list_models(filter="se") == ["se_tiny"]
    assert zoo.list_models(filter="*_tiny") == ["cbam_tiny", "se_tiny"]
    assert zoo.list_models(task="image_classification", filter="x") == []
    with pytest.raises(zoo.PresetError, match="task='poetry'"):
        zoo.list_models(task="poetry")


def test_an_unknown_name_lists_the_near_ones(shelf, alone, monkeypatch):
    monkeypatch.setattr(presets, "CHECKOUT", shelf)
    with pytest.raises(zoo.PresetError, match="near: .*cbam_tiny"):
        zoo.load("cbam_tinny")


@pytest.mark.parametrize("file", ["model.keras", "labels.json", "golden.npz"])
@pytest.mark.parametrize("harm", ["cut", "missing", "altered"])
def test_a_harmed_file_raises(tmp_path, file, harm):
    folder = saved_once(tmp_path)
    path = folder / file
    whole = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(whole[:-7])
    else:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(zoo.PresetError, match=file):
        zoo.load(folder)


@functools.cache
def one_save(base):
    return tiny_task("se").save(base / "saved")


def saved_once(tmp_path):
    import shutil

    source = one_save(tmp_path.parent)
    return shutil.copytree(source, tmp_path / "copy")


def test_refuses_a_card_it_cannot_read(tmp_path):
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(zoo.PresetError, match="must be readable JSON"):
        zoo.load(tmp_path)
    (tmp_path / "card.json").write_text('{"format_version": 99}')
    with pytest.raises(zoo.PresetError, match="format_version=99"):
        zoo.load(tmp_path)


def test_a_save_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    task = tiny_task("se")
    folder = task.save(tmp_path / "mine")
    before = (folder / "card.json").read_bytes()

    def full(task):
        raise OSError("disk full")

    monkeypatch.setattr(ImageClassification, "golden_inputs", full)
    with pytest.raises(OSError, match="disk full"):
        task.save(tmp_path / "mine")
    assert (folder / "card.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_model_is_written_over_nothing_but_a_model(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    task = tiny_task("se")
    for place in (tmp_path, tmp_path / "letters.txt"):
        with pytest.raises(zoo.PresetError, match="Received: .*"):
            task.save(place)
    assert (tmp_path / "letters.txt").read_text() == "dear"
    task.save(tmp_path / "new")
    task.save(tmp_path / "new")


def test_the_manifest_is_made_from_the_cards(shelf):
    manifest = json.loads((shelf / "manifest.json").read_text())
    card = zoo.card(shelf / "se_tiny")
    assert manifest["se_tiny"]["sha256"].items() >= card["sha256"].items()
    assert set(manifest) == {"se_tiny", "cbam_tiny"}
