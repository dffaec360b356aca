"""Makes the notebooks of this folder from `sources/`, and runs them.

pip install -e ".[tensorflow,zoo,export,notebooks]"
python colab/make.py                # runs all and writes them, in minutes
python colab/make.py captioning     # one of them
python colab/make.py --text         # new texts and cells, the same outputs
python colab/make.py --smoke        # all at a tiny size, of an installed wheel;
                                    # writes nothing
"""

import argparse
import ast
import base64
import concurrent.futures
import io
import json
import os
import pathlib
import re
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).parent
REPOSITORY = "keras-attention-zoo/keras-attention-zoo"  # on GitHub
COLAB = "https://colab.research.google.com"
BADGE = (
    f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]"
    f"({COLAB}/github/{REPOSITORY}/blob/main/colab/{{name}}.ipynb)"
)

# The first cell of code, the same in every notebook.
SETUP = f"""\
# On a GPU runtime change nothing. On a TPU runtime write "jax" here.
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
try:
    import keras_attention
except ImportError:
    %pip install -q "keras-attention-zoo[zoo,export] @ git+https://github.com/{REPOSITORY}"
    import keras_attention

import platform

import keras

print("Python", platform.python_version())
print("Keras", keras.__version__, "on", keras.backend.backend())
print("keras-attention-zoo", keras_attention.__version__)"""

LARGE = 100_000  # characters of a picture that is made lighter
WARNING = r"^WARNING:tensorflow:.*\n"  # which TensorFlow prints

# What the parameters are in a run that only shows that every cell runs.
SMOKE = {"EPOCHS": 1, "SAMPLES": 64, "SEEDS": [0]}
KEPT = {"PRESET", "WEIGHTS"}

# The last cell of such a run.
INSTALLED = """\
import pathlib, sysconfig, keras_attention, zoo

site = pathlib.Path(sysconfig.get_path("purelib")).resolve()
for package in (keras_attention, zoo):
    place = pathlib.Path(package.__file__).resolve()
    assert place.is_relative_to(site), f"not installed: {place}\""""


def sources():
    """Name -> text of every source, sorted."""
    return {
        path.stem: path.read_text("utf-8")
        for path in sorted((FOLDER / "sources").glob("*.py"))
    }


def notebook(name, text):
    """A notebook without outputs.

    Args:
        name: String, that of the file.
        text: String in the percent format of Jupytext: a line that begins with
            `# %%` begins a cell, `# %% [markdown]` one of text in comments.
            `{badge}` in a text is the link that opens the notebook in Colab;
            the cell with the tag `setup` is filled in.

    Returns:
        Dict, as `nbformat` 4.5 has it.
    """
    _, *parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    cells = []
    for header, body in zip(parts[::2], parts[1::2], strict=True):
        tags = re.findall(r'"(\w+)"', header)
        cell = {
            "cell_type": "code",
            "id": f"cell-{len(cells)}",
            "metadata": {"tags": tags} if tags else {},
            "source": SETUP if "setup" in tags else body.strip("\n"),
        }
        if "[markdown]" in header:
            lines = re.sub(r"^# ?", "", cell["source"], flags=re.MULTILINE)
            cell["cell_type"] = "markdown"
            cell["source"] = lines.replace("{badge}", BADGE.format(name=name))
        else:
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def parameters(made):
    """The cell that a short run rewrites.

    Raises:
        ValueError: If a notebook has not one such cell.
    """
    found = [
        cell
        for cell in made["cells"]
        if "parameters" in cell["metadata"].get("tags", ())
    ]
    if len(found) != 1:
        raise ValueError(
            "A notebook must have one cell with the tag `parameters`, which a "
            f"short run rewrites. Received: {len(found)} of them"
        )
    return found[0]


def shrink(made):
    """Gives the parameters of a notebook the values of `SMOKE`.

    Raises:
        ValueError: If the notebook has not one cell of parameters, or it holds
            something else.
    """
    cell, lines = parameters(made), []
    for node in ast.parse(cell["source"]).body:
        line = ast.unparse(node)
        name = line.partition(" = ")[0]
        if name not in {*SMOKE, *KEPT}:
            raise ValueError(
                f"A parameter must be one of {sorted({*SMOKE, *KEPT})}. "
                f"Received: {line!r}"
            )
        lines.append(f"{name} = {SMOKE[name]!r}" if name in SMOKE else line)
    cell["source"] = "\n".join(lines)


def run(made):
    """The notebook after a run from top to bottom, in a folder of its own.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell raises.
    """
    import nbformat
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            nbformat.from_dict(made),
            kernel_name="python3",
            timeout=1800,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        return client.execute()


def tidy(made):
    """Keeps of the outputs what is printed, and pictures."""
    made["metadata"]["language_info"] = {"name": "python"}  # not the machine's
    for cell in made["cells"]:
        kept = []
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":  # of the libraries' start
                continue
            if "text" in output:
                text = re.sub(WARNING, "", "".join(output["text"]), flags=re.M)
                if kept and "text" in kept[-1]:
                    kept[-1]["text"] += text
                    continue
                output["text"] = text
            for kind in set(output.get("data", ())) - {"text/plain"}:
                if kind == "image/png":
                    output["data"][kind] = light(output["data"][kind])
                else:
                    del output["data"][kind]
            if "".join(output.get("data", {"": "-"}).values()).strip():
                kept.append(output)
        if "outputs" in cell:
            cell["outputs"] = kept


def light(picture):
    """A large PNG in base64 with 256 colours, a third as large."""
    if len(picture) < LARGE:
        return picture
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
    file = io.BytesIO()
    kind = Image.Quantize.MAXCOVERAGE  # others make bands of a colour scale
    few = image.quantize(256, method=kind, kmeans=5)
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def with_outputs(made, before):
    """A notebook with the outputs of one whose code is the same.

    Raises:
        ValueError: If the code is another.
    """
    ours, theirs = (
        [cell for cell in each["cells"] if cell["cell_type"] == "code"]
        for each in (made, before)
    )
    if [c["source"] for c in ours] != ["".join(c["source"]) for c in theirs]:
        raise ValueError("The code has changed: run the notebook.")
    for cell, other in zip(ours, theirs):
        for key in ("execution_count", "outputs"):
            cell[key] = other[key]
    return made


def write(name, made):
    """Writes a notebook of this folder."""
    for cell in made["cells"]:
        cell["source"] = "".join(cell["source"]).splitlines(keepends=True)
    text = json.dumps(made, indent=1, ensure_ascii=False, sort_keys=True)
    (FOLDER / f"{name}.ipynb").write_text(text + "\n", "utf-8")


def main():
    """Makes the notebooks that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--text", action="store_true")
    asked = parser.parse_args()
    texts = sources()
    names = asked.names or list(texts)
    if unknown := set(names) - set(texts):
        parser.error(f"{sorted(unknown)} must be among {list(texts)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def one(name):
        start = time.perf_counter()
        made = notebook(name, texts[name])
        if asked.text:
            path = FOLDER / f"{name}.ipynb"
            before = json.loads(path.read_text("utf-8"))
            write(name, with_outputs(made, before))
            return
        if asked.smoke:
            shrink(made)
            last = {**made["cells"][-1], "cell_type": "code", "id": "installed"}
            last |= {"execution_count": None, "outputs": []}
            made["cells"].append({**last, "source": INSTALLED})
        made = run(made)
        if not asked.smoke:
            tidy(made)
            write(name, made)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)

    # In a short run two at a time, one on each core; the others go on.
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(1 + asked.smoke) as pool:
        for name, done in [(name, pool.submit(one, name)) for name in names]:
            if error := done.exception():
                print(f"{name}: FAILED\n{error}", file=sys.stderr)
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
