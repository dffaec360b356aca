"""An export as a model that answers: LiteRT, without Keras or TensorFlow.

    exported.load("my_export").predict("cat.png")["label"]

What takes seconds elsewhere, importing TensorFlow, building the network and
tracing it, is not done: in a shell the answer is there in under a second.
"""

import json
import pathlib

import numpy as np

from zoo import catalogue, folder
from zoo.atomic import listed_by, sha256
from zoo.cards import PresetError, parse, shown
from zoo.data.examples import at
from zoo.inputs.safe_names import safe_names

MANIFEST = "export.json"  # the SHA-256 of each file that an export wrote
MODEL = "model.tflite"
FILE = "task.json"  # what reads the input and writes the answer
FORMAT_VERSION = 1


def described(task):
    """What `load` must know of a task beside the file of its format.

    Args:
        task: A `zoo.task.Task`.

    Returns:
        String, the text of `task.json`.
    """
    names, _ = task.graph().output
    return (
        json.dumps(
            {
                "format_version": FORMAT_VERSION,
                "name": task.card.get("name"),
                "task": task.name,
                "preprocessing": task.input.settings(),
                "postprocessing": task.output.settings(),
                "assets": task.assets,
                # What the files of an export call each of its tensors.
                "outputs": safe_names({name: name for name in names}),
            },
            indent=1,
        )
        + "\n"
    )


def load(path, threads=1):
    """A model that answers from the folder of an export.

    Args:
        path: Path. The folder that `Task.export` or `zoo export` wrote, with
            the format `"litert"`.
        threads: Positive integer. `zoo export` says how many suit the model.

    Returns:
        `ExportedTask`.

    Raises:
        ValueError: If `threads` is no positive integer.
        PresetError: If it is no such folder, or a file of it is missing,
            altered, or not what it must be.
        ImportError: If LiteRT is not installed.
    """
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ValueError(
            "`threads` must be a positive integer, how many answer. "
            f"Received: threads={threads!r}"
        )
    path = pathlib.Path(path)
    if not is_export(path):
        raise PresetError(
            "The runtime litert answers from the folder of an export, which "
            "`zoo export NAME --out FOLDER` writes. Received: "
            f"{path}, " + ("no folder" if not path.is_dir() else "no export")
        )
    digests = listed_by(path / MANIFEST)
    for file in (FILE, MODEL):
        if file not in digests:
            raise PresetError(
                f"The export must have the file {file}, which one in the "
                "format litert has; of an earlier version of this package, "
                f"export it again. Received: {path} with {sorted(digests)}"
            )
    found = parse(folder.read_file(path / FILE, digests[FILE]), path / FILE)
    input, output = _input_and_output(found, path / FILE)
    model = path / MODEL
    if not model.is_file() or sha256(model) != digests[MODEL]:
        raise PresetError(
            "The files of an export must be those that it wrote. "
            f"Received: {model}, missing or altered"
        )
    return ExportedTask(
        *(found["task"], input, output, model, found["outputs"], threads)
    )


def is_export(path):
    """Whether a path is the folder of an export."""
    return (path / MANIFEST).is_file()


def _input_and_output(found, path):
    version = found.get("format_version") if isinstance(found, dict) else None
    if version != FORMAT_VERSION:
        raise PresetError(
            f"`format_version` must be {FORMAT_VERSION}; a newer one needs a "
            f"newer keras-attention-zoo. Received: {version!r} in {path}"
        )
    outputs = found.get("outputs")
    if not isinstance(outputs, dict) or not all(
        isinstance(name, str) for name in outputs.values()
    ):
        raise PresetError(
            "`outputs` must say what each tensor is called. "
            f"Received: {shown(outputs)} in {path}"
        )
    try:
        entry = catalogue.TASKS[found["task"]]
        return [
            kind.from_card(
                found[settings],
                {role: found["assets"][role] for role in kind.roles},
            )
            for kind, settings in (
                (catalogue.named(entry["input"]), "preprocessing"),
                (catalogue.named(entry["output"]), "postprocessing"),
            )
        ]
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise PresetError(
            "The task, its settings and its assets must be those of an "
            "export, and fit each other. "
            f"Received: {path}: {type(error).__name__}: {error}"
        ) from error


class ExportedTask:
    """A model that answers as `zoo.task.Task` does, by LiteRT.

    It predicts and no more: a LiteRT file has no attention maps, and nothing
    in it learns.

    Args:
        name: String, a key of `zoo.catalogue.TASKS`.
        input: An input, as those of `zoo.inputs`.
        output: An output, as those of `zoo.outputs`.
        model: Path of the LiteRT file.
        outputs: Dict from the file's names of tensors to the output's.
        threads: Positive integer.
    """

    def __init__(self, name, input, output, model, outputs, threads):
        self.name = name
        self.input = input
        self.output = output
        self.outputs = outputs
        self.run = _runner(model, threads)
        if set(outputs) != set(self.run.get_output_details()):
            raise PresetError(
                "The file must have the tensors that `outputs` names. "
                f"Received: {sorted(self.run.get_output_details())}, "
                f"outputs={shown(sorted(outputs))} in {model}"
            )
        details = self.run.get_input_details().values()
        self.most = min(shape_of(each)[0] for each in details)  # -1: any

    def predict(self, raw, batch_size=32):
        """Answers.

        Args:
            raw: As in `zoo.task.Task.predict`.
            batch_size: Positive integer. How many are computed at once, where
                the file takes several.

        Returns:
            A dict for one, a list of dicts for several.
        """
        several, raws = self.input.several(raw)
        if len(raws) == 0:
            return []
        arrays = self.input.arrays(raws)
        count = len(next(iter(arrays.values())))
        step = batch_size if self.most < 0 else self.most
        parts = [
            self.run(**at(arrays, slice(start, start + step)))
            for start in range(0, count, step)
        ]
        outputs = {
            own: np.concatenate([part[name] for part in parts])
            for name, own in self.outputs.items()
        }
        notes = self.input.notes(raws, {})
        answers = self.output.answers(outputs, raws, notes)
        return answers if several else answers[0]


def shape_of(details):
    """The shape of an input of a LiteRT file, -1 where it is free."""
    return tuple(map(int, details["shape_signature"]))


def _runner(path, threads):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as error:
        raise ImportError(
            "The runtime litert needs ai_edge_litert, which is not installed: "
            'pip install "keras-attention-zoo[export]"'
        ) from error
    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()  # greets now, and not at the first answer
    return interpreter.get_signature_runner("from_tensors")
