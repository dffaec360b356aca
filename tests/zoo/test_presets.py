"""Presets: found in their order, fetched, checked, written whole."""

import functools
import http.server
import json
import pathlib
import shutil
import threading

import pytest

import zoo
from tests.zoo.text_classification.tiny import tiny_reader
from tests.zoo.tiny import LABELS, tiny_data, tiny_task
from zoo import folder as folders
from zoo import presets
from zoo.inputs.image import Image


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


def test_a_name_is_of_a_preset_or_of_a_folder_never_of_both(
    shelf, alone, monkeypatch
):
    monkeypatch.setattr(presets, "CHECKOUT", shelf)
    monkeypatch.chdir(alone)
    shutil.copytree(shelf / "cbam_tiny", "se_tiny")
    with pytest.raises(zoo.PresetError, match="write ./se_tiny"):
        presets.find("se_tiny")
    for place in ("./se_tiny", pathlib.Path("se_tiny")):
        assert presets.find(place) == pathlib.Path("se_tiny")
    assert presets.find("cbam_tiny") == shelf / "cbam_tiny"
    # A path is never a preset's name.
    for place in ("./cbam_tiny", pathlib.Path("cbam_tiny"), "cbam_tiny/"):
        with pytest.raises(zoo.PresetError, match="which has none"):
            presets.find(place)
    with pytest.raises(zoo.PresetError, match="Received: name=None"):
        presets.find(None)
    monkeypatch.chdir(shelf)  # both are one and the same
    assert presets.find("se_tiny").samefile(shelf / "se_tiny")


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

    def full(self):
        raise OSError("disk full")

    monkeypatch.setattr(Image, "golden", full)
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


# Others in the cache, and at the URL.


def test_an_unreadable_preset_in_the_cache_harms_no_other(shelf, alone):
    shutil.copytree(shelf, presets.cache())
    for name, text in (("newer", '{"format_version": 2}'), ("bad", "[[[")):
        (presets.cache() / name).mkdir()
        (presets.cache() / name / "card.json").write_text(text)
    with pytest.warns(UserWarning, match="unreadable") as warned:
        assert zoo.list_models() == ["cbam_tiny", "se_tiny"]
    told = " ".join(str(warning.message) for warning in warned)
    assert "newer/card.json" in told and "bad/card.json" in told
    assert zoo.load("se_tiny").name == "image_classification"
    with pytest.raises(zoo.PresetError, match="`format_version`.*newer"):
        zoo.load("newer")


@pytest.mark.parametrize("harm", ["model.keras", "card.json"])
def test_a_half_fetched_preset_never_wins(server, shelf, alone, harm):
    shutil.copytree(shelf / "se_tiny", presets.cache() / "se_tiny")
    (presets.cache() / "se_tiny" / "model.keras").unlink()
    if harm == "card.json":
        (presets.cache() / "se_tiny" / "card.json").unlink()
        (presets.cache() / "se_tiny" / "labels.json").unlink()
        (presets.cache() / "se_tiny" / "golden.npz").unlink()
    zoo.load("se_tiny")
    assert [p for p in server if p.startswith("/se_tiny/")]


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "null",
        "<html>",
        "[" * 100_000,
        '{"../x": {"task": "t", "sha256": {}}}',
        '{"x": []}',
        '{"x": {"sha256": {"card.json": "0", "model.keras": "0"}}}',
        '{"x": {"task": "t", "sha256": {}}}',
        '{"x": {"task": "t", "sha256": {"card.json": "0", "model.keras": 1}}}',
        '{"x": {"task": "t", "sha256": {"card.json": "0", "model.keras": "0",'
        ' "../../x": "0"}}}',
        '{"x": {"task": "t", "sha256": {"card.json": "0", "model.keras": "0",'
        ' "run.py": "0"}}}',
    ],
)
def test_a_manifest_from_elsewhere_is_data(alone, monkeypatch, manifest):
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_URL", "http://stranger")
    monkeypatch.setattr(presets, "_download", lambda address: manifest.encode())
    for ask in (zoo.list_models, lambda: zoo.load("x")):
        with pytest.raises(zoo.PresetError, match="stranger/manifest.json"):
            ask()
    assert not list(alone.iterdir())


def test_an_endless_download_is_cut(alone, monkeypatch, server):
    monkeypatch.setitem(folders.LARGEST, ".keras", 1000)
    with pytest.raises(zoo.PresetError, match="at most 1,000 bytes"):
        zoo.load("se_tiny")
    assert not (alone / "cache").exists()


def test_a_url_of_another_form_is_told(alone, monkeypatch):
    monkeypatch.setenv("KERAS_ATTENTION_ZOO_URL", "no address")
    with pytest.raises(zoo.PresetError, match="no address/manifest.json"):
        zoo.list_models()


# Nothing of the user's is lost.


def test_what_lies_beside_a_model_stays(tmp_path):
    task = tiny_task("se")
    folder = task.save(tmp_path / "mine")
    (folder / "notes.txt").write_text("dear")
    (folder / "runs").mkdir()
    (folder / "runs" / "log").write_text("1")
    task.card["recipe"] = {"command": "again"}
    task.save(folder)
    assert (folder / "notes.txt").read_text() == "dear"
    assert (folder / "runs" / "log").read_text() == "1"
    assert zoo.card(folder)["recipe"]["command"] == "again"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("file", ["card.json", "labels.json", "golden.npz"])
@pytest.mark.parametrize("harm", ["foreign", "altered", "link"])
def test_a_file_in_the_way_is_an_error_before_the_first_byte(
    tmp_path, file, harm
):
    folder = saved_once(tmp_path)
    if harm == "foreign":
        card = json.loads((folder / "card.json").read_text())
        (folder / "vocabulary.json").write_text("[]")
        file = "vocabulary.json"
        assert file not in card["sha256"]
    elif harm == "altered":
        (folder / file).write_text('{"mine": 1}')
    else:
        (folder / file).rename(tmp_path / "elsewhere")
        (folder / file).symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path)
    task = tiny_reader() if harm == "foreign" else tiny_task("se")
    with pytest.raises(zoo.PresetError, match=file):
        presets.check_replaceable(folder, roles=task.assets)
    if harm != "foreign":  # what the old card lists, whoever writes
        with pytest.raises(zoo.PresetError, match=file):
            presets.check_replaceable(folder)
    with pytest.raises(zoo.PresetError, match=file):
        task.save(folder)
    assert contents(tmp_path) == before


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files}


def test_a_link_to_a_folder_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    task = tiny_task("se")
    for _ in range(2):
        task.save(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "card.json").is_file()


def test_a_manifest_of_somebody_else_stays(tmp_path):
    (tmp_path / "manifest.json").write_text('{"name": "my web app"}')
    with pytest.raises(zoo.PresetError, match="manifest.json"):
        presets.write_manifest(tmp_path)
    with pytest.raises(zoo.PresetError, match="manifest.json"):
        zoo.train("resnet20_cifar10", folder=tmp_path)  # before the training
    text = (tmp_path / "manifest.json").read_text()
    assert text == '{"name": "my web app"}'
