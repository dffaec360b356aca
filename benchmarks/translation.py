"""Who translates best, and who looks where the words stand?

    TFDS_DATA_DIR=... python benchmarks/translation.py
    python benchmarks/translation.py --only "dates, RNNsearch" --seeds 3

*Dates* in many spellings become ISO 8601, with data made by rule; of each
letter of an answer it is known from which part of the spelling it comes, so
that the alignment can be measured: of the pieces that come from somewhere, the
share whose heaviest place is there (the right pieces before it being told).

*Multi30k* (de-en): BLEU and chrF on test_2016_flickr, by sacrebleu, with the
interval of a bootstrap over the texts, and BLEU of short texts and of longer
ones. Every network has about as many parameters, 2.2 to 2.6 million, and the
same data, pieces and epochs; nothing was chosen on the test part.

*Depth*: a Transformer of 12 blocks that normalises behind its sums reads dates,
with transparent attention and without: the norm of the loss's gradient by the
weights of the encoder's first block over that of its last, before the training
and at its end, and what is reached.

The tables are printed, and every figure kept in `benchmarks/translation.json`;
called again after a kill, it goes on where it was.
"""

import copy
import functools
import pathlib
import time

import keras
import typer
from seeds import follow, mean_and_spread, of_name

from zoo import from_scratch, recipes, saving
from zoo.data.examples import at
from zoo.scores import interval
from zoo.translation import pervasive_translator, transformer_translator
from zoo.translation.luong_translator import PRESETS as LUONG
from zoo.translation.task import Translation
from zoo.translation_metrics import bleu_by_length

FIGURES = pathlib.Path(__file__).with_suffix(".json")
PRESETS = {"dates": "rnn_search_dates", "multi30k": "rnn_search_multi30k"}
# Small batches, for many steps in few epochs.
BUDGET = {
    "dates": {"epochs": 8, "batch_size": 64},
    "multi30k": {"epochs": 4, "batch_size": 64},
}
EDGES = (10, 15, 20)  # words

# Network, and what its arguments are beside those of its size.
NETWORKS = {
    "no attention": ("rnn_search", {"attention": False}),
    "RNNsearch": ("rnn_search", {}),
    "Luong, dot": ("luong_translator", {"score": "dot"}),
    "Luong, general": ("luong_translator", {"score": "general"}),
    "Luong, concat": ("luong_translator", {"score": "concat"}),
    "Luong, location": ("luong_translator", {"score": "location"}),
    "Luong, local-p": ("luong_translator", {"attention": "local_p"}),
    "Luong, no input feeding": ("luong_translator", {"input_feeding": False}),
    "Transformer": ("transformer_translator", {"normalize_first": True}),
    "pervasive": ("pervasive_translator", {}),
}
SIZES = {
    "dates": {
        "rnn_search": recipes.RECIPES["rnn_search_dates"]["builder_args"],
        "luong_translator": LUONG["dates"],
        "transformer_translator": transformer_translator.PRESETS["dates"],
        "pervasive_translator": {
            **pervasive_translator.PRESETS["small"],
            **{"embedding_dim": 32, "num_layers": 4, "growth_rate": 16},
        },
    },
    "multi30k": {
        "rnn_search": recipes.RECIPES["rnn_search_multi30k"]["builder_args"],
        "luong_translator": LUONG["small"],
        # Wider or narrower than the presets, for as many parameters.
        "transformer_translator": {
            **transformer_translator.PRESETS["small"],
            "embedding_dim": 128,
        },
        "pervasive_translator": {
            **pervasive_translator.PRESETS["small"],
            "embedding_dim": 176,
        },
    },
}
TITLES = {"dates": "dates", "multi30k": "Multi30k"}  # of tables
DEPTH = {"depth 12": False, "depth 12, transparent": True}
RUNS = [
    *(f"{data}, {name}" for data in SIZES for name in NETWORKS),
    *DEPTH,
]


def main(only: list[str] = (), seeds: int = 1, figures: pathlib.Path = FIGURES):
    """Trains each network with each seed, and measures it."""
    setting = {name: recipe(name) for name in RUNS}
    show(follow(figures, setting, only or RUNS, seeds, run))


def recipe(name):
    """The recipe of a run."""
    if name in DEPTH:
        return deep(DEPTH[name])
    data, _, network = name.partition(", ")
    builder, changed = NETWORKS[network]
    found = copy.deepcopy(recipes.RECIPES[PRESETS[data]])
    found.pop("half", None)
    found["builder"] = builder
    found["builder_args"] = {**SIZES[data][builder], **changed}
    own = from_scratch.recipe_of("translation", builder, {})["training"]
    found["training"]["learning_rate"] = own["learning_rate"]
    found["training"].update(BUDGET[data])
    return found


def deep(transparent):
    """A deep encoder that normalises behind its sums, on dates."""
    found = copy.deepcopy(recipes.RECIPES["rnn_search_dates"])
    found["builder"] = "transformer_translator"
    found["builder_args"] = {
        **transformer_translator.PRESETS["dates"],
        **{"num_layers": 12, "decoder_layers": 2, "dropout": 0.1},
        "transparent": transparent,
    }
    found["training"].update(learning_rate=1e-3, epochs=4)
    return found


@functools.cache
def data(name):
    """The training and the test part."""
    return [Translation.read(name, split) for split in ("train", "test")]


def run(name, seed):
    """Trains a network, and measures it."""
    how = recipe(name)
    how["training"]["seed"] = seed
    keras.utils.set_random_seed(seed)
    train, test = data(how["data"])
    task = Translation.untrained(how, *Translation.learn(train, how))
    start = time.perf_counter()
    ratios = {}
    if name in DEPTH:
        ratios["gradients at first"] = gradients(task, train, how)
    log = task.follow(train, how, verbose=0)
    found = {"seconds": time.perf_counter() - start}
    if name in DEPTH:
        ratios["gradients at last"] = gradients(task, train, how)
    outputs, test = task.said(test)
    scores = task.measured(outputs, test)
    found |= {key: float(value) for key, value in scores.items()}
    ends, _ = interval(scores["bleu"])
    said = [task.output.said.text(ids) for ids in outputs["token_ids"]]
    groups = bleu_by_length(said, test.translations, test.texts, EDGES)
    return {
        **found,
        **ratios,
        "bleu_interval": ends,
        "bleu_by_length": [[*ends, float(x)] for *ends, x in groups],
        "training loss": log[-1]["loss"],
        "parameters": task.model.count_params(),
        "versions": saving.versions(),
    }


def gradients(task, train, how, count=256):
    """The gradient's norm in the first block of an encoder over the last's."""
    import tensorflow as tf

    some = task.output.select(train.take(range(count)))
    places, told = task.output.told(some)
    words, _ = task.output.teach(some)
    inputs = {**task.input.reader(some)(places, 0, 0), **at(told, places)}
    blocks = [
        layer
        for layer in task.model.get_layer("encoder").layers
        if layer.name.startswith("reading_")
    ]
    ends = [blocks[0], blocks[-1]]
    with tf.GradientTape() as tape:
        loss = task.output.loss()(words, task.model(inputs))
    found = tape.gradient(
        loss, [[v.value for v in x.trainable_variables] for x in ends]
    )
    first, last = (float(tf.linalg.global_norm(each)) for each in found)
    return first / last


def show(runs):
    """Prints a table for each kind of data, and one of depth."""
    for kind in SIZES:
        columns = {"bleu": "BLEU", "chrf": "chrF"}
        if kind == "dates":
            columns = {"exact": "right", "alignment": "alignment"}
        titles = " | ".join([TITLES[kind], *columns.values(), "parameters"])
        print(f"\n| {titles} |")
        print("| --- |" + " --- |" * (len(columns) + 1))
        for network in NETWORKS:
            if found := of_name(runs, f"{kind}, {network}"):
                cells = [
                    mean_and_spread([x[key] for x in found if key in x])
                    for key in columns
                ]
                size = f"{found[0]['parameters']:,}"
                print(f"| {network} | {' | '.join([*cells, size])} |")
    lengths = [*_lengths(runs), "all, 95 % CI"]
    print(f"\n| BLEU by words of the text | {' | '.join(lengths)} |")
    print("| --- |" + " --- |" * len(lengths))
    for network in NETWORKS:
        for found in of_name(runs, f"multi30k, {network}")[:1]:
            cells = [f"{x[-1]:.1f}" for x in found["bleu_by_length"]]
            low, high = found["bleu_interval"]
            cells.append(f"{found['bleu']:.1f} ({low:.1f} to {high:.1f})")
            print(f"| {network} | {' | '.join(cells)} |")
    print("\n| encoder | right | gradients before | at the end |")
    print("| --- | --- | --- | --- |")
    for name in DEPTH:
        if found := of_name(runs, name):
            keys = "exact", "gradients at first", "gradients at last"
            cells = [mean_and_spread([x[key] for x in found]) for key in keys]
            print(f"| {name} | {' | '.join(cells)} |")


def _lengths(runs):
    for network in NETWORKS:
        for found in of_name(runs, f"multi30k, {network}")[:1]:
            return [
                f"from {least}" if below is None else f"{least} to {below - 1}"
                for least, below, _ in found["bleu_by_length"]
            ]
    return []


if __name__ == "__main__":
    typer.run(main)
