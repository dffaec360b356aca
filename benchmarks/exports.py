"""How fast does an export answer in LiteRT, and how fast in onnxruntime?

    python benchmarks/exports.py

One input at a time: the signature `from_tensors` of the SavedModel run by
TensorFlow with its own number of threads; the LiteRT file by its interpreter,
with one thread and with two; and what tf2onnx makes of the SavedModel by
onnxruntime, with one and with two. Each has a process of its own; in a round
each answers the same arrays for a tenth of a second, one after the other, so
that a busy machine slows them alike. A figure is the median of the rounds, and
a ratio the median of the ratios in each round.

What onnxruntime owes to the layout in which it brings the channels of
convolutions into blocks is told by one more side, which goes without.

Before they are timed, all must answer as the model does. What cannot be
converted, or answers otherwise, is left out and named below the tables.

The tables are printed, and every figure kept in `benchmarks/exports.json`;
called again after a kill, it goes on where it was. For TensorFlow; beside the
extra `export` it needs `tf2onnx` and `onnxruntime`, which are in `test`.
"""

import contextlib
import importlib.metadata
import json
import multiprocessing
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import typer

from zoo.atomic import replacing

FIGURES = pathlib.Path(__file__).with_suffix(".json")
PRESETS = (
    "resnet20_cifar10",
    "cbam_resnet20_cifar10",
    "stn_digits_rotated",
    "dcn_mnist_cluttered_60",
    "recurrent_imdb",
    "transformer_imdb",
    "han_imdb",
    "abcnn3_wikiqa",
    "mwan_sick",
    "mmoe_adult",
    "butd_vqa_scenes",
    "sat_soft_scenes",
)
CONVOLUTIONS = PRESETS[:2]  # which are run without onnxruntime's layout too
THREADS = {
    "saved_model": (None,),
    "litert": (1, 2),
    "onnxruntime": (1, 2),
    "same layout": (1,),
}
BLOCK = 0.1  # seconds that each answers in a round
PACKAGES = ("keras", "tensorflow", "ai-edge-litert", "onnxruntime", "tf2onnx")
TF2ONNX = "--signature_def from_tensors --opset 17"


def main(rounds: int = 31, figures: pathlib.Path = FIGURES):
    """Fills the tables, and prints them."""
    setting = {"rounds": rounds, "block": BLOCK}
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "presets": {}}
    for name in PRESETS:
        if name in known["presets"]:
            continue
        known["presets"][name] = measured(name, rounds)
        known["versions"] = {
            package: importlib.metadata.version(package) for package in PACKAGES
        }
        with replacing(figures) as path:
            path.write_text(json.dumps(known, indent=1) + "\n")
    print(tables({name: known["presets"][name] for name in PRESETS}))


def measured(name, rounds):
    """Seconds of each side in each round, and why others are not among them."""
    import zoo
    from zoo import export
    from zoo.export import parity

    task = zoo.load(name)
    golden = task.input.golden()
    inputs = {key: array[:1] for key, array in golden.items()}
    expected = parity._outputs(task, inputs)
    seconds, missing = {}, {}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        paths = {
            "saved_model": f"{folder}/saved_model",
            "litert": f"{folder}/model.tflite",
            "onnxruntime": f"{folder}/model.onnx",
        }
        if name in CONVOLUTIONS:
            paths["same layout"] = paths["onnxruntime"]
        written = {key: paths[key] for key in ("saved_model", "litert")}
        export.write(task, written)
        reason = to_onnx(paths["saved_model"], paths["onnxruntime"])
        if reason:
            missing["onnxruntime"] = reason
        sides = {}
        for kind, path in paths.items():
            if kind in missing:
                continue
            for threads in THREADS[kind]:
                side = kind if threads is None else f"{kind}, {threads}"
                pipe = stack.enter_context(served(kind, path, inputs, threads))
                try:
                    parity.compare(expected, pipe.recv())
                except (parity.ParityError, EOFError) as error:
                    missing[side] = str(error) or "it ended"
                else:
                    sides[side] = pipe
                    seconds[side] = []
        for number in range(rounds + 1):  # the first warms up
            for side, pipe in sides.items():
                time.sleep(BLOCK / 5)  # in which threads that spin come to rest
                pipe.send(BLOCK)
                if number:
                    seconds[side].append(pipe.recv())
                else:
                    pipe.recv()
    return {"seconds": seconds, "missing": missing}


def to_onnx(saved_model, path):
    """Writes an ONNX file; returns why not, if it cannot be."""
    command = [sys.executable, "-m", "tf2onnx.convert", *TF2ONNX.split()]
    done = subprocess.run(
        [*command, "--saved-model", saved_model, "--output", path],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return "tf2onnx: " + done.stderr.strip().splitlines()[-1]


@contextlib.contextmanager
def served(kind, path, inputs, threads):
    """A pipe to a process that answers when it is asked to."""
    new = multiprocessing.get_context("spawn")
    pipe, theirs = new.Pipe()
    process = new.Process(
        target=serve, args=(theirs, kind, path, inputs, threads)
    )
    process.start()
    theirs.close()
    try:
        yield pipe
    finally:
        pipe.close()
        process.join()


def serve(pipe, kind, path, inputs, threads):
    """Sends an answer, then the median time of one for each block asked."""
    answer = RUNTIMES[kind](path, inputs, threads)
    pipe.send(answer())
    with contextlib.suppress(EOFError):
        while True:
            block, seconds = pipe.recv(), []
            while sum(seconds) < block:
                start = time.perf_counter()
                answer()
                seconds.append(time.perf_counter() - start)
            pipe.send(statistics.median(seconds))


def of_saved_model(path, inputs, threads):
    import tensorflow as tf

    loaded = tf.saved_model.load(path)
    run = loaded.signatures["from_tensors"]
    tensors = {name: tf.constant(array) for name, array in inputs.items()}

    def answer():
        return {name: x.numpy() for name, x in run(**tensors).items()}

    answer.loaded = loaded  # which owns the weights
    return answer


def of_litert(path, inputs, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(path, num_threads=threads)
    run = interpreter.get_signature_runner("from_tensors")
    return lambda: run(**inputs)


def of_onnxruntime(path, inputs, threads, level="ORT_ENABLE_ALL"):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return lambda: dict(zip(names, session.run(None, inputs)))


def of_same_layout(path, inputs, threads):
    return of_onnxruntime(path, inputs, threads, "ORT_ENABLE_EXTENDED")


RUNTIMES = {
    "saved_model": of_saved_model,
    "litert": of_litert,
    "onnxruntime": of_onnxruntime,
    "same layout": of_same_layout,
}


def tables(presets):
    sides = ["saved_model"] + [
        f"{kind}, {threads}"
        for kind in ("litert", "onnxruntime")
        for threads in THREADS[kind]
    ]
    rows = [
        "| one input, ms | SavedModel | LiteRT, 1 thread | 2 threads "
        "| onnxruntime, 1 thread | 2 threads |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in presets.items():
        cells = [
            f"{1000 * statistics.median(seconds):.2f}" if seconds else "none"
            for seconds in map(found["seconds"].get, sides)
        ]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    rows += [
        "",
        "| ratio | LiteRT, onnxruntime = 1: 1 thread | 2 threads "
        "| LiteRT, SavedModel = 1 | 2 threads, 1 = 1: LiteRT | onnxruntime |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    pairs = [
        ("litert, 1", "onnxruntime, 1"),
        ("litert, 2", "onnxruntime, 2"),
        ("litert, 1", "saved_model"),
        ("litert, 2", "litert, 1"),
        ("onnxruntime, 2", "onnxruntime, 1"),
    ]
    for name, found in presets.items():
        cells = [ratio(found["seconds"], *pair) for pair in pairs]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    rows += [
        "",
        "| 1 thread | onnxruntime without its layout, ms | LiteRT, this = 1 |",
        "| --- | --- | --- |",
    ]
    for name in CONVOLUTIONS:
        seconds = presets[name]["seconds"]
        alone = 1000 * statistics.median(seconds["same layout, 1"])
        rows.append(
            f"| `{name}` | {alone:.2f} "
            f"| {ratio(seconds, 'litert, 1', 'same layout, 1')} |"
        )
    for name, found in presets.items():
        for side, reason in found["missing"].items():
            rows += ["", f"`{name}`, no {side}: {reason}"]
    return "\n".join(rows)


def ratio(seconds, ours, theirs):
    if not {ours, theirs} <= set(seconds):
        return "none"
    pairs = zip(seconds[ours], seconds[theirs], strict=True)
    return f"{statistics.median(a / b for a, b in pairs):.2f}"


if __name__ == "__main__":
    typer.run(main)
