"""WikiQA for tensorflow-datasets, from the files that upstream hands out."""

import tensorflow_datasets as tfds

from zoo.data import examples

FILES = {
    "train": "WikiQA-train.txt",
    "validation": "WikiQA-dev.txt",
    "test": "WikiQA-test.txt",
}
COLUMNS = {
    "question": str,
    "sentence": str,
    "label": {"0": "wrong", "1": "right"}.__getitem__,
}


class WikiQA(tfds.core.GeneratorBasedBuilder):
    """Questions, and sentences of Wikipedia that may answer them.

    The examples stand in upstream's order. Without WikiQA-dev.txt there is no
    part `validation`.
    """

    name = "wikiqa"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Upstream's pairs, tokenised as they are."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get the WikiQA corpus from https://aka.ms/WikiQA and put "
        "WikiQA-train.txt, WikiQA-test.txt and, if you have it, "
        "WikiQA-dev.txt into a folder `wikiqa` in the manual folder, which is "
        "`downloads/manual` in that of the data sets."
    )

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Questions from the log of a search engine, each with the "
                "sentences of the beginning of one article of Wikipedia, and "
                "whether a sentence answers the question. Most questions of "
                "the training part have no right sentence."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "question": tfds.features.Text(),
                    "candidate": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=["wrong", "right"]),
                }
            ),
            homepage="https://aka.ms/WikiQA",
            citation=(
                "Yang, Yih and Meek (2015): WikiQA: A Challenge Dataset for "
                "Open-Domain Question Answering, "
                "https://aclanthology.org/D15-1237/"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "wikiqa"
        return {
            part: self._generate_examples(
                examples.upstream_file(self, folder, file)
            )
            for part, file in FILES.items()
            if part != "validation" or (folder / file).exists()
        }

    def _generate_examples(self, path):
        rows = examples.read_columns(path, COLUMNS, header=False)
        for place, (question, candidate, label) in enumerate(rows):
            yield (
                place,
                {"question": question, "candidate": candidate, "label": label},
            )
