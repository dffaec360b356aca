"""Makes the notebooks of this folder from `sources/`, and runs them.

pip install -e ".[tensorflow,zoo,notebooks]"
python colab/make.py                 # runs all and writes them, in minutes
python colab/make.py captioning      # one of them
python colab/make.py --smoke         # all at a tiny size, from an installed
                                     # wheel; writes nothing
"""

import argparse
import ast
import concurrent.futures
import os
import pathlib
import re
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient

FOLDER = pathlib.Path(__file__).parent
REPOSITORY = "keras-attention-zoo/keras-attention-zoo"  # on GitHub
BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/"
    "colab-badge.svg)](https://colab.research.google.com/github/"
    f"{REPOSITORY}/blob/main/colab/{{name}}.ipynb)"
)

# The first cell of code, the same in every notebook.
SETUP = f"""\
# A GPU runtime needs no change. On a TPU runtime choose "jax" here.
import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
try:
    import keras_attention
except ImportError:
    %pip install -q "keras-attention-zoo[zoo,export] @ git+https://github.com/{REPOSITORY}"
    import keras_attention

import platform

import keras

print("Python", platform.python_version(), "- Keras", keras.__version__)
print("backend", keras.backend.backend())
print("keras-attention-zoo", keras_attention.__version__)"""

# What the parameters are in a run that only shows that every cell runs.
SMOKE = {"EPOCHS": 1, "SAMPLES": 64, "SEEDS": [0]}
KEPT = {"PRESET", "BACKBONE", "WEIGHTS"}

INSTALLED = """\
import pathlib, sysconfig, keras_attention, zoo
for package in (keras_attention, zoo):
    place = pathlib.Path(package.__file__).resolve()
    site = pathlib.Path(sysconfig.get_path("purelib")).resolve()
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
        `nbformat.NotebookNode`.
    """
    _, *parts = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)
    cells = []
    for header, body in zip(parts[::2], parts[1::2], strict=True):
        tags = re.findall(r'"(\w+)"', header)
        metadata = {"tags": tags} if tags else {}
        if "[markdown]" in header:
            body = re.sub(r"^# ?", "", body.strip("\n"), flags=re.MULTILINE)
            body = body.replace("{badge}", BADGE.format(name=name))
            cell = nbformat.v4.new_markdown_cell(body, metadata=metadata)
        else:
            body = SETUP if "setup" in tags else body.strip("\n")
            cell = nbformat.v4.new_code_cell(body, metadata=metadata)
        cell["id"] = f"cell-{len(cells)}"
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def shrink(made):
    """Gives the parameters of a notebook the values of `SMOKE`.

    Raises:
        ValueError: If the notebook has not one cell of parameters, or that has
            one without such a value.
    """
    found = [
        c for c in made.cells if "parameters" in c.metadata.get("tags", ())
    ]
    if len(found) != 1:
        raise ValueError(
            "A notebook must have one cell with the tag `parameters`, which a "
            f"short run rewrites. Received: {len(found)} of them"
        )
    lines = []
    for node in ast.parse(found[0].source).body:
        name = ast.unparse(getattr(node, "targets", [node])[0])
        if name not in {*SMOKE, *KEPT}:
            raise ValueError(
                "A parameter must be one of "
                f"{sorted({*SMOKE, *KEPT})}. Received: {name!r}"
            )
        kept = ast.unparse(node)
        lines.append(f"{name} = {SMOKE[name]!r}" if name in SMOKE else kept)
    found[0].source = "\n".join(lines)


def run(made):
    """Runs a notebook from top to bottom in a folder of its own.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell raises.
    """
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            made,
            kernel_name="python3",
            timeout=1800,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute()


def tidy(made):
    """Keeps of the outputs what is printed, and pictures."""
    for cell in made.cells:
        kept = []
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":  # of the libraries' start
                continue
            if "data" in output:
                output.metadata = {}
                shown = "image/png" if "image/png" in output.data else None
                output.data = {
                    kind: output.data[kind]
                    for kind in (shown, "text/plain")
                    if kind in output.data
                }
            kept.append(output)
        if "outputs" in cell:
            cell.outputs = kept


def main():
    """Makes the notebooks that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--smoke", action="store_true")
    asked = parser.parse_args()
    texts = sources()
    names = asked.names or list(texts)
    if unknown := set(names) - set(texts):
        parser.error(f"{sorted(unknown)} must be among {list(texts)}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def one(name):
        start = time.perf_counter()
        made = notebook(name, texts[name])
        try:
            if asked.smoke:
                shrink(made)
                made.cells.append(nbformat.v4.new_code_cell(INSTALLED))
            run(made)
        except Exception as error:  # the others go on
            print(f"{name}: FAILED\n{error}", flush=True)
            return False
        if not asked.smoke:
            tidy(made)
            nbformat.validate(made)
            nbformat.write(made, FOLDER / f"{name}.ipynb")
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        return True

    # In a short run two at a time, one on each core.
    with concurrent.futures.ThreadPoolExecutor(1 + asked.smoke) as pool:
        return 0 if all(list(pool.map(one, names))) else 1


if __name__ == "__main__":
    sys.exit(main())
