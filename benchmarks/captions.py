"""Does it pay to look, and at what, when a scene is described or asked about?

    python benchmarks/captions.py
    python benchmarks/captions.py --only soft --only "no attention"

Every network is trained by the recipe of its preset, on scenes made by rule
(`zoo.data.scenes`), and beside it the same network with one thing changed. All
are measured on the test part, as `zoo evaluate` does. What the presets' recipes
say was in part chosen on it too: the 64 units of Show, Attend and Tell, the
weight of the hard form's score function, and the rates of the networks that
answer. What is changed was not.

*Captions*: Show, Attend and Tell with soft and with hard attention, and without
(the mean of all places at every word); the soft form with the doubly stochastic
regulariser, of weight 1; the hard form without the moving baseline. Up-Down
with attention, and without. Right: the caption word for word. Pointing: of the
words about an object, the share at which the heaviest place lies on it.

*Answers*: bottom-up and top-down attention, and the mean of all places, on
questions of five kinds; the stacked latent attention and the plain stack, of
one, two and four looks, on questions that take two hops. They learn for half as
many epochs as the presets. Pointing: at the last look.

The tables are printed, and every figure kept in `benchmarks/captions.json`;
called again after a kill, it goes on where it was.
"""

import copy
import functools
import pathlib
import time

import keras
import typer
from seeds import follow, mean_and_spread, of_name

from zoo import recipes, saving
from zoo.captioning import show_attend_tell
from zoo.captioning.task import Captioning
from zoo.visual_question_answering.task import VisualQuestionAnswering

FIGURES = pathlib.Path(__file__).with_suffix(".json")
EPOCHS_OF_ANSWERS = 4  # half of the presets'
TASKS = {"captions": Captioning, "answers": VisualQuestionAnswering}

# What is trained: the preset by whose recipe, and what is changed.
CAPTIONS = {
    "soft": ("sat_soft_scenes", {}),
    "soft, regulariser of weight 1": (
        "sat_soft_scenes",
        {"stochastic_weight": 1.0},
    ),
    "hard": ("sat_hard_scenes", {}),
    "hard, without the baseline": ("sat_hard_scenes", {}),
    "no attention": ("sat_soft_scenes", {"attention": "none"}),
    "Up-Down": ("up_down_scenes", {}),
    "Up-Down, no attention": ("up_down_scenes", {"attention": False}),
}
ANSWERS = {
    "top-down": ("butd_vqa_scenes", {}),
    "mean of all places": ("butd_vqa_scenes", {"attention": False}),
    **{
        f"{stack} stack, depth {depth}": (
            "sla_vqa_scenes",
            {"stack": stack, "num_layers": depth},
        )
        for depth in (1, 2, 4)
        for stack in ("latent", "plain")
    },
}
RUNS = {
    **{name: ("captions", *each) for name, each in CAPTIONS.items()},
    **{name: ("answers", *each) for name, each in ANSWERS.items()},
}

COLUMNS = {
    "captions": {
        "exact": "right",
        "bleu_4": "BLEU-4",
        "cider": "CIDEr-D",
        "pointing": "pointing",
    },
    "answers": {"accuracy": "accuracy", "pointing": "pointing"},
}


def main(
    only: list[str] = (),
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Trains each network with each seed, and measures it."""
    setting = {name: recipe(name) for name in RUNS}
    show(follow(figures, setting, only or RUNS, seeds, run))


def recipe(name):
    """The recipe of a run."""
    kind, preset, changed = RUNS[name]
    found = copy.deepcopy(recipes.RECIPES[preset])
    found["builder_args"].update(changed)
    if kind == "answers":
        found["training"]["epochs"] = EPOCHS_OF_ANSWERS
    return found


@functools.cache
def data(kind, name):
    """The training and the test part."""
    return [TASKS[kind].read(name, split) for split in ("train", "test")]


def run(name, seed):
    """Trains a network, and measures it."""
    kind, how = RUNS[name][0], recipe(name)
    how["training"]["seed"] = seed
    keras.utils.set_random_seed(seed)
    train, test = data(kind, how["data"])
    task = TASKS[kind].untrained(how, *TASKS[kind].learn(train, how))
    if name == "hard, without the baseline":
        without_baseline(task.model, how["builder_args"]["score_weight"])
    start = time.perf_counter()
    log = task.follow(train, how, verbose=0)
    return {
        **task.evaluate(test),
        "training loss": log[-1]["loss"],
        "seconds": time.perf_counter() - start,
        "versions": saving.versions(),
    }


def without_baseline(model, score_weight):
    """Makes hard attention learn from the bare reward."""

    def own_loss(words, logits, more):
        return show_attend_tell.hard_loss(
            words, logits, **more, score_weight=score_weight
        )

    vars(model)["own_loss"] = own_loss


def show(runs):
    """Prints a table for each kind: mean and spread over the seeds."""
    for kind, columns in COLUMNS.items():
        print(f"\n| {kind} | {' | '.join(columns.values())} |")
        print("| --- |" + " --- |" * len(columns))
        for name in RUNS:
            found = of_name(runs, name)
            if RUNS[name][0] != kind or not found:
                continue
            cells = [
                mean_and_spread([each[key] for each in found if key in each])
                for key in columns
            ]
            print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    typer.run(main)
