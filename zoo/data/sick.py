"""SICK for tensorflow-datasets, from the files that upstream hands out."""

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import examples

FILES = {
    "train": "SICK_train.txt",
    "validation": "SICK_trial.txt",
    "test": "SICK_test_annotated.txt",
}
LABELS = ["contradiction", "entailment", "neutral"]
COLUMNS = {
    "pair_ID": int,
    "sentence_A": str,
    "sentence_B": str,
    "relatedness_score": float,
    "entailment_judgment": {name.upper(): name for name in LABELS}.__getitem__,
}


class SICK(tfds.core.GeneratorBasedBuilder):
    """Pairs of sentences: does the first entail the second?

    The examples stand in upstream's order.
    """

    name = "sick"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Upstream's pairs as they are."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get SICK as it was given to SemEval-2014, task 1, from "
        "https://alt.qcri.org/semeval2014/task1/index.php?id=data-and-tools "
        "and put SICK_train.txt, SICK_trial.txt and SICK_test_annotated.txt "
        "into a folder `sick` in the manual folder, which is "
        "`downloads/manual` in that of the data sets."
    )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Sentences made of captions of photographs and films, in "
                "pairs: how related the two are, from 1 to 5, and whether the "
                "first entails or contradicts the second."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "pair_id": np.int32,
                    "sentence_a": tfds.features.Text(),
                    "sentence_b": tfds.features.Text(),
                    "relatedness_score": np.float32,
                    "label": tfds.features.ClassLabel(names=LABELS),
                }
            ),
            homepage="https://alt.qcri.org/semeval2014/task1/",
            citation=(
                "Marelli, Menini, Baroni, Bentivogli, Bernardi and Zamparelli "
                "(2014): A SICK cure for the evaluation of compositional "
                "distributional semantic models, "
                "https://aclanthology.org/L14-1314/"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "sick"
        return {
            part: self._generate_examples(
                examples.upstream_file(self, folder, file)
            )
            for part, file in FILES.items()
        }

    def _generate_examples(self, path):
        for place, row in enumerate(examples.read_columns(path, COLUMNS)):
            yield place, dict(zip(self.info.features, row))
