"""Does a gate for each task help, and what should it depend on?

    python benchmarks/multi_task.py rates
    python benchmarks/multi_task.py correlation
    python benchmarks/multi_task.py census

`correlation`: the synthetic tasks of Ma et al. (2018, section 3.2): two numbers
that depend on directions with a cosine of 1.0, 0.9 and 0.5. Shared bottom, one
gate for both tasks (OMoE), a gate for each (MMoE), and a gate that scores the
experts' outputs against a learned context vector; all with about 14,800
parameters, on 10,000 rows of 100 numbers. Each seed is a world of its own, in
which all four are trained, so differences are paired. `rates` finds each
network's learning rate first, on worlds that are used for nothing else.

`census`: both tasks of Census-income (KDD), the area under the ROC curve on the
test part, by the recipe of `mmoe_census`, beside scikit-learn's boosted trees
and logistic regression on the same columns, one for each task. Needs the data.

Each prints its table and keeps every figure in `benchmarks/multi_task.json`;
called again after a kill, it goes on where it was.
"""

import json
import pathlib
import statistics

import keras
import numpy as np
import typer
from scipy import stats

from zoo import recipes, saving
from zoo.atomic import replacing
from zoo.data.correlated_tasks import correlated_tasks
from zoo.multi_task.mmoe import mmoe
from zoo.multi_task.shared_bottom import shared_bottom

FIGURES = pathlib.Path(__file__).with_suffix(".json")
ROWS, TEST_ROWS, FEATURES = 10_000, 5_000, 100
EPOCHS, BATCH = 60, 250
RATES = (1e-3, 3e-3, 1e-2)
CORRELATIONS = (1.0, 0.9, 0.5)
FIRST_WORLD_OF_RATES = 1000

# About as many parameters each.
NETWORKS = {
    "shared bottom": lambda: shared_bottom(FEATURES, [], [1, 1], units=126),
    "one gate": lambda: mmoe(FEATURES, [], [1, 1], units=17, gate="shared"),
    "MMoE": lambda: mmoe(FEATURES, [], [1, 1], units=16, gate="input"),
    "context gate": lambda: mmoe(
        FEATURES, [], [1, 1], units=18, gate="context"
    ),
}

app = typer.Typer()


@app.command()
def rates(figures: pathlib.Path = FIGURES):
    """Test loss by learning rate, on two worlds of the hardest tasks."""
    known = opened(figures)
    runs = known.setdefault("rates", {})
    for world in range(2):
        for name in NETWORKS:
            for rate in RATES:
                key = f"{name}, {rate}, {world}"
                if key not in runs:
                    seed = FIRST_WORLD_OF_RATES + world
                    runs[key] = trained(name, 0.5, seed, rate)["loss"]
                    write(figures, known)
                    print(key, runs[key], flush=True)
    print("| network | " + " | ".join(f"{rate:g}" for rate in RATES) + " |")
    for name in NETWORKS:
        row = [
            statistics.mean(runs[f"{name}, {rate}, {w}"] for w in range(2))
            for rate in RATES
        ]
        print(f"| {name} | " + " | ".join(f"{x:.4f}" for x in row) + " |")


@app.command()
def correlation(seeds: int = 20, figures: pathlib.Path = FIGURES):
    """Test loss by correlation and network, and paired differences."""
    known = opened(figures)
    best = {
        name: min(
            RATES,
            key=lambda rate: sum(
                known["rates"][f"{name}, {rate}, {world}"] for world in range(2)
            ),
        )
        for name in NETWORKS
    }
    runs = known.setdefault("correlation", {})
    for seed in range(seeds):
        for p in CORRELATIONS:
            for name, rate in best.items():
                key = f"{name}, {p}, {seed}"
                if key not in runs:
                    runs[key] = trained(name, p, seed, rate)
                    write(figures, known)
            print(f"world {seed}, correlation {p}", flush=True)
    known["best_rates"] = best
    write(figures, known)
    print(table(known, seeds))


def trained(name, p, seed, rate):
    """Trains one network in one world; its test loss and parameters."""
    train = arrays(correlated_tasks(ROWS, p, seed, draw=0))
    test = arrays(correlated_tasks(TEST_ROWS, p, seed, draw=1))
    scale = {k: (y.mean(), y.std()) for k, y in train[1].items()}
    train, test = (
        (x, {k: (y - scale[k][0]) / scale[k][1] for k, y in targets.items()})
        for x, targets in (train, test)
    )
    keras.utils.set_random_seed(seed)
    model = NETWORKS[name]()
    steps = EPOCHS * -(-ROWS // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        {name: "mse" for name in model.output},
        steps_per_execution=20,
        jit_compile=True,
    )
    model.fit(*train, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    said = model.predict(test[0], batch_size=1000, verbose=0)
    losses = [float(np.mean((said[k] - y) ** 2)) for k, y in test[1].items()]
    found = {"loss": statistics.mean(losses), "losses": losses}
    found["parameters"] = model.count_params()
    keras.backend.clear_session()
    return found


def arrays(data):
    numbers = [data.columns[f"x_{n}"] for n in range(1, FEATURES + 1)]
    targets = {
        f"logits_{n}": data.columns[f"task_{n}"].astype("float32")[:, None]
        for n in (1, 2)
    }
    return {"numbers": np.stack(numbers, axis=1).astype("float32")}, targets


def table(known, seeds):
    runs = known["correlation"]

    def losses(name, p):
        return np.array(
            [runs[f"{name}, {p}, {s}"]["loss"] for s in range(seeds)]
        )

    lines = [
        "| correlation | " + " | ".join(NETWORKS) + " |",
        "| --- | " + "--- | " * len(NETWORKS),
    ]
    for p in CORRELATIONS:
        cells = [interval(losses(name, p)) for name in NETWORKS]
        lines.append(f"| {p} | " + " | ".join(cells) + " |")
    pairs = [
        ("shared bottom", "MMoE"),
        ("one gate", "MMoE"),
        ("MMoE", "context gate"),
    ]
    heads = [f"{one} - {two}" for one, two in pairs]
    lines += ["", "| correlation | " + " | ".join(heads) + " |"]
    lines.append("| --- | " + "--- | " * len(pairs))
    for p in CORRELATIONS:
        cells = [interval(losses(a, p) - losses(b, p)) for a, b in pairs]
        lines.append(f"| {p} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def interval(values):
    """The mean and its 95 % confidence interval, by Student's t."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return f"{np.mean(values):.4f} ± {half:.4f}"


@app.command()
def census(seeds: int = 5, figures: pathlib.Path = FIGURES):
    """Areas under the ROC curve on Census-income (KDD)."""
    known = opened(figures)
    runs = known.setdefault("census", {})
    recipe = recipes.find("mmoe_census")
    shared = {
        key: value
        for key, value in recipe["builder_args"].items()
        if key in ("tower_units", "embedding_dim", "dropout")
    }
    builders = {
        "shared bottom": ("shared_bottom", {**shared, "units": 128}),
        "one gate": ("mmoe", {**recipe["builder_args"], "gate": "shared"}),
        "MMoE": ("mmoe", {**recipe["builder_args"], "gate": "input"}),
        "context gate": ("mmoe", {**recipe["builder_args"], "gate": "context"}),
    }
    for seed in range(seeds):
        for name, (builder, arguments) in builders.items():
            key = f"{name}, {seed}"
            if key not in runs:
                task = recipes.follow(
                    {
                        **recipe,
                        "builder": builder,
                        "builder_args": arguments,
                        "training": {**recipe["training"], "seed": seed},
                    },
                    verbose=0,
                )
                runs[key] = {
                    metric: found["value"]
                    for metric, found in task.card["metrics"].items()
                } | {"parameters": task.model.count_params()}
                write(figures, known)
                print(key, runs[key], flush=True)
                keras.backend.clear_session()
    if "census_plain" not in known:
        known["census_plain"] = without_a_network()
        write(figures, known)
    print("| model | income | never married |\n| --- | --- | --- |")
    for name in builders:
        cells = [
            interval(
                np.array([runs[f"{name}, {s}"][metric] for s in range(seeds)])
            )
            for metric in ("income_auc", "never_married_auc")
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name, found in known["census_plain"].items():
        print(f"| {name} | " + " | ".join(f"{x:.4f}" for x in found) + " |")


def without_a_network():
    """Boosted trees and logistic regression, one for each task."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    from zoo.data.tables import load_tables
    from zoo.inputs.table_row import TableRow

    train, test = (
        load_tables("census_income_kdd", x) for x in ("train", "test")
    )
    row = TableRow.learn(train, {})
    sizes = row.sizes()["category_sizes"]

    def features(data):
        found = row.arrays(data.columns)
        one_hot = [
            np.eye(size, dtype="float32")[found["categories"][:, place]]
            for place, size in enumerate(sizes)
        ]
        together = found["numbers"], found["categories"]
        return np.concatenate(together, axis=1), np.concatenate(
            [found["numbers"], *one_hot], axis=1
        )

    (tree_train, flat_train), (tree_test, flat_test) = map(
        features, (train, test)
    )
    found = {"boosted trees": [], "logistic regression": []}
    for target in train.targets:
        labels, answers = train.columns[target], test.columns[target]
        for name, model, x, x_test in (
            (
                "boosted trees",
                HistGradientBoostingClassifier(random_state=0),
                tree_train,
                tree_test,
            ),
            (
                "logistic regression",
                LogisticRegression(max_iter=300),
                flat_train,
                flat_test,
            ),
        ):
            model.fit(x, labels)
            shares = model.predict_proba(x_test)[:, 1]
            score = roc_auc_score(answers == model.classes_[1], shares)
            found[name].append(float(score))
    return found


def opened(figures):
    known = json.loads(figures.read_text()) if figures.exists() else {}
    known["versions"] = saving.versions()
    return known


def write(figures, known):
    with replacing(figures) as path:
        path.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    app()
