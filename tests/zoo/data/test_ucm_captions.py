"""UCM-Captions as tensorflow-datasets reads it, on pictures of our own."""

import json

import numpy as np
import pytest
from PIL import Image

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.captions import load_captions  # noqa: E402
from zoo.data.ucm_captions import UCMCaptions, phrase  # noqa: E402

CLASSES = [f"land{chr(97 + at)}" for at in range(21)]
TRIPLETS = {
    "train": {
        "101": [[["it", "is", "field"]], []],
        "2": [[["cars", "on", "road"], ["road", "in", "field"]]],
        "100": [[], []],
    },
    "val": {"2100": [[["house", "with", "roof"]]]},
    "test": {"1": [[["sea", "beside", "sand"]], [["sea", "beside", "sand"]]]},
}


def write(
    root, folder="UCMerced_LandUse_128", suffix=".jpg", triplets=TRIPLETS
):
    """Upstream's layout, each picture of a gray of its own."""
    manual = root / "downloads" / "manual" / "ucm_captions"
    for name in CLASSES:
        (manual / folder / "Images" / name).mkdir(parents=True, exist_ok=True)
    for number in (each for part in triplets.values() for each in part):
        of_class, place = divmod(int(number) - 1, 100)
        name = CLASSES[of_class]
        path = manual / folder / "Images" / name / f"{name}{place:02}{suffix}"
        Image.new("RGB", (8, 6), (int(number) % 250,) * 3).save(path)
    (manual / "triplets.json").write_text(json.dumps(triplets))
    return manual


def prepared(root):
    builder = UCMCaptions(data_dir=root)
    builder.download_and_prepare()
    return builder


def rows(builder, part):
    return list(builder.as_dataset(split=part).as_numpy_iterator())


@pytest.mark.parametrize(
    "folder, suffix",
    [("UCMerced_LandUse_128", ".jpg"), ("UCMerced_LandUse", ".tif")],
)
def test_a_number_is_a_picture_of_a_class(folder, suffix, tmp_path):
    write(tmp_path, folder, suffix)
    builder = prepared(tmp_path)
    found = rows(builder, "train")
    assert [each["image/id"] for each in found] == [2, 100, 101]
    assert [each["image/filename"].decode() for each in found] == [
        f"landa01{suffix}",
        f"landa99{suffix}",
        f"landb00{suffix}",
    ]
    for each in found:
        assert each["image"].shape == (6, 8, 3)
        np.testing.assert_allclose(
            each["image"], each["image/id"] % 250, atol=1
        )
    said = [each["captions"]["text"].tolist() for each in found]
    assert said == [[b"cars on road in field"], [], [b"it is field"]]
    assert builder.info.full_name == "ucm_captions/1.0.0"
    assert set(builder.info.splits) == {"train", "validation", "test"}
    assert rows(builder, "validation")[0]["image/id"] == 2100


def test_pictures_without_a_phrase_are_left_out_and_counted(
    tmp_path, monkeypatch
):
    write(tmp_path)
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    train, test = (load_captions("ucm_captions", x) for x in ("train", "test"))
    assert train.captions == [["cars on road in field"], ["it is field"]]
    assert train.skipped == ("landa99.jpg: no caption",)
    assert train.images.shape == (2, 6, 8, 3) and train.images.dtype == "uint8"
    np.testing.assert_allclose(train.images.mean(axis=(1, 2, 3)), [2, 101])
    # Phrases of one picture may be alike.
    assert test.captions == [["sea beside sand"] * 2]
    assert (test.split, test.version) == ("test", "1.0.0")


def test_what_is_missing_is_told_with_what_to_do(tmp_path):
    manual = write(tmp_path)
    pictures = manual / "UCMerced_LandUse_128" / "Images"
    (pictures / "landb" / "landb00.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="RemoteSensing.*no .*landb00"):
        prepared(tmp_path)
    (pictures / "landu" / "landu99.jpg").unlink()
    (pictures / "landu").rmdir()
    with pytest.raises(ValueError, match="21 folders.*Received: 20 in"):
        prepared(tmp_path)
    (manual / "UCMerced_LandUse_128").rename(manual / "else")
    with pytest.raises(FileNotFoundError, match="no .*UCMerced_LandUse"):
        prepared(tmp_path)
    (manual / "triplets.json").unlink()
    with pytest.raises(FileNotFoundError, match="no .*triplets.json"):
        prepared(tmp_path)


@pytest.mark.parametrize(
    "triplets, expected",
    [
        ([], ""),
        (["it is field"], "it is field"),
        # On from the last object.
        (["it is piece", "piece of field"], "it is piece of field"),
        # More of the same.
        (["lots of cars", "lots in rows"], "lots of cars in rows"),
        (["court with cars", "court in rows"], "court with cars and in rows"),
        # Subjects, objects, and both.
        (["sand in bay", "trees in bay"], "sand and trees in bay"),
        (["bay with sand", "bay with trees"], "bay with sand and trees"),
        (
            ["sand in bay", "trees in bay", "sand at sea", "trees at sea"],
            "sand and trees in bay and at sea",
        ),
        (
            ["sand in bay", "trees in bay", "sand in sun", "trees in sun"],
            "sand and trees in bay and sun",
        ),
        (
            ["bay with sand", "bay with trees", "sand at sea", "trees at sea"],
            "bay with sand and trees at sea",
        ),
        # Of something else.
        (
            ["sea beside sand", "road in field"],
            "sea beside sand and road in field",
        ),
        # Once is enough.
        (["sea beside sand", "sea beside sand"], "sea beside sand"),
    ],
)
def test_triplets_become_a_phrase(triplets, expected):
    assert phrase([each.split(" ") for each in triplets]) == expected


def test_a_phrase_may_have_names_of_several_words():
    assert (
        phrase([["sand beach", "next to", "green sea"]])
        == "sand beach next to green sea"
    )
