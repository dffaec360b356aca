"""Every public name is documented to the last argument; the examples run."""

import ast
import doctest
import importlib
import inspect
import pathlib
import re

import keras
import pytest

import keras_attention
from keras_attention import functional
from website.docstrings import HEADERS

ROOT = pathlib.Path(__file__).parent.parent
MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for package in ("keras_attention", "zoo")
    for path in sorted((ROOT / package).rglob("*.py"))
]


def source(module):
    return (ROOT / f"{module.replace('.', '/')}.py").read_text()


WITH_EXAMPLES = [
    module
    for module in MODULES
    if ">>>" in source(module)
    # The zoo is tested on one backend.
    and (module[:4] != "zoo." or keras.backend.backend() == "tensorflow")
]


def public(namespace, kind):
    return [
        value
        for name, value in sorted(vars(namespace).items())
        if kind(value)
        and name[0] != "_"
        and value.__module__.startswith("keras_attention.")
    ]


LAYERS = public(keras_attention, inspect.isclass)
FUNCTIONS = [
    *public(keras_attention, inspect.isfunction),
    *public(functional, inspect.isfunction),
]


def sections(thing):
    """Header -> text, in the order they are written."""
    found = {}
    header = None
    for line in inspect.getdoc(thing).splitlines():
        match = re.match(rf"({'|'.join(HEADERS)}):(.*)", line)
        if match:
            header = match[1]
            found[header] = match[2]
        elif header:
            found[header] += "\n" + line
    return found


def documented(text):
    """The names with an entry: four spaces, the name, a colon."""
    return re.findall(r"^    (\*{0,2}\w+):", text or "", re.MULTILINE)


def arguments(function):
    stars = {inspect.Parameter.VAR_KEYWORD: "**"}
    return [
        stars.get(parameter.kind, "") + name
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]


def may_raise(thing):
    """It has a `raise`, or calls a function of ours that says it has one."""
    raising = {f.__name__ for f in FUNCTIONS if "Raises" in sections(f)}
    tree = ast.parse(inspect.getsource(thing))
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Name) and node.id in raising)
        for node in ast.walk(tree)
    )


def test_the_public_names_are_found():
    assert len(LAYERS) >= 4 and len(FUNCTIONS) >= 9


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_every_section_in_order(layer):
    found = list(sections(layer))
    optional = {"Convention"} if may_raise(layer) else {"Convention", "Raises"}
    assert found == [h for h in HEADERS if h in found or h not in optional]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_documents_every_argument(layer):
    found = sections(layer)
    assert documented(found.get("Args")) == arguments(layer)
    assert documented(found.get("Call arguments")) == arguments(layer.call)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_names_its_paper(layer):
    reference = sections(layer)["Reference"]
    assert re.search(r"\b(19|20)\d\d\b", reference), "the year"
    assert "https://" in reference
    assert re.search(r"equation|section|appendix|figure|table", reference)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_documents_every_argument(function):
    found = sections(function)
    names = arguments(function)
    if len(names) == 1 and "\n" not in inspect.getdoc(function):
        return  # One argument may be told of in one line.
    if names:
        assert documented(found.get("Args")) == names
    if any(
        isinstance(node, ast.Return) and node.value
        for node in ast.walk(ast.parse(inspect.getsource(function)))
    ):
        assert "Returns" in found
    assert "Raises" in found or not may_raise(function)


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m.startswith("keras_attention")]
)
def test_an_error_says_what_was_received(module):
    for node in ast.walk(ast.parse(source(module))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if getattr(node.exc.func, "id", None) == "ValueError":
                text = ast.unparse(node.exc)
                assert "Received: " in text, f"line {node.lineno}: {text}"


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples_run(module):
    results = doctest.testmod(importlib.import_module(module))
    assert results.attempted, "the examples were not found"
    assert not results.failed
