"""How much faster is decoding as one graph than as a Python loop over words?

    python benchmarks/decoding.py
    KERAS_BACKEND=jax python benchmarks/decoding.py
    OMP_NUM_THREADS=1 KERAS_BACKEND=torch python benchmarks/decoding.py

captions pictures of `scenes` with `show_attend_tell` (soft attention, the sizes
of its preset, untrained) in two ways. The graph is the task's own, which is the
one layer `zoo.answering.Answering` around `zoo.decoding.beam_search`. The loop
is the same search as it is usually written: Python calls `encoder`,
`decoder.begin` and `decoder.step` eagerly, and NumPy chooses the words. The
logit of the end is so low that no caption ends, so both always take as many
steps as a caption may have words. That both say the same words is checked
first. They run in turn, so that a busy machine slows them alike; the speed-up
is the loop's time over the graph's, the median of the rounds.

The table is printed, and every figure kept in `benchmarks/decoding.json`, those
of the other backends too.
"""

import contextlib
import json
import pathlib
import statistics
import time

import keras
import numpy as np
import typer
from keras import ops

from zoo.atomic import replacing
from zoo.captioning.recipes import RECIPES
from zoo.captioning.task import Captioning
from zoo.data.captions import load_captions
from zoo.data.said_words import END, START, UNKNOWN

FIGURES = pathlib.Path(__file__).with_suffix(".json")
RECIPE = RECIPES["sat_soft_scenes"]
BATCHES, BEAMS = (1, 32), (1, 4)
NEVER = -1e9  # the logit of the end


def main(rounds: int = 31, figures: pathlib.Path = FIGURES):
    """Measures on the backend at hand and prints the table of all."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    data = load_captions("scenes", "test")
    measured = []
    for beams in BEAMS:
        task = untrained(data, beams)
        for batch in BATCHES:
            found = compared(task, data.images[:batch], rounds)
            measured.append({"batch": batch, "beams": beams, **found})
            print(measured[-1], flush=True)
    known[keras.backend.backend()] = {
        "rounds": rounds,
        "steps": task.output.said.length,
        "vocabulary": task.output.said.vocabulary_size,
        "versions": {"keras": keras.__version__},
        "measured": measured,
    }
    with replacing(figures) as path:
        path.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    print(table(known))


def untrained(data, beams):
    """The captioner of the preset, which never ends a caption."""
    keras.utils.set_random_seed(0)
    recipe = {**RECIPE, "words": {"beams": beams}}
    task = Captioning.untrained(recipe, *Captioning.learn(data, recipe))
    logits = task.model.get_layer("decoder").logits
    bias = ops.convert_to_numpy(logits.bias).copy()
    bias[END] = NEVER
    logits.bias.assign(bias)
    return task


def compared(task, images, rounds):
    """Seconds of both ways and their ratio, medians of rounds."""
    arrays = task.input.arrays(images)
    graph, beams = task.graph(), task.output.beams
    length = task.output.said.length

    def compiled():
        return graph.predict_on_batch(arrays)[0]["token_ids"]

    def looped():
        return in_a_loop(task.model, arrays["image"], length, beams)

    ids = compiled()
    assert (ids != END).all(), "a caption has ended"
    np.testing.assert_array_equal(ids, looped())
    times = []
    for _ in range(rounds + 2):
        pair = []
        for call in (compiled, looped):
            start = time.perf_counter()
            call()
            pair.append(time.perf_counter() - start)
        times.append(pair)
    times = times[2:]
    return {
        "ratio": statistics.median(loop / graph for graph, loop in times),
        "graph_s": statistics.median(graph for graph, _ in times),
        "loop_s": statistics.median(loop for _, loop in times),
    }


def in_a_loop(network, images, length, beams):
    """The words of the best captions, int `(B, length)`, chosen by NumPy."""
    encoder, decoder = map(network.get_layer, ("encoder", "decoder"))
    batch = len(images)
    with without_gradients():
        memory = encoder(ops.convert_to_tensor(images), training=False)
        state = decoder.begin(memory)
        last = np.full(batch, START, "int32")
        ids, scores = np.empty((batch, 0), "int32"), np.zeros((batch, 1))
        for index in range(length):
            logits, state, _ = decoder.step(
                ops.convert_to_tensor(last), index, state, memory
            )
            logits = ops.convert_to_numpy(logits).astype("float64")
            top = logits.max(axis=-1, keepdims=True)
            spread = np.exp(logits - top).sum(axis=-1, keepdims=True)
            logs = logits - top - np.log(spread)
            logs[:, [START, UNKNOWN]] = -np.inf
            before, tokens = scores.shape[1], logs.shape[1]
            total = scores[:, :, None] + logs.reshape(batch, before, tokens)
            total = total.reshape(batch, -1)
            if beams == 1:
                last = total.argmax(axis=-1).astype("int32")
                scores = total.max(axis=-1, keepdims=True)
            else:
                best = np.argsort(-total, axis=-1)[:, :beams]
                scores = np.take_along_axis(total, best, axis=-1)
                last = (best % tokens).reshape(-1).astype("int32")
                parents = best // tokens + before * np.arange(batch)[:, None]
                parents = ops.convert_to_tensor(parents.reshape(-1))
                state = keras.tree.map_structure(
                    lambda x, rows=parents: ops.take(x, rows, axis=0), state
                )
                ids = ids[ops.convert_to_numpy(parents)]
                if before < beams:
                    memory = ops.repeat(memory, beams, axis=0)
            ids = np.concatenate([ids, last[:, None]], axis=1)
    return ids[::beams]


def without_gradients():
    """PyTorch notes what gradients would need, unless it is told not to."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


def table(known):
    rows = [
        "| backend | batch | beams | captions/s, graph | captions/s, loop "
        "| speed-up |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for backend, kept in known.items():
        for found in kept["measured"]:
            batch, beams = found["batch"], found["beams"]
            rates = [batch / found[f"{way}_s"] for way in ("graph", "loop")]
            rows.append(
                f"| {backend} | {batch} | {beams} | {rates[0]:,.0f} "
                f"| {rates[1]:,.0f} | {found['ratio']:.1f} |"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    typer.run(main)
