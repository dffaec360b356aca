"""The house rules as tests: imports point down, nothing new is forgotten."""

import ast
import functools
import pathlib
import re
import subprocess
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parent.parent
BACKENDS = {"tensorflow", "jax", "torch"}
CONTRACTS = {
    "check_cell",
    "check_glimpse_layer",
    "check_layer",
    "check_mixture_layer",
    "check_pair_layer",
    "check_query_layer",
}

# Who may import a backend, inside functions.
DOORS = (
    "keras_attention/functional/gradients.py",
    "zoo/export/",
    "zoo/serving/",
    "zoo/inputs/",
    "zoo/outputs/",
    "zoo/data/",
)

# Folders of the zoo that are no task.
ROOMS_OF_THE_ZOO = ("data", "export", "inputs", "outputs", "serving")

# From the roof down; the longest match counts. `<task>` stands for every other
# folder of the zoo.
FLOORS = [
    ("zoo",),
    ("zoo/<task>",),
    ("zoo/export", "zoo/serving"),
    ("zoo/task",),
    (
        "zoo/backbones",
        "zoo/describing",
        "zoo/image_networks",
        "zoo/learning",
        "zoo/measuring",
        "zoo/own_loss",
        "zoo/picture_grids",
        "zoo/picture_regions",
        "zoo/presets",
        "zoo/reports",
        "zoo/self_critical",
        "zoo/stepping",
        "zoo/teaching",
        "zoo/word_networks",
    ),
    ("zoo/layer_groups", "zoo/plan", "zoo/saving", "zoo/training"),
    ("zoo/answering", "zoo/decoding", "zoo/exported"),
    ("zoo/outputs",),
    ("zoo/inputs",),
    ("zoo/folder",),
    ("zoo/weights",),
    ("zoo/writable",),
    (
        "zoo/atomic",
        "zoo/caption_metrics",
        "zoo/cards",
        "zoo/catalogue",
        "zoo/data",
        "zoo/language_metrics",
        "zoo/lazy",
        "zoo/losses",
        "zoo/metrics",
        "zoo/pointing",
        "zoo/saliency_metrics",
        "zoo/scores",
        "zoo/translation_metrics",
    ),
    ("keras_attention",),
    ("keras_attention/functional",),
]

# Who may ask a floor above, inside a function, when called.
STAIRS = {
    ("zoo/task", "zoo/export"),
}

MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("keras_attention", "zoo")
    for path in (ROOT / package).rglob("*.py")
)
ROOMS = [
    module
    for module in MODULES
    if re.fullmatch(
        r"keras_attention/(?!functional/|pictures/)\w+/(?!__)\w+\.py", module
    )
]
STAGES = [
    module
    for module in MODULES
    if re.fullmatch(r"keras_attention/functional/(?!__)\w+\.py", module)
]
NETWORKS = [
    module
    for module in MODULES
    if re.fullmatch(
        r"zoo/(?!data/|export/|serving/)\w+/(?!__|recipes)\w+\.py", module
    )
]
CLASSES = [
    (module, node.name)
    for module in ROOMS
    for node in ast.parse((ROOT / module).read_text()).body
    if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
]
LAYERS = sorted({module for module, _ in CLASSES})
# What layers of one room share, and no equation: it takes layers.
PARTS = sorted({*ROOMS} - {*LAYERS})


def floor(name):
    """How far down a module lies: `zoo/task` for `zoo/task.py`."""
    parts = name.split("/")
    if (
        parts[0] == "zoo"
        and len(parts) > 1
        and (ROOT / "zoo" / parts[1]).is_dir()
    ):
        if parts[1] not in ROOMS_OF_THE_ZOO:
            parts[1] = "<task>"
    known = {place: i for i, row in enumerate(FLOORS) for place in row}
    while "/".join(parts) not in known:
        parts.pop()
    return known["/".join(parts)]


@functools.cache
def imports(module):
    """`(name, inside a function, names taken from it)` of every import."""
    found = []

    def visit(node, inside):
        if isinstance(node, ast.Import):
            found.extend((alias.name, inside, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            taken = [alias.name for alias in node.names]
            modules = [n for n in taken if is_module(f"{node.module}.{n}")]
            found.extend((f"{node.module}.{n}", inside, ()) for n in modules)
            if len(modules) < len(taken):
                found.append((node.module, inside, tuple(taken)))
        inside = inside or isinstance(node, ast.FunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse((ROOT / module).read_text()), False)
    return found


def is_module(name):
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or path.is_dir()


def test_the_house_is_found():
    assert len(ROOMS) >= 2 and len(STAGES) >= 3 and len(CLASSES) >= 4


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    here = module.removesuffix(".py").removesuffix("/__init__")
    for name, inside, _ in imports(module):
        there = name.replace(".", "/")
        assert name.split(".")[0] not in ("colab", "tests"), (
            f"{module} imports {name}"
        )
        if name.split(".")[0] not in ("keras_attention", "zoo"):
            continue
        if inside and (here, there) in STAIRS:
            continue
        assert floor(there) >= floor(here), f"{module} imports {name}, above it"


@pytest.mark.parametrize("package", ["keras_attention/", "zoo/"])
def test_no_import_goes_round_in_a_circle(package):
    """Not even one inside a function. The catalogue names what it imports."""
    modules = [m for m in MODULES if m.startswith(package)]
    asked = {}
    for module in modules:
        names = [name for name, *_ in imports(module) if name != package[:-1]]
        asked[module] = {
            f"{name.replace('.', '/')}{ending}"
            for name in names
            for ending in (".py", "/__init__.py")
        } & set(modules)
    while free := [m for m in asked if not asked[m] & asked.keys()]:
        for module in free:
            del asked[module]
    assert not asked, f"these import each other: {sorted(asked)}"


def test_a_task_is_a_few_lines():
    from zoo import catalogue
    from zoo.task import Task

    assert len((ROOT / "zoo/task.py").read_text().splitlines()) < 300
    for name in catalogue.TASKS:
        kind = catalogue.task_class(name)
        assert kind.__bases__ == (Task,) and kind.name == name
        members = {
            member
            for member in vars(kind)
            if member in vars(Task) and not member.startswith("__")
        }
        declared = {"name", "input", "output", "read"}
        assert len(members - declared) <= 3, members


@pytest.mark.parametrize("module", MODULES)
def test_only_doors_know_a_backend_and_only_when_called(module):
    for name, inside, _ in imports(module):
        if name.split(".")[0] in BACKENDS:
            assert module.startswith(DOORS), f"{module} imports {name}"
            assert inside, f"{module} imports {name} outside a function"


@pytest.mark.parametrize("module", MODULES)
def test_private_parts_stay_private(module):
    for name, _, taken in imports(module):
        assert not name.startswith("keras.src"), f"{module} imports {name}"
        if name.split(".")[0] in ("keras_attention", "zoo"):
            hidden = [n for n in (*taken, *name.split(".")) if n[0] == "_"]
            assert not hidden or hidden == ["__version__"], (
                f"{module} imports {hidden} of {name}"
            )


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m.startswith("keras_attention/")]
)
def test_layers_need_nothing_but_keras_and_numpy(module):
    allowed = {"keras", "numpy", "keras_attention", *sys.stdlib_module_names}
    for name, inside, _ in imports(module):
        assert inside or name.split(".")[0] in allowed, name
        if module != "keras_attention/__init__.py":
            # The package is still being read when its rooms are.
            assert inside or name != "keras_attention", (
                f"{module} imports the package; import the module's path"
            )


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_named_after_nothing(module):
    stem = pathlib.Path(module).stem
    assert stem not in {"utils", "util", "misc", "common", "helpers", "base"}


@pytest.mark.parametrize("package", ["keras_attention", "zoo"])
def test_importing_brings_no_backend_that_keras_did_not(package):
    program = (
        "import sys, keras; before = set(sys.modules);"
        f"import {package}; new = set(sys.modules) - before;"
        "print(*sorted({name.split('.')[0] for name in new}))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    brought = set(process.stdout.splitlines()[-1].split())
    assert package in brought
    assert not brought & BACKENDS, f"beside {keras.backend.backend()}"
    if package == "keras_attention":
        others = brought - set(sys.stdlib_module_names)
        assert others == {"keras_attention"}


@pytest.mark.parametrize("module", LAYERS)
def test_every_layer_has_its_mirrored_test_with_the_contract(module):
    room, name = pathlib.Path(module).parts[1:]
    test = ROOT / "tests" / room / f"test_{name}"
    assert test.exists(), f"{module} has no {test.relative_to(ROOT)}"
    tree = ast.parse(test.read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CONTRACTS
    ]
    assert calls, f"{test.name} never calls the contract"
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    classes = {name for where, name in CLASSES if where == module}
    assert classes <= used, f"{test.name} tests no {classes - used}"


@pytest.mark.parametrize("module", [*STAGES, *PARTS])
def test_every_stage_has_its_mirrored_test(module):
    room, name = pathlib.Path(module).parts[1:]
    test = ROOT / "tests" / room / f"test_{name}"
    assert test.exists(), f"{module} has no {test.relative_to(ROOT)}"
    used = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(ast.parse(test.read_text()))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    functions = {
        node.name
        for node in ast.parse((ROOT / module).read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
    }
    assert functions <= used, f"{test.name} tests no {functions - used}"


@pytest.mark.parametrize("module", NETWORKS)
def test_every_network_has_its_mirrored_test(module):
    task, name = pathlib.Path(module).parts[1:]
    test = ROOT / "tests/zoo" / task / f"test_{name}"
    assert test.exists(), f"{module} has no {test.relative_to(ROOT)}"


@pytest.mark.parametrize("module, name", CLASSES)
def test_every_layer_is_exported(module, name):
    tree = ast.parse((ROOT / "keras_attention/__init__.py").read_text())
    path = module.removesuffix(".py").replace("/", ".")
    lines = [
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == path
        for alias in node.names
        if alias.name == name
    ]
    assert lines == [name], f"from {path} import {name} as {name}"


@pytest.mark.parametrize("module, name", CLASSES)
def test_every_layer_has_a_row_in_the_readme(module, name):
    rows = (ROOT / "README.md").read_text().splitlines()
    start = f"| [`{name}`]({module}) | "
    assert [row for row in rows if row.startswith(start)], start


@pytest.mark.parametrize("name", [name for _, name in CLASSES])
def test_every_layer_is_in_the_changelog(name):
    assert re.search(rf"`{name}\b", (ROOT / "CHANGELOG.md").read_text())
