"""Multi30k for tensorflow-datasets, from the files that upstream hands out."""

import tensorflow_datasets as tfds

from zoo.data import examples
from zoo.data.multi30k_names import LANGUAGES, PARTS


class Multi30k(tfds.core.GeneratorBasedBuilder):
    """Captions of photographs, translated by people: task 1 of Multi30k.

    The sentences stand in upstream's order and under upstream's names of parts.
    A part that is not in a language has empty strings there.
    """

    name = "multi30k"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Upstream's sentences, trimmed."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get https://github.com/multi30k/dataset and put its folder `data`, "
        "which holds `task1/raw`, into a folder `multi30k` in the manual "
        "folder, which is `downloads/manual` in that of the data sets."
    )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "English captions of photographs, and what translators made "
                "of them in German, French and Czech."
            ),
            features=tfds.features.Translation(LANGUAGES),
            homepage="https://github.com/multi30k/dataset",
            citation=(
                "Elliott, Frank, Sima'an and Specia (2016): Multi30K: "
                "Multilingual English-German Image Descriptions, "
                "https://aclanthology.org/W16-3210"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "multi30k" / "data" / "task1" / "raw"
        paths = {
            part: {
                language: examples.upstream_file(
                    self, folder, f"{part}.{language}.gz"
                )
                for language in languages
            }
            for part, languages in PARTS.items()
        }
        return {
            part: self._generate_examples(files)
            for part, files in paths.items()
        }

    def _generate_examples(self, files):
        sides = {
            name: examples.read_lines(path) for name, path in files.items()
        }
        if len(set(map(len, sides.values()))) > 1:
            counts = [f"{files[n]} of {len(sides[n]):,} lines" for n in sides]
            raise ValueError(
                "The files of a part must have as many lines, each the "
                f"translation of the others'. Received: {', '.join(counts)}"
            )
        for place, sentences in enumerate(zip(*sides.values())):
            row = dict.fromkeys(LANGUAGES, "")
            yield place, row | dict(zip(sides, sentences))
