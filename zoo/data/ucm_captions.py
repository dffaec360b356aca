"""UCM-Captions for tensorflow-datasets: aerial pictures and phrases of them."""

import json

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import examples, folders

PARTS = {"train": "train", "validation": "val", "test": "test"}
# The folders of pictures, of which the first that is there is read.
FOLDERS = ("UCMerced_LandUse", "UCMerced_LandUse_128")
SUFFIXES = (".jpg", ".png", ".tif")
CLASSES, OF_A_CLASS = 21, 100


class UCMCaptions(tfds.core.GeneratorBasedBuilder):
    """Pictures from the air, and phrases of what is on them.

    A phrase joins the parts of a sentence that a parser found. The pictures
    stand in the order of their numbers; some have no phrase.
    """

    name = "ucm_captions"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Upstream's triplets, joined to phrases."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the pictures of UC Merced Land Use from "
        "http://weegee.vision.ucmerced.edu/datasets/landuse.html and "
        "triplets.json of UCM-Captions from "
        "https://github.com/AleDella/RemoteSensingImageCaptioningGNNs and put "
        "the folder UCMerced_LandUse and triplets.json into a folder "
        "`ucm_captions` in the manual folder, which is `downloads/manual` in "
        "that of the data sets. The pictures may be smaller and JPEG in a "
        "folder UCMerced_LandUse_128."
    )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Pictures of land use from the air, each with up to five "
                "phrases, which people's sentences were reduced to."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "image/filename": tfds.features.Text(),
                    "image/id": np.int64,
                    "captions": tfds.features.Sequence(
                        {"text": tfds.features.Text()}
                    ),
                }
            ),
            homepage="https://github.com/AleDella/RemoteSensingImageCaptioningGNNs",
            citation=(
                "Qu, Li, Tao and Lu (2016): Deep semantic understanding of "
                "high resolution remote sensing image, CITS; Yang and Newsam "
                "(2010): Bag-Of-Visual-Words and Spatial Extensions for "
                "Land-Use Classification, ACM GIS"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "ucm_captions"
        path = examples.upstream_file(self, folder, "triplets.json")
        (pictures, *_) = [
            folder / name for name in FOLDERS if (folder / name).exists()
        ] or [examples.upstream_file(self, folder, FOLDERS[0])]
        found = json.loads(examples.read_file(path))
        return {
            part: self._generate_examples(pictures / "Images", found[name])
            for part, name in PARTS.items()
        }

    def _generate_examples(self, folder, triplets):
        classes = sorted(
            each.name for each in folder.iterdir() if folders.visible(each)
        )
        if len(classes) != CLASSES:
            raise ValueError(
                f"There must be {CLASSES} folders of pictures, since their "
                "order tells which picture has a number. "
                f"Received: {len(classes)} in {folder}"
            )
        for number in sorted(map(int, triplets)):
            of_class, place = divmod(number - 1, OF_A_CLASS)
            path = self._picture(folder, classes[of_class], place)
            phrases = [phrase(each) for each in triplets[str(number)]]
            yield (
                number,
                {
                    "image": _image(path),
                    "image/filename": path.name,
                    "image/id": number,
                    "captions": {"text": [each for each in phrases if each]},
                },
            )

    def _picture(self, folder, name, place):
        paths = [
            folder / name / f"{name}{place:02}{suffix}" for suffix in SUFFIXES
        ]
        for path in paths:
            if path.exists():
                return path
        return examples.upstream_file(self, folder / name, paths[-1].name)


def phrase(triplets):
    """Joins what a parser took apart.

    Those beside each other that differ in the subject alone, or in the object
    alone, become one: "trees and cars with roads". Then one that goes on from
    the object of the last is joined to it, "it is piece of farmland", and so is
    one about the same "lots of" something; any other begins with "and", without
    its subject where that is the last one's.

    Args:
        triplets: List of `(subject, relation, object)`, strings.

    Returns:
        String, "" of no triplet.

    Example:

    ```python
    phrase([("lots", "of", "cars"), ("lots", "in", "rows")])
    # "lots of cars in rows"
    ```
    """
    merged = []
    for subject, relation, target in triplets:
        merged = _merge(merged, ((subject,), relation, (target,)))
    # Once more: what was merged by its subjects may be by its objects.
    parts = []
    for each in merged:
        parts = _merge(parts, each)

    words, last = [], ((), "", ())
    for subjects, relation, targets in parts:
        goes_on = subjects == last[2]
        same = subjects == last[0]
        if words and not goes_on and not (same and last[1] == "of"):
            words.append("and")
        if not goes_on and not same:
            words.append(" and ".join(subjects))
        words += [relation, " and ".join(targets)]
        last = subjects, relation, targets
    return " ".join(words)


def _merge(parts, new):
    """Adds a part to others, or to the last of them."""
    if not parts:
        return [new]
    *rest, (subjects, relation, targets) = parts
    if relation == new[1] and targets == new[2]:
        return [*rest, (_union(subjects, new[0]), relation, targets)]
    if relation == new[1] and subjects == new[0]:
        return [*rest, (subjects, relation, _union(targets, new[2]))]
    return [*parts, new]


def _union(words, others):
    return tuple(dict.fromkeys((*words, *others)))


def _image(path):
    """What tensorflow-datasets stores: it knows no TIFF."""
    if path.suffix != ".tif":
        return path
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
