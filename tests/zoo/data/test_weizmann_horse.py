"""Weizmann Horse as tensorflow-datasets reads it, on pictures of our own."""

import shutil

import numpy as np
import pytest
from PIL import Image

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.masks import load_masks, read_masks  # noqa: E402
from zoo.data.weizmann_horse import WeizmannHorse  # noqa: E402

HORSES = np.array([[0, 1, 0], [1, 1, 0]], "uint8")


def write(root, count=5):
    """Upstream's layout: masks are smaller, and JPEG."""
    folder = root / "downloads/manual/weizmann_horse/weizmann_horse_db"
    for name in ("rgb", "figure_ground"):
        (folder / name).mkdir(parents=True)
    for number in range(1, 1 + count):
        name = f"horse{number:03}.jpg"
        Image.new("RGB", (60 + number, 40), (30 * number,) * 3).save(
            folder / "rgb" / name
        )
        mask = np.kron(
            HORSES[:, ::-1] if number == 2 else HORSES, np.ones((8, 8))
        )
        Image.fromarray((40 + 170 * mask).astype("uint8")).save(
            folder / "figure_ground" / name, quality=75
        )
    return folder


def prepared(root):
    builder = WeizmannHorse(data_dir=root)
    builder.download_and_prepare()
    return builder


def test_masks_are_cut_at_128_and_brought_to_the_size_of_the_photograph(
    tmp_path,
):
    write(tmp_path)
    builder = prepared(tmp_path)
    assert builder.info.full_name == "weizmann_horse/1.0.0"
    assert list(builder.info.splits) == ["train"]
    found = list(builder.as_dataset(split="train").as_numpy_iterator())
    assert [each["image/filename"].decode() for each in found] == [
        f"horse{number:03}.jpg" for number in range(1, 6)
    ]
    for number, each in enumerate(found, 1):
        assert each["image"].shape == (40, 60 + number, 3)
        np.testing.assert_allclose(each["image"], 30 * number, atol=1)
        mask = each["segmentation_mask"]
        assert mask.shape == (40, 60 + number, 1) and mask.dtype == "uint8"
        wanted = HORSES[:, ::-1] if number == 2 else HORSES
        rows, columns = [10, 30], [10, 30, 50]
        np.testing.assert_array_equal(mask[rows][:, columns, 0], wanted)
        assert set(np.unique(mask)) == {0, 1}


def test_they_are_cut_in_two_the_same_way_every_time(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    train, test = (load_masks("weizmann_horse", x) for x in ("train", "test"))
    assert (len(train), len(test)) == (4, 1)
    assert train.label_names == ["background", "horse"]
    assert train.split == "80% of train (at random, seed 0)"
    assert (train.name, train.version) == ("weizmann_horse", "1.0.0")
    for mask in read_masks(train):
        assert mask.shape[0] == 40 and mask.max() == 1
    assert train.sha256() == load_masks("weizmann_horse").sha256()


def test_what_is_missing_is_told_with_what_to_do(tmp_path):
    folder = write(tmp_path)
    (folder / "figure_ground" / "horse003.jpg").unlink()
    with pytest.raises(ValueError, match="5 files.*4 in.*horse003.jpg"):
        prepared(tmp_path)
    shutil.rmtree(folder / "figure_ground")
    with pytest.raises(FileNotFoundError, match="shenshutao.*no .*figure"):
        prepared(tmp_path)


def test_without_upstream_files_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="weizmann_horse_db"):
        load_masks("weizmann_horse")
