"""Does attention pool better than the average? Three networks, IMDB, seeds.

    python benchmarks/pooling.py

trains each network for texts and its twin that averages by the recipes of their
presets, with three seeds, and measures on the whole test set. The twins share
budget, seed, tokeniser and everything below the pooling; for the hierarchical
network both poolings are replaced. The difference is taken seed by seed. The
table is printed, and every figure kept in `benchmarks/pooling.json`; called
again after a kill, it goes on where it was, unless the recipe is another. The
models stay in `--runs`.
"""

import json
import pathlib
import statistics

import keras
import typer

import zoo
from zoo import recipes
from zoo.atomic import replacing

TWINS = {
    "han_imdb": "han_average_imdb",
    "transformer_imdb": "transformer_average_imdb",
    "recurrent_imdb": "recurrent_average_imdb",
}
NAMES = [name for twins in TWINS.items() for name in twins]
FIGURES = pathlib.Path(__file__).with_suffix(".json")


def main(
    seeds: int = 3,
    names: list[str] | None = None,
    runs: pathlib.Path = pathlib.Path("runs/pooling"),
    figures: pathlib.Path = FIGURES,
):
    """Fills the table, and prints it."""
    for seed in range(seeds):
        for name in names or NAMES:
            if str(seed) in kept_of(name, read(figures))["accuracy"]:
                continue
            made = zoo.train(
                name,
                runs / "models" / str(seed),
                runs / "checkpoints" / str(seed),
                seed=seed,
            )
            card = made.card
            known = read(figures)  # another process may have written since
            kept = known[name] = kept_of(name, known)
            kept["accuracy"][str(seed)] = card["metrics"]["accuracy"]["value"]
            kept["parameters"] = card["parameters"]["trainable"]
            kept["versions"] = card["versions"]
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            print(f"{name}, seed {seed}: {kept['accuracy'][str(seed)]:.4f}")
            keras.backend.clear_session()
    print(table(read(figures)))


def read(figures):
    return json.loads(figures.read_text()) if figures.exists() else {}


def kept_of(name, known):
    """What is known of a network, nothing if by another recipe."""
    recipe = {**recipes.find(name)}
    # The seed is given here.
    recipe["training"] = {**recipe["training"], "seed": None}
    found = known.get(name, {})
    if found.get("recipe") != recipe:
        return {"recipe": recipe, "accuracy": {}}
    return found


def table(known):
    rows = [
        "| network | parameters | accuracy: mean of seeds | std "
        "| gain over average pooling | std |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, twin in TWINS.items():
        if not {name, twin} <= set(known):
            continue
        theirs = known[twin]["accuracy"]
        gains = [
            accuracy - theirs[seed]
            for seed, accuracy in known[name]["accuracy"].items()
            if seed in theirs
        ]
        rows.append(row(name, known[name], mean_and_std(gains, "+.4f")))
        rows.append(row(twin, known[twin], " | "))
    return "\n".join(rows)


def row(name, found, gain):
    accuracy = mean_and_std(found["accuracy"].values(), ".4f")
    return f"| `{name}` | {found['parameters']:,} | {accuracy} | {gain} |"


def mean_and_std(values, form):
    values = list(values)
    spread = statistics.stdev(values) if len(values) > 1 else 0
    return f"{statistics.mean(values):{form}} | {spread:.4f}"


if __name__ == "__main__":
    typer.run(main)
