"""The smallest table: a number and two words, and what they tell."""

import keras
import numpy as np

from zoo.data.tables import TableData
from zoo.multi_task import mmoe, shared_bottom
from zoo.multi_task.task import MultiTask

MODULES = {"mmoe": mmoe, "shared_bottom": shared_bottom}
JOBS, TOWNS = ["baker", "clerk", "miner"], ["Bern", "Graz, east"]
TARGETS = ["pay", "house", "hours"]


def tiny_table(count=48, seed=0):
    """Pay follows age and job, house the town, hours the age; some unknown."""
    generator = np.random.default_rng(seed)
    age = generator.integers(18, 80, count).astype("float64")
    job = generator.choice(JOBS, count).astype("object")
    town = generator.choice(TOWNS, count).astype("object")
    columns = {
        "age": age.copy(),
        "job": job.copy(),
        "town": town,
        "height": generator.normal(170, 10, count),
        "pay": np.where((age > 45) & (job != "miner"), "high", "low"),
        "house": np.where(town == "Bern", "no", "yes"),
        "hours": age / 2 + generator.normal(size=count),
    }
    for name in ("pay", "house"):
        columns[name] = columns[name].astype("object")
    columns["age"][3::11], columns["job"][::7] = np.nan, ""
    return TableData(columns, list(TARGETS), "tiny")


def tiny_recipe(builder="mmoe", **builder_args):
    arguments = {**MODULES[builder].PRESETS["tiny"], **builder_args}
    return {"builder": builder, "builder_args": arguments}


def tiny_multi(builder="mmoe", dtype=None, **builder_args):
    """A seeded, untrained task."""
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(builder, **builder_args)
    learned = MultiTask.learn(tiny_table(), recipe)
    task = MultiTask.untrained(recipe, *learned, dtype)
    task.card["data"] = {"name": "tiny"}
    return task


def rows_of(data):
    """The rows of a table, as a user would write them."""
    rows = zip(*(values.tolist() for values in data.columns.values()))
    return [dict(zip(data.columns, row)) for row in rows]
