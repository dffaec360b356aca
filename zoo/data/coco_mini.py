"""COCO-MINI for tensorflow-datasets: a few photographs with captions."""

import json

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import examples

PARTS = {"train": "train2017", "validation": "val2017"}


class CocoMini(tfds.core.GeneratorBasedBuilder):
    """Photographs of everyday scenes, five captions each.

    Read from the layout of COCO 2017, of which they are a hundred. The
    pictures stand in upstream's order; white space around a caption is taken
    off.
    """

    name = "coco_mini"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Upstream's photographs and captions."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get COCO-MINI from https://github.com/Obmutescence/COCO-MINI and put "
        "the folders train2017, val2017 and annotations (with "
        "captions_train2017.json and captions_val2017.json) into a folder "
        "`coco_mini` in the manual folder, which is `downloads/manual` in that "
        "of the data sets."
    )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "A hundred photographs of COCO 2017 with their captions: "
                "enough to try whether all works, too few to learn from."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "image/filename": tfds.features.Text(),
                    "image/id": np.int64,
                    "captions": tfds.features.Sequence(
                        {"text": tfds.features.Text(), "id": np.int64}
                    ),
                }
            ),
            homepage="https://github.com/Obmutescence/COCO-MINI",
            citation=(
                "Chen et al. (2015): Microsoft COCO Captions: Data Collection "
                "and Evaluation Server, https://arxiv.org/abs/1504.00325"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "coco_mini"
        return {
            part: self._generate_examples(
                folder / name,
                examples.upstream_file(
                    self, folder / "annotations", f"captions_{name}.json"
                ),
            )
            for part, name in PARTS.items()
        }

    def _generate_examples(self, folder, path):
        found = json.loads(examples.read_file(path))
        captions = {image["id"]: [] for image in found["images"]}
        for each in found["annotations"]:
            if each["image_id"] not in captions:
                raise ValueError(
                    "Each caption must be of an image that is listed. "
                    f"Received: image_id={each['image_id']} of the caption "
                    f"{each['id']} in {path}"
                )
            text = each["caption"].strip()
            if text:
                captions[each["image_id"]].append((text, each["id"]))
        for place, image in enumerate(found["images"]):
            name = image["file_name"]
            said = captions[image["id"]]
            yield (
                place,
                {
                    "image": examples.upstream_file(self, folder, name),
                    "image/filename": name,
                    "image/id": image["id"],
                    "captions": [{"text": t, "id": n} for t, n in said],
                },
            )
