"""A preset made by hand with each trick is refused in words, and runs nothing.

A stranger can put right checksums on whatever he made, so each forgery here has
its own, unless the checksum is the trick.
"""

import hashlib
import io
import json
import os
import pathlib
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest

import zoo
from tests.zoo.tiny import tiny_data, tiny_task
from zoo import cards, weights
from zoo.image_classification.task import ImageClassification
from zoo.inputs.text import Text
from zoo.multi_task.mmoe import mmoe
from zoo.outputs.label import Label
from zoo.text_classification.task import TextClassification


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return tiny_task("se").save(tmp_path_factory.mktemp("images") / "whole")


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    recipe = {
        "builder": "recurrent_classifier",
        "builder_args": {"embedding_dim": 8, "units": 3, "attention_units": 4},
        "tokens": {"length": 6},
    }
    keras.utils.set_random_seed(0)
    task = TextClassification.untrained(
        recipe, Text(["film", "fine", "poor"], length=6), Label(["bad", "good"])
    )
    return task.save(tmp_path_factory.mktemp("texts") / "whole")


@pytest.fixture
def forge(tmp_path, monkeypatch):
    """Copies a model, alters it, puts the sums right, and tries to load it."""
    monkeypatch.chdir(tmp_path)

    def forged(source, change=None, files=()):
        folder = shutil.copytree(source, tmp_path / "forged")
        for name, data in dict(files).items():
            (folder / name).write_bytes(data)
        card = json.loads((folder / "card.json").read_text())
        for name in card["sha256"]:
            data = (folder / name).read_bytes()
            card["sha256"][name] = hashlib.sha256(data).hexdigest()
        if change is not None:
            changed = change(card)
            card = card if changed is None else changed
        data = card if isinstance(card, bytes) else json.dumps(card).encode()
        (folder / "card.json").write_bytes(data)
        before = tree(tmp_path)
        with pytest.raises(zoo.PresetError) as refused:
            zoo.load(folder)
        assert tree(tmp_path) == before
        return str(refused.value)

    return forged


def tree(folder):
    return sorted(str(path) for path in pathlib.Path(folder).rglob("*"))


def setting(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(card):
        place = card
        for key in keys:
            place = place[key]
        place[last] = value

    return change


def without(key):
    def change(card):
        del card[key]

    return change


KEYS = [
    "name",
    "task",
    "builder",
    "builder_args",
    "preprocessing",
    "parameters",
    "versions",
    "assets",
    "sha256",
]


@pytest.mark.parametrize("key", [*KEYS, "format_version"])
def test_a_card_without_a_key_names_it(forge, images, key):
    told = forge(images, without(key))
    assert f"`{key}`" in told and "card.json" in told


@pytest.mark.parametrize("value", [None, [], [1], 7, True])
@pytest.mark.parametrize("key", [*KEYS, "recipe", "data", "metrics", "dtype"])
def test_a_value_of_another_type_names_its_key(forge, images, key, value):
    told = forge(images, setting(key, value))
    assert f"`{key}`" in told and "card.json" in told


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda card: [], "must be an object"),
        (lambda card: None or b"", "readable JSON"),
        (lambda card: b"[" * 100_000, "readable JSON"),
        (
            lambda card: b'{"a":' * 30 + b"1" + b"}" * 30,
            "readable JSON",
        ),
        (
            lambda card: json.dumps(card).encode("utf-16"),
            "readable JSON",
        ),
        (lambda card: b"\xff\xfe\x00", "readable JSON"),
        (lambda card: b'{"name": 1, "name": 2}', "a key stands twice"),
        (lambda card: b'{"x": NaN}', "NaN is not finite"),
        (lambda card: b'{"x": 1e999}', "inf is not finite"),
        (lambda card: b'{"x": "\\ud800"}', "surrogates"),
        (lambda card: b" " * (2**25 + 1), "at most 33,554,432 bytes"),
        (setting("format_version", 2), "`format_version`"),
        (setting("format_version", True), "`format_version`"),
        (setting("sha256", {}), "`sha256`"),
        (setting("sha256", "model.keras", "0" * 64), "SHA-256 0000"),
        (setting("sha256", "x.json", "0" * 64), "`sha256`"),
        (setting("data", {"name": "a", "delimiter": 3}), "`data`"),
        (setting("data", {"name": "a", "encoding": ["utf-8"]}), "`data`"),
        (setting("data", {"name": "a", "columns": "text"}), "`data`"),
        (setting("data", {"name": "a", "columns": {"text": 1}}), "`data`"),
        (setting("data", {"name": "a", "columns": {"a": ""}}), "`data`"),
        (setting("metrics", {"accuracy": {"value": "1", "n": 1}}), "`metrics`"),
        (setting("metrics", {"accuracy": 0.9}), "`metrics`"),
        (setting("recipe", {"log": [{}]}), "`recipe`"),
        (setting("data", {"name": ["x"]}), "`data`"),
        (setting("dtype", "keras>Policy"), "`dtype`"),
        (setting("frozen_layers", ["nothing"]), "`frozen_layers`"),
        (setting("task", "poetry"), "`task`"),
        (setting("task", "text_classification"), "`builder`"),
        (setting("builder", "os.system"), "`builder`"),
        (setting("builder", "abcnn"), "`builder`"),
    ],
)
def test_a_card_that_is_none_is_refused(forge, images, change, told):
    assert told in forge(images, change)


@pytest.mark.parametrize(
    "assets",
    [
        {"../../x": "../../x.json"},
        {"/x": "/x.json"},
        {"labels": "/etc/passwd"},
        {"labels": "../whole/labels.json"},
        {"labels": "labels.json", "a": "/home/me/credentials.json"},
        {"labels": "labels.json", "a/b": "a/b.json"},
        {"labels": "labels.json", "..": "...json"},
        {"labels": "labels.json\n"},
        {"labels": ["labels.json"]},
    ],
)
def test_a_role_is_never_a_path(forge, images, assets):
    told = forge(images, setting("assets", assets))
    assert "`assets`" in told and "card.json" in told


def test_a_role_that_the_task_does_not_know_is_refused(forge, images):
    listed = hashlib.sha256(b'["a"]').hexdigest()

    def change(card):
        card["assets"]["vocabulary"] = "vocabulary.json"
        card["sha256"]["vocabulary.json"] = listed

    files = {"vocabulary.json": b'["a"]'}
    assert "`assets` must be those" in forge(images, change, files)


@pytest.mark.parametrize("name", ["labels.json", "model.keras", "card.json"])
def test_a_file_that_is_a_link_is_not_read(images, tmp_path, name):
    folder = shutil.copytree(images, tmp_path / "linked")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(zoo.PresetError, match=f"plain files.*{name}"):
        zoo.load(folder)


@pytest.mark.parametrize(
    "labels",
    [
        b"{}",
        b"[]",
        b'"red"',
        b'["red", "red", "blue"]',
        b'["red", 1, "blue"]',
        b"null",
    ],
)
def test_labels_are_distinct_strings(forge, images, labels):
    told = forge(images, files={"labels.json": labels})
    assert "list of distinct strings" in told and "labels.json" in told


@pytest.mark.parametrize(
    "source, name, data, told",
    [
        ("images", "labels.json", b'["red", "blue"]', "`num_classes`"),
        ("texts", "labels.json", b'["a", "b", "c"]', "`num_classes`"),
        ("texts", "vocabulary.json", b'["film"]', "`vocabulary_size`"),
        ("texts", "vocabulary.json", b'["A b", "c", "d"]', "vocabulary"),
    ],
)
def test_words_that_do_not_fit_the_network_are_refused(
    request, forge, source, name, data, told
):
    assert told in forge(request.getfixturevalue(source), None, {name: data})


@pytest.mark.parametrize(
    "key, value, told",
    [
        ("length", 7, "`length`"),
        ("length", 10**8, "`length`"),
        ("keep", "middle", "keep"),
        ("vocabulary", [], "preprocessing"),
        ("sentences", 2, "preprocessing"),
    ],
)
def test_preprocessing_must_fit_the_network(forge, texts, key, value, told):
    assert told in forge(texts, setting("preprocessing", key, value))


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("filters", [10**8], "`filters`"),
        ("filters", 10**8, "`filters`"),
        ("filters", [8] * 101, "a list of at most 100"),
        ("filters", [8, 16, 16_000], "as many numbers as its file"),
        ("filters", "wide", "must build a network"),
        ("blocks", 10**8, "`blocks`"),
        ("blocks", 200, "as many numbers as its file"),
        ("input_shape", [10**8, 16, 3], "`input_shape`"),
        ("input_shape", [16, 16, 1], "`input_shape`"),
        ("num_classes", 10**8, "`num_classes`"),
        ("attention", "none", "must build a network"),
        ("attention", {"class_name": "Lambda"}, "builder_args"),
        ("attention_args", {"ratio": {"class_name": "x"}}, "`ratio`"),
        ("attention_args", {"activation": "keras.layers>x"}, "`activation`"),
        ("attention_args", {"ratio": 10**9}, "`ratio`"),
        ("attention_args", {"unheard_of": 1}, "must build a network"),
        ("unheard_of", 1, "unheard_of"),
        ("name", "x", "name"),
    ],
)
def test_arguments_are_checked_before_anything_is_built(
    forge, images, name, value, told
):
    assert told in forge(images, setting("builder_args", name, value))


def test_a_missing_argument_is_named(forge, images):
    def change(card):
        del card["builder_args"]["input_shape"]

    assert "input_shape" in forge(images, change)


@pytest.mark.parametrize(
    "name, value",
    [("length", 10**8), ("vocabulary_size", 10**8), ("embedding_dim", 10**8)],
)
def test_sizes_of_texts_have_bounds(forge, texts, name, value):
    told = forge(texts, setting("builder_args", name, value))
    assert f"`{name}`" in told and "integer from" in told


def test_a_table_may_have_many_columns_but_not_any_number():
    good = {"num_numbers": 0, "category_sizes": [3] * 120}
    good["num_outputs"] = [2] * 120
    cards.check_arguments(mmoe, good, "card.json")
    for name, most in (("category_sizes", 10_000), ("num_outputs", 1000)):
        wrong = {**good, name: [2] * (most + 1)}
        with pytest.raises(cards.PresetError, match=f"at most {most:,}"):
            cards.check_arguments(mmoe, wrong, "card.json")


def test_a_table_that_the_file_does_not_hold_is_never_allocated(forge, texts):
    """16,384 x 5 numbers would pass; 16,384 units would take gigabytes."""
    told = forge(texts, setting("builder_args", "units", 16_384))
    assert "as many numbers as its file holds" in told


def test_counting_ends_with_the_building(forge, images):
    before = keras.layers.Layer.add_weight
    forge(images, setting("builder_args", "blocks", 200))
    assert keras.layers.Layer.add_weight is before


# The weights.


def numbers_of(folder):
    with zipfile.ZipFile(folder / "model.keras") as archive:
        return archive.read(weights.MEMBER)


def packed(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def altered(folder, change):
    """The numbers, after `change` of the HDF5 file."""
    file = io.BytesIO(numbers_of(folder))
    with h5py.File(file, "r+") as opened:
        change(opened)
    return {"model.keras": packed([(weights.MEMBER, file.getvalue())])}


KERNEL = "layers/dense/vars/0"


def replaced(make):
    def change(file):
        old = file[KERNEL][()]
        del file[KERNEL]
        make(file, old)

    return change


def renamed(file):
    names = [f"layers/conv2d_{n}/vars" for n in (1, 2)]
    first, second = (file[name].attrs["name"] for name in names)
    file[names[0]].attrs["name"] = second
    file[names[1]].attrs["name"] = first


def chunked(file, old):
    """Declared large, and not there: a bomb of zeros."""
    file.create_dataset(KERNEL, (10**6, 10**6), "float32", chunks=(100, 100))


def external(file, old):
    file.create_dataset(
        KERNEL, old.shape, "float32", external=[("/etc/passwd", 0, 192)]
    )


def virtual(file, old):
    layout = h5py.VirtualLayout(old.shape, "float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=old.shape)
    file.create_virtual_dataset(KERNEL, layout)


@pytest.mark.parametrize(
    "change, told",
    [
        (replaced(lambda f, old: None), "as many numbers"),
        (
            replaced(lambda f, old: f.create_dataset(f"{KERNEL}0", data=old)),
            "without",
        ),
        (
            replaced(lambda f, old: f.create_dataset(KERNEL, data=old.T)),
            "shapes",
        ),
        (
            replaced(
                lambda f, old: f.create_dataset(
                    KERNEL, data=old.astype("float64")
                )
            ),
            "shapes",
        ),
        (
            replaced(
                lambda f, old: f.create_dataset(KERNEL, data=old + np.nan)
            ),
            "finite",
        ),
        (
            replaced(
                lambda f, old: f.create_dataset(
                    KERNEL, data=old, compression="gzip"
                )
            ),
            "plain array",
        ),
        (replaced(chunked), "plain array"),
        (replaced(external), "plain array"),
        (replaced(virtual), "plain array"),
        (
            replaced(lambda f, old: f.create_dataset(KERNEL, data="words")),
            "plain array",
        ),
        (
            replaced(
                lambda f, old: f.__setitem__(KERNEL, h5py.SoftLink("/layers"))
            ),
            "a link",
        ),
        (
            replaced(
                lambda f, old: f.__setitem__(
                    KERNEL, h5py.ExternalLink("other.h5", "/x")
                )
            ),
            "a link",
        ),
        (
            replaced(
                lambda f, old: f.__setitem__(KERNEL, f["layers/dense/vars/1"])
            ),
            "a second link",
        ),
        (lambda f: f.__setitem__("layers/again", f["layers"]), "second link"),
        (lambda f: f.create_dataset("more", data=np.ones(3)), "more"),
        (renamed, "the layer of the same name"),
    ],
)
def test_only_arrays_of_the_network_are_read(forge, images, change, told):
    assert told in forge(images, files=altered(images, change))


@pytest.mark.parametrize(
    "make, told",
    [
        (lambda numbers: b"", "no such zip"),
        (lambda numbers: numbers, "no such zip"),
        (lambda numbers: packed([("config.json", b"{}")]), "0 members"),
        (
            lambda numbers: packed(
                [(weights.MEMBER, numbers)], zipfile.ZIP_DEFLATED
            ),
            "compressed",
        ),
        (
            lambda numbers: packed([(weights.MEMBER, numbers[:-100])]),
            "Received",
        ),
        (lambda numbers: packed([(weights.MEMBER, b"numbers")]), "Received"),
    ],
)
def test_a_file_that_keras_did_not_write_is_refused(forge, images, make, told):
    files = {"model.keras": make(numbers_of(images))}
    assert told in forge(images, files=files)


def exploit(saved_model):
    """What Keras 3.15.1 loads a SavedModel for, in its safe mode."""
    image = keras.Input((1,), name="image")
    run = keras.layers.Activation("relu", name="run")(image)
    model = keras.Model(image, [run, keras.layers.Dense(1)(image)])
    config = json.loads(model.to_json())
    (layer,) = [x for x in config["config"]["layers"] if x["name"] == "run"]
    layer["config"]["activation"] = {
        "module": "keras.layers",
        "class_name": "function",
        "config": "TFSMLayer",
        "registered_name": "function",
    }
    layer["inbound_nodes"] = [
        {"args": [], "kwargs": {"inputs": str(saved_model)}}
    ]
    return json.dumps(config)


def test_the_configuration_of_a_network_is_never_looked_at(
    images, tmp_path, monkeypatch
):
    asked = []
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        monkeypatch.setattr(tf.saved_model, "load", asked.append)
    runs = exploit(tmp_path / "saved_model")
    for number, config in enumerate([runs, "garbage", "\0"]):
        folder = shutil.copytree(images, tmp_path / str(number))
        numbers = (weights.MEMBER, numbers_of(images))
        metadata = json.dumps({"keras_version": keras.__version__})
        data = packed(
            [("config.json", config), ("metadata.json", metadata), numbers]
        )
        (folder / "model.keras").write_bytes(data)
        card = json.loads((folder / "card.json").read_text())
        card["sha256"]["model.keras"] = hashlib.sha256(data).hexdigest()
        (folder / "card.json").write_text(json.dumps(card))
        before = tree(tmp_path)
        image = tiny_data(1).images[0]
        answer = zoo.load(folder).predict(image)
        assert answer == zoo.load(images).predict(image)
        assert tree(tmp_path) == before and not asked
    # What was not done here: Keras does it, so the file is a real attack.
    if keras.backend.backend() == "tensorflow" and (
        keras.__version__ == "3.15.1"
    ):
        with pytest.raises(Exception):  # noqa: B017 our stand-in loads nothing
            keras.saving.load_model(tmp_path / "0/model.keras")
        assert asked == [str(tmp_path / "saved_model")]


def test_nothing_in_the_zoo_deserialises_a_network():
    root = pathlib.Path(zoo.__file__).parent
    for path in root.rglob("*.py"):
        text = path.read_text()
        for call in ("load_model(", "from_config(", "deserialize_keras_object"):
            assert call not in text, path
        assert "allow_pickle=True" not in text, path
        assert "import pickle" not in text, path


# What is saved can be loaded.


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "bfloat16"])
def test_the_policy_is_kept_whatever_the_global_one(tmp_path, dtype):
    folder = tiny_task("se", dtype=dtype).save(tmp_path / "mine")
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_float16")
        again = zoo.load(folder)
    finally:
        keras.config.set_dtype_policy(before)
    assert again.card["dtype"] == dtype
    names = {layer.dtype_policy.name for layer in again.model.layers}
    assert names - {"float32"} == {dtype} - {"float32"}
    assert names


def test_frozen_layers_stay_frozen(tmp_path):
    task = tiny_task("se")
    frozen = [la for la in task.model.layers if la.name.startswith("stem")]
    for layer in frozen:
        layer.trainable = False
    again = zoo.load(task.save(tmp_path / "mine"))
    found = [la.name for la in again.model.layers if not la.trainable]
    assert found == [layer.name for layer in frozen] != []


def test_a_network_of_the_users_own_is_refused_when_it_is_saved(tmp_path):
    task = tiny_task("se")
    inner = keras.layers.Dense(5, name="extra")(task.model.layers[-2].output)
    logits = keras.layers.Dense(3, name="logits")(inner)
    own = keras.Model(task.model.input, logits)
    task = ImageClassification(own, task.card, task.input, task.output)
    with pytest.raises(zoo.PresetError, match="without"):
        task.save(tmp_path / "own")
    unknown = {**task.card, "builder": "my_network"}
    task = ImageClassification(own, unknown, task.input, task.output)
    with pytest.raises(zoo.PresetError, match="A network of your own"):
        task.save(tmp_path / "own")
    assert tree(tmp_path) == []


def test_a_layer_that_only_the_program_has_is_refused(tmp_path):
    task = tiny_task("se")
    task.card["builder_args"]["attention"] = keras.layers.Activation
    with pytest.raises(zoo.PresetError, match="attention=<class"):
        task.save(tmp_path / "own")
    assert tree(tmp_path) == []


def test_a_task_never_saves_outside_its_folder(tmp_path, monkeypatch):
    task = tiny_task("se")
    for role in ("../../x", str(tmp_path / "x"), "card", "Idf"):
        assets = {role: ["a"]}
        monkeypatch.setattr(Label, "assets", lambda self, new=assets: new)
        with pytest.raises(zoo.PresetError, match="role of an asset"):
            task.save(tmp_path / "a" / "b")
    assert not [path for path in tree(tmp_path) if os.path.isfile(path)]


def test_weights_of_a_training_that_diverged_are_not_saved(tmp_path):
    task = tiny_task("se")
    kernel = task.model.layers[-1].kernel
    kernel.assign(keras.ops.full(kernel.shape, np.nan))
    with pytest.raises(zoo.PresetError, match="logits/kernel"):
        task.save(tmp_path / "mine")
    assert tree(tmp_path) == []


def test_numbers_of_numpy_become_plain_ones():
    card = {"a": np.int64(3), 4: (np.float32(0.5), float("nan"))}
    assert cards.plain(card) == {"a": 3, "4": [0.5, None]}
