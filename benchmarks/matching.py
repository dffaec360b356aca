"""What does attention between two texts bring? WikiQA and SICK, seeds.

    python benchmarks/matching.py

WikiQA: the recipe of `abcnn3_wikiqa` for BCNN and ABCNN-1, -2 and -3, with and
without the features of overlap; two of them with word vectors learned from the
task alone; and rows that learn no network: ranking by the overlap weighted by
IDF, and a logistic regression on all four features. SICK: the recipe of
`mwan_sick` with all four ways and with each alone. But for that, all rows of a
data set share budget, vocabulary, word vectors and seeds. The tables are
printed, and every figure kept in `benchmarks/matching.json`; called again after
a kill, it goes on where it was, unless the recipe is another.
"""

import copy
import json
import pathlib
import re
import statistics

import keras
import numpy as np
import typer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo import catalogue, measuring, metrics, recipes
from zoo.atomic import replacing
from zoo.sentence_matching.mwan import WAYS
from zoo.sentence_matching.overlap_features import OverlapFeatures

FIGURES = pathlib.Path(__file__).with_suffix(".json")
VARIANTS = ("bcnn", 1, 2, 3)

# The strictest of what learns nothing: where words tie, the order of the file
# helps, since what answers tends to stand first in its document.
BAR = "IDF overlap, of equals the first in the file"


def networks():
    """Row -> recipe."""
    rows = {}
    for features in ("", " and features"):
        for variant in VARIANTS:
            name = "BCNN" if variant == "bcnn" else f"ABCNN-{variant}"
            recipe = copy.deepcopy(recipes.find("abcnn3_wikiqa"))
            recipe["builder_args"].update(
                variant=variant, overlap_features=bool(features)
            )
            rows[name + features] = recipe
    for name in ("BCNN", "ABCNN-3"):
        recipe = copy.deepcopy(rows[name])
        recipe["builder_args"]["train_embedding"] = True
        recipe["vectors"] = None
        rows[f"{name}, own vectors"] = recipe
    for ways in (WAYS, *([way] for way in WAYS)):
        recipe = copy.deepcopy(recipes.find("mwan_sick"))
        recipe["builder_args"]["ways"] = list(ways)
        rows[f"MwAN, {' '.join(ways)}"] = recipe
    return rows


def main(
    seeds: int = 3,
    rows: list[str] | None = None,
    runs: pathlib.Path = pathlib.Path("runs/matching"),
    figures: pathlib.Path = FIGURES,
):
    """Fills the tables, and prints them."""
    learned = {}
    for seed in range(seeds):
        for name, recipe in networks().items():
            if rows and name not in rows:
                continue
            if str(seed) in kept_of(name, recipe, read(figures))["seeds"]:
                continue
            told = recipe["data"], recipe["vectors"] is None
            if told not in learned:
                learned[told] = learned_by(recipe)
            figure = run(recipe, seed, learned[told], runs / name / str(seed))
            keep(name, recipe, seed, figure, figures)
            print(f"{name}, seed {seed}: {figure['metrics']}", flush=True)
            keras.backend.clear_session()
    if not rows:
        known = read(figures)
        known["without a network"] = without_a_network()
        write(known, figures)
    print(tables(read(figures)))


def learned_by(recipe):
    kind = catalogue.task_class(recipe["task"])
    return kind.learn(kind.read(recipe["data"], "train"), recipe)


def run(recipe, seed, both, folder):
    recipe = copy.deepcopy(recipe)
    recipe["training"]["seed"] = seed
    task = recipes.follow(recipe, both, folder=folder, verbose=0)
    card = task.card
    figure = {
        "metrics": {
            metric: found["value"] for metric, found in card["metrics"].items()
        },
        "seconds": statistics.median(
            epoch["seconds"] for epoch in card["recipe"]["log"]
        ),
        "parameters": sum(
            int(np.prod(weight.shape))
            for weight in task.model.trainable_weights
        ),
    }
    if "map" in figure["metrics"]:
        test = measuring.own_test(task)
        ids = task.input.tokens(test.pairs)
        outputs, _ = task.graph().predict_on_batch(ids)
        scores = outputs["probabilities"][:, 1]
        figure["average_precisions"] = average_precisions(test, scores)
    return figure


def without_a_network():
    """The rows of WikiQA that rank by the features alone."""
    recipe = recipes.find("abcnn3_wikiqa")
    kind = catalogue.task_class(recipe["task"])
    task = kind.untrained(recipe, *learned_by(recipe))
    (layer,) = [x for x in task.model.layers if isinstance(x, OverlapFeatures)]
    train, test = (kind.read("wikiqa", part) for part in ("train", "test"))

    def features(data):
        ids = task.input.tokens(data.pairs)
        return keras.ops.convert_to_numpy(
            layer(ids["left_ids"], ids["right_ids"])
        )

    learner = make_pipeline(StandardScaler(), LogisticRegression())
    learner.fit(features(train), train.labels)
    rarity = features(test)[:, 1]
    # Nothing but the order of the file parts what is tied.
    in_order = rarity - 1e-6 * np.arange(len(test)) / len(test)
    rows = {
        "the order of the file": -np.arange(len(test)),
        "IDF overlap, of equals the wrong one first": rarity,
        BAR: in_order,
        "logistic regression on the features": learner.decision_function(
            features(test)
        ),
    }
    return {
        name: {
            "map": metrics.mean_average_precision(
                test.labels, scores, test.groups
            ),
            "mrr": metrics.mean_reciprocal_rank(
                test.labels, scores, test.groups
            ),
            "average_precisions": average_precisions(test, scores),
        }
        for name, scores in rows.items()
    }


def average_precisions(data, scores):
    """Of each question that has a right candidate, in the order of the data."""
    groups = data.groups
    return [
        round(
            metrics.mean_average_precision(
                data.labels[here], scores[here], groups[here]
            ),
            6,
        )
        for here in (groups == group for group in range(groups.max() + 1))
        if data.labels[here].any()
    ]


def read(figures):
    return json.loads(figures.read_text()) if figures.exists() else {}


def write(known, figures):
    with replacing(figures) as part:
        part.write_text(json.dumps(known, indent=1) + "\n")


def kept_of(name, recipe, known):
    """What is known of a row, nothing if by another recipe."""
    recipe = {**recipe, "training": {**recipe["training"], "seed": None}}
    found = known.get(name, {})
    if found.get("recipe") != recipe:
        return {"recipe": recipe, "seeds": {}}
    return found


def keep(name, recipe, seed, figure, figures):
    known = read(figures)  # another process may have written since
    kept = known[name] = kept_of(name, recipe, known)
    kept["seeds"][str(seed)] = figure
    write(known, figures)


def tables(known):
    lines = [
        "| ranking of WikiQA | MAP: mean of seeds | std | MRR | std "
        "| ΔMAP vs. IDF-overlap baseline (95 % CI) "
        "| ΔMAP vs. BCNN (95 % CI) | parameters | s/epoch |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    alone = known.get("without a network", {})
    ranks = {name: runs_of(known, name) for name in known}
    bar = [alone[BAR]["average_precisions"]] if alone else None
    for name, row in alone.items():
        gain = interval([row["average_precisions"]], bar)
        lines.append(
            f"| {name} | {row['map']:.4f} | | {row['mrr']:.4f} | | {gain} "
            "| | | |"
        )
    for name, runs in ranks.items():
        if runs:
            found = known[name]["seeds"].values()
            plain = re.sub("ABCNN-.", "BCNN", name)
            lines.append(
                f"| {name} | {mean_and_std(found, 'map')} "
                f"| {mean_and_std(found, 'mrr')} | {interval(runs, bar)} "
                f"| {interval(runs, ranks.get(plain))} | {cost(found)} |"
            )
    lines += [
        "",
        "| ways of MwAN, SICK | accuracy: mean of seeds | std | parameters "
        "| s/epoch |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in known.items():
        if "seeds" in row and row["recipe"]["data"] == "sick":
            found = row["seeds"].values()
            lines.append(
                f"| {name.removeprefix('MwAN, ')} "
                f"| {mean_and_std(found, 'accuracy')} | {cost(found)} |"
            )
    return "\n".join(lines)


def runs_of(known, name):
    """The average precisions of each seed of a ranking; else nothing."""
    seeds = known[name].get("seeds", {}).values()
    return [
        one["average_precisions"]
        for one in seeds
        if "average_precisions" in one
    ]


def interval(runs, others, draws=10_000):
    """Bootstrap over questions, of the one mean over seeds less the other."""
    if not others or runs == others:
        return ""
    gains = np.mean(runs, axis=0) - np.mean(others, axis=0)
    drawn = np.random.default_rng(0).integers(
        len(gains), size=(draws, len(gains))
    )
    low, high = np.percentile(gains[drawn].mean(axis=1), [2.5, 97.5])
    return f"{low:+.3f} to {high:+.3f}"


def mean_and_std(found, metric):
    values = [one["metrics"][metric] for one in found]
    spread = statistics.stdev(values) if len(values) > 1 else 0
    return f"{statistics.mean(values):.4f} | {spread:.4f}"


def cost(found):
    found = list(found)
    seconds = statistics.median(one["seconds"] for one in found)
    return f"{found[0]['parameters']:,} | {seconds:.1f}"


if __name__ == "__main__":
    typer.run(main)
