"""MSRP for tensorflow-datasets, from the files that upstream hands out."""

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import examples

FILES = {
    "train": "msr_paraphrase_train.txt",
    "test": "msr_paraphrase_test.txt",
}
COLUMNS = {
    "Quality": {"0": "not_equivalent", "1": "equivalent"}.__getitem__,
    "#1 ID": int,
    "#2 ID": int,
    "#1 String": str,
    "#2 String": str,
}


class MSRP(tfds.core.GeneratorBasedBuilder):
    """Pairs of sentences from the news: do they say the same?

    The pairs of GLUE's MRPC, with the labels of the test part. The examples
    stand in upstream's order.
    """

    name = "msrp"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Upstream's pairs as they are."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the Microsoft Research Paraphrase Corpus from "
        "https://www.microsoft.com/en-us/download/details.aspx?id=52398 and "
        "put msr_paraphrase_train.txt and msr_paraphrase_test.txt into a "
        "folder `msrp` in the manual folder, which is `downloads/manual` in "
        "that of the data sets."
    )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Sentences from reports of the same event, in pairs, and "
                "whether two people, or a third where they differed, took "
                "them to mean the same."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "id_1": np.int32,
                    "id_2": np.int32,
                    "sentence1": tfds.features.Text(),
                    "sentence2": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(
                        names=["not_equivalent", "equivalent"]
                    ),
                }
            ),
            homepage=(
                "https://www.microsoft.com/en-us/download/details.aspx?id=52398"
            ),
            citation=(
                "Dolan and Brockett (2005): Automatically Constructing a "
                "Corpus of Sentential Paraphrases, "
                "https://aclanthology.org/I05-5002/"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "msrp"
        return {
            part: self._generate_examples(
                examples.upstream_file(self, folder, file)
            )
            for part, file in FILES.items()
        }

    def _generate_examples(self, path):
        for place, row in enumerate(examples.read_columns(path, COLUMNS)):
            label, *rest = row
            yield place, dict(zip(self.info.features, (*rest, label)))
