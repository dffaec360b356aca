"""What benchmarks share that train with several seeds: figures that are kept.

A figure is kept as soon as it is there, so that a script that is called again
after a kill goes on where it was.
"""

import json
import statistics

import keras

from zoo.atomic import replacing


def follow(figures, setting, names, seeds, run):
    """Runs all of some names with each seed, but for what is kept already.

    Args:
        figures: `pathlib.Path` of a JSON file. Figures of another setting in it
            are given up.
        setting: JSON value, what the figures depend on.
        names: Strings, what is run.
        seeds: Integer. How many seeds, from 0 on.
        run: Function of a name and a seed, that gives a dict of figures, or
            `None` where there is none of that seed.

    Returns:
        Dict from `"name, seed"` to the figures, of all that are kept.
    """
    setting = json.loads(json.dumps(setting))
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "runs": {}}
    for seed in range(seeds):
        for name in names:
            key = f"{name}, {seed}"
            if key in known["runs"] or (found := run(name, seed)) is None:
                continue
            print(f"{key}: {found}", flush=True)
            known["runs"][key] = found
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    return known["runs"]


def of_name(runs, name):
    """The figures of a name, of every seed."""
    return [x for key, x in runs.items() if key.rpartition(", ")[0] == name]


def mean_and_spread(values):
    """Mean ± standard deviation over the seeds."""
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"
