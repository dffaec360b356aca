"""Adult for tensorflow-datasets, from a cleaned copy of upstream's file."""

import csv
import io

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import examples

# As the first line of the file names them, and what they hold.
COLUMNS = {
    "age": float,
    "type_employer": str,
    "education": str,
    "education_num": float,
    "marital": str,
    "occupation": str,
    "relationship": str,
    "race": str,
    "sex": str,
    "capital_gain": float,
    "capital_loss": float,
    "hr_per_week": float,
    "country": str,
    "income": str,
}
# Two that depend on much the same, one of them with seven classes.
TARGETS = ("income", "marital")


class Adult(tfds.core.GeneratorBasedBuilder):
    """Who earns more than 50,000 dollars a year? The census of 1994.

    The column `fnlwgt`, how many people a row stands for, is left out: it says
    nothing of the person.
    """

    name = "adult"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The rows without a missing value."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get Adult from https://archive.ics.uci.edu/dataset/2/adult, write its "
        "training rows without a missing value to adult.data.csv, whose first "
        f"line names the columns ({', '.join(COLUMNS)}), and put it into a "
        "folder `adult` in the manual folder, which is `downloads/manual` in "
        "that of the data sets."
    )

    def _info(self):
        kinds = {str: tfds.features.Text(), float: np.float32}
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "People of the United States' census of 1994: work, schooling, "
                "family, and whether they earn more than 50,000 dollars."
            ),
            features=tfds.features.FeaturesDict(
                {name: kinds[kind] for name, kind in COLUMNS.items()}
            ),
            homepage="https://archive.ics.uci.edu/dataset/2/adult",
            citation=(
                "Becker and Kohavi (1996): Adult, UCI Machine Learning "
                "Repository, https://doi.org/10.24432/C5XW20"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / "adult"
        path = examples.upstream_file(self, folder, "adult.data.csv")
        return {"train": self._generate_examples(path)}

    def _generate_examples(self, path):
        text = examples.read_file(path)
        for place, row in enumerate(csv.DictReader(io.StringIO(text))):
            try:
                # What `csv` says of a line of another length.
                if None in row or None in row.values():
                    raise ValueError("a line of another length")
                yield (
                    place,
                    {name: kind(row[name]) for name, kind in COLUMNS.items()},
                )
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    "Each line must hold the columns of upstream's file. "
                    f"Received: {error} in {path}, line {place + 2}"
                ) from error


BUILDER = Adult
