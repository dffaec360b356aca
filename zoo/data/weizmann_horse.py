"""Weizmann Horse for tensorflow-datasets: photographs of horses, and masks."""

import tensorflow_datasets as tfds

from zoo.data import examples, folders
from zoo.data.mask_files import image_size, read_mask, resize_mask

FOLDERS = "rgb", "figure_ground"


class WeizmannHorse(tfds.core.GeneratorBasedBuilder):
    """Photographs of horses, and which pixels are the horse.

    Upstream's masks are JPEG and smaller than the photographs, of which they
    show the same part: they are cut at 128 and brought to the photograph's size
    by the nearest pixel. All are one part, in the order of their names. Nine
    photographs are there twice, some of them in two sizes.
    """

    name = "weizmann_horse"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Upstream's photographs, masks of their size."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the Weizmann horse database, of which a copy is in "
        "https://github.com/shenshutao/image_segmentation, and put its folder "
        "`weizmann_horse_db`, which holds `rgb` and `figure_ground`, into a "
        "folder `weizmann_horse` in the manual folder, which is "
        "`downloads/manual` in that of the data sets."
    )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Photographs of horses from the side, each with a mask: 1 on "
                "the horse, otherwise 0."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "image/filename": tfds.features.Text(),
                    "segmentation_mask": tfds.features.Image(
                        shape=(None, None, 1),
                        encoding_format="png",
                        use_colormap=True,
                    ),
                }
            ),
            homepage="https://github.com/shenshutao/image_segmentation",
            citation=(
                "Borenstein and Ullman (2002): Class-Specific, Top-Down "
                "Segmentation, ECCV"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "weizmann_horse" / "weizmann_horse_db"
        pictures, masks = (
            examples.upstream_file(self, folder, name) for name in FOLDERS
        )
        return {"train": self._generate_examples(pictures, masks)}

    def _generate_examples(self, pictures, masks):
        names = [
            {
                path.name
                for path in folder.iterdir()
                if path.suffix == ".jpg" and folders.visible(path)
            }
            for folder in (pictures, masks)
        ]
        if not names[0] or names[0] != names[1]:
            odd = sorted(names[0] ^ names[1])[:5]
            raise ValueError(
                "There must be a mask of the same name for each photograph. "
                f"Received: {len(names[0])} files in {pictures}, "
                f"{len(names[1])} in {masks}, of which are in one only: {odd}"
            )
        for place, name in enumerate(sorted(names[0])):
            mask = read_mask(masks / name)
            mask = resize_mask(mask, image_size(pictures / name))
            yield (
                place,
                {
                    "image": pictures / name,
                    "image/filename": name,
                    "segmentation_mask": mask[..., None],
                },
            )
