"""Census-income (KDD) for tensorflow-datasets, from upstream's test file."""

import gzip

import numpy as np
import tensorflow_datasets as tfds

from zoo.data import examples

# In upstream's order. `None` is left out: how many people a row stands for.
# Recodes are numbers that name categories.
FILE = {
    "age": float,
    "class_of_worker": str,
    "industry_recode": str,
    "occupation_recode": str,
    "education": str,
    "wage_per_hour": float,
    "enrolled_last_week": str,
    "marital_status": None,
    "industry": str,
    "occupation": str,
    "race": str,
    "hispanic_origin": str,
    "sex": str,
    "union_member": str,
    "reason_for_unemployment": str,
    "employment_status": str,
    "capital_gains": float,
    "capital_losses": float,
    "dividends": float,
    "tax_filer_status": str,
    "previous_region": str,
    "previous_state": str,
    "household_and_family_status": str,
    "household_summary": str,
    "instance_weight": None,
    "migration_msa": str,
    "migration_region": str,
    "migration_within_region": str,
    "same_house_a_year_ago": str,
    "previous_residence_in_sunbelt": str,
    "persons_worked_for_employer": float,
    "family_members_under_18": str,
    "fathers_country_of_birth": str,
    "mothers_country_of_birth": str,
    "country_of_birth": str,
    "citizenship": str,
    "self_employed": str,
    "veterans_questionnaire": str,
    "veterans_benefits": str,
    "weeks_worked": float,
    "year": str,
    "income": None,
}
COLUMNS = {
    **{name: kind for name, kind in FILE.items() if kind is not None},
    "income": str,
    "never_married": str,
}
# The first pair of tasks of Ma et al. (2018).
TARGETS = ("income", "never_married")
INCOMES = {"- 50000.": "up to 50,000", "50000+.": "over 50,000"}


class CensusIncomeKDD(tfds.core.GeneratorBasedBuilder):
    """Who earns over 50,000 dollars, and who never married? 1994 and 1995.

    Marital status has become the second answer, never married or not, and is no
    column any more.
    """

    name = "census_income_kdd"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The rows of upstream's test file."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Get census-income.test.gz from "
        "https://archive.ics.uci.edu/dataset/117/census+income+kdd and put it "
        "into a folder `census_income_kdd` in the manual folder, which is "
        "`downloads/manual` in that of the data sets."
    )

    def _info(self):
        kinds = {str: tfds.features.Text(), float: np.float32}
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "People of the United States' population surveys of 1994 and "
                "1995: work, schooling, family, origin and income."
            ),
            features=tfds.features.FeaturesDict(
                {name: kinds[kind] for name, kind in COLUMNS.items()}
            ),
            homepage=(
                "https://archive.ics.uci.edu/dataset/117/census+income+kdd"
            ),
            citation=(
                "Census-Income (KDD) (2000), UCI Machine Learning Repository, "
                "https://doi.org/10.24432/C5N30T"
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir / self.name
        path = examples.upstream_file(self, folder, "census-income.test.gz")
        return {"test": self._generate_examples(path)}

    def _generate_examples(self, path):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for place, line in enumerate(lines):
                cells = [cell.strip() for cell in line.split(",")]
                where = f"{path}, line {place + 1}: {line[:50]!r}"
                if len(cells) != len(FILE):
                    raise ValueError(
                        f"Each line must hold {len(FILE)} columns. Received: "
                        f"{len(cells)} in {where}"
                    )
                row = dict(zip(FILE, cells))
                try:
                    found = {
                        name: kind(row[name])
                        for name, kind in FILE.items()
                        if kind is not None
                    }
                    found["income"] = INCOMES[row["income"]]
                except (ValueError, KeyError) as error:
                    raise ValueError(
                        "Each column must hold what upstream says. "
                        f"Received: {error} in {where}"
                    ) from error
                single = row["marital_status"] == "Never married"
                found["never_married"] = "yes" if single else "no"
                yield place, found


BUILDER = CensusIncomeKDD
