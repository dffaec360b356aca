"""The wheel: built, unpacked outside the checkout, imported, and light."""

import compileall
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import keras
import pytest

import keras_attention

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = (
    "LICENSE",
    "MANIFEST.in",
    "README.md",
    "docs",
    "keras_attention",
    "pyproject.toml",
    "saved_models",
    "setup.py",
    "zoo",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with nothing but the unpacked wheel."""
    pytest.importorskip("build")
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    wheels = tmp_path_factory.mktemp("wheels")
    process = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
        + ["--outdir", str(wheels), str(source)],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    (wheel,) = wheels.glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(program, folder, **environment):
    """What a program prints, run in `folder` without the checkout."""
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "PYTHONPATH": str(folder),
            "PYTHONSAFEPATH": "1",
            **environment,
        },
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.split()


def test_the_wheel_holds_both_packages_and_nothing_else(site):
    version = keras_attention.__version__
    info = f"keras_attention_zoo-{version}.dist-info"
    assert {path.name for path in site.iterdir()} == {
        "keras_attention",
        "zoo",
        info,
    }
    for package in ("keras_attention", "zoo"):
        assert (site / package / "py.typed").exists()
        inside = {p.relative_to(site) for p in site.glob(f"{package}/**/*.py")}
        outside = {p.relative_to(ROOT) for p in ROOT.glob(f"{package}/**/*.py")}
        assert inside == outside
    assert (
        "zoo = zoo.cli:main" in (site / info / "entry_points.txt").read_text()
    )
    metadata = (site / info / "METADATA").read_text()
    assert "License-Expression: Apache-2.0" in metadata


def test_the_wheel_carries_the_trained_models(site):
    carried = site / "zoo" / "saved_models"
    inside = {p.relative_to(carried) for p in carried.rglob("*")}
    models = ROOT / "saved_models"
    outside = {p.relative_to(models) for p in models.rglob("*")}
    assert inside == outside
    assert pathlib.Path("han_imdb/model.keras") in inside


def test_the_command_finds_and_asks_a_model_of_the_wheel(site, tmp_path):
    """In an empty folder, with neither the checkout nor a cache."""
    pytest.importorskip("typer")
    program = (
        "import zoo.presets as p; from zoo import cli;"
        f"assert p.CHECKOUT.is_relative_to({str(site)!r}), p.CHECKOUT;"
        "cli.app(['list', '--filter', 'han_imdb'], standalone_mode=False);"
        "cli.app(['predict', 'han_imdb', 'A superb film.'],"
        " standalone_mode=False)"
    )
    said = python(
        program,
        tmp_path,
        PYTHONPATH=str(site),
        KERAS_ATTENTION_ZOO_HOME=str(tmp_path / "none"),
        KERAS_ATTENTION_ZOO_URL="",
    )
    assert "han_imdb" in said and "pos" in said
    assert not list(tmp_path.iterdir())


def test_the_wheel_works_outside_the_checkout(site):
    program = (
        "import keras_attention, numpy, zoo;"
        "x = keras_attention.CBAM(ratio=2)(numpy.ones((1, 4, 4, 8)));"
        "print(keras_attention.__file__, zoo.__file__, *x.shape)"
    )
    library, zoo, *shape = python(program, site)[-6:]
    assert pathlib.Path(library).is_relative_to(site)
    assert pathlib.Path(zoo).is_relative_to(site)
    assert shape == ["1", "4", "4", "8"]


def test_importing_the_layers_costs_less_than_50_ms_beside_keras():
    """Of the processor's time, so that a busy machine does not count."""
    program = (
        "import time, keras; start = time.process_time();"
        "import keras_attention; print(time.process_time() - start)"
    )
    compileall.compile_dir(ROOT / "keras_attention", quiet=1)
    assert float(python(program, ROOT)[-1]) < 0.05
