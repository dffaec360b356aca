"""COCO-MINI as tensorflow-datasets reads it, shown on pictures of our own."""

import json

import pytest
from PIL import Image

tfds = pytest.importorskip("tensorflow_datasets")

from zoo.data.captions import load_captions  # noqa: E402
from zoo.data.coco_mini import CocoMini  # noqa: E402

CAPTIONS = [
    (7, 1, "a dog "),
    (3, 2, "A cat."),
    (7, 3, "a brown dog"),
    (3, 4, " "),
]


def write(root, part, captions=CAPTIONS, numbers=(7, 3, 5)):
    manual = root / "downloads" / "manual" / "coco_mini"
    for folder in (manual / part, manual / "annotations"):
        folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.new("RGB", (6, number)).save(manual / part / f"{number}.jpg")
    found = {
        "images": [{"id": n, "file_name": f"{n}.jpg"} for n in numbers],
        "annotations": [
            {"image_id": image, "id": number, "caption": text}
            for image, number, text in captions
        ],
    }
    path = manual / "annotations" / f"captions_{part}.json"
    path.write_text(json.dumps(found))
    return manual


def prepared(root):
    builder = CocoMini(data_dir=root)
    builder.download_and_prepare()
    return builder


def test_reads_images_with_their_captions_in_upstream_order(tmp_path):
    write(tmp_path, "train2017")
    write(tmp_path, "val2017", [(4, 9, "a bird")], (4,))
    builder = prepared(tmp_path)
    assert set(builder.info.splits) == {"train", "validation"}
    assert builder.info.full_name == "coco_mini/1.0.0"
    found = list(builder.as_dataset(split="train").as_numpy_iterator())
    assert [each["image"].shape for each in found] == [
        (7, 6, 3),
        (3, 6, 3),
        (5, 6, 3),
    ]
    assert [each["captions"]["text"].tolist() for each in found] == [
        [b"a dog", b"a brown dog"],
        [b"A cat."],
        [],
    ]
    assert [each["captions"]["id"].tolist() for each in found] == [
        [1, 3],
        [2],
        [],
    ]


def test_is_known_by_its_name(tmp_path, monkeypatch):
    write(tmp_path, "train2017")
    write(tmp_path, "val2017", [(4, 9, "a bird")], (4,))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    train, test = (load_captions("coco_mini", x) for x in ("train", "test"))
    assert train.captions == [["a dog", "a brown dog"], ["A cat."]]
    assert train.skipped == ("5.jpg: no caption",)
    assert (test.captions, test.split) == ([["a bird"]], "validation")


def test_refuses_a_caption_of_no_image(tmp_path):
    write(tmp_path, "train2017", [*CAPTIONS, (8, 5, "a fish")])
    write(tmp_path, "val2017")
    with pytest.raises(ValueError, match="image_id=8 of the caption 5 in"):
        prepared(tmp_path)


def test_what_is_missing_is_told_with_what_to_do(tmp_path):
    manual = write(tmp_path, "train2017")
    with pytest.raises(
        FileNotFoundError, match="COCO-MINI.*no .*_val2017.json"
    ):
        prepared(tmp_path)
    write(tmp_path, "val2017")
    (manual / "train2017" / "3.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="no .*3.jpg"):
        prepared(tmp_path)
