"""Docstrings as Markdown, read from the source: nothing is imported.

`tests/test_docstrings.py` checks the form that is taken for granted here:
Google's sections, an entry for each argument.
"""

import ast
import functools
import inspect
import pathlib
import re
import textwrap

ROOT = pathlib.Path(__file__).parent.parent
HEADERS = (
    "Args",
    "Call arguments",
    "Returns",
    "Raises",
    "Example",
    "Convention",
    "Notation",
    "Departures",
    "Reference",
)
LISTS = ("Args", "Call arguments", "Raises")
WIDTH = 72  # of a signature on one line


@functools.cache
def tree(module):
    """The syntax tree of a module, `"keras_attention.looking"`."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text("utf-8"))


def definition(module, name):
    """The syntax tree of a class or function; of a method, `"Task.look"`."""
    node = tree(module)
    for part in name.split("."):
        (node,) = [
            each
            for each in node.body
            if isinstance(each, ast.ClassDef | ast.FunctionDef)
            and each.name == part
        ]
    return node


def exported(package):
    """Name -> module of what `package/__init__.py` imports, in its order."""
    return {
        alias.name: node.module
        for node in tree(package).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def signature(name, node):
    """How it is called, in Python's words."""
    if isinstance(node, ast.ClassDef):
        made = [each for each in node.body if _is_function(each, "__init__")]
        arguments = ast.unparse(made[0].args) if made else _fields(node)
    else:
        arguments = ast.unparse(node.args)
    listed = _without_self(_split(arguments))
    line = f"{name}({', '.join(listed)})"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {each},\n" for each in listed) + ")"


def sections(node):
    """Header -> text of a docstring; what stands before the first is `""`."""
    found, header = {"": ""}, ""
    for line in inspect.cleandoc(ast.get_docstring(node)).splitlines():
        match = re.match(rf"({'|'.join(HEADERS)}):(.*)", line)
        if match:
            header = match[1]
            found[header] = match[2].strip()
        else:
            found[header] += "\n" + line
    return {name: text.strip("\n") for name, text in found.items()}


def equations(node):
    """The indented blocks and the tables before the first section."""
    blocks = re.split(r"\n{2,}", sections(node)[""])
    return [b for b in blocks if b.startswith(("    ", "| "))]


def markdown(node):
    """A docstring as Markdown."""
    parts = []
    for header, text in sections(node).items():
        if header in LISTS:
            text = _as_list(text)
        elif header == "Example":
            text = f"```pycon\n{textwrap.dedent(text).strip()}\n```"
        elif header:  # a line break after each paper
            text = re.sub(r"(https://\S+)\n", r"\1  \n", textwrap.dedent(text))
        parts.append(f"**{header}**\n\n{text}" if header else text)
    return "\n\n".join(parts)


def introduction(module):
    """The docstring of a module or package."""
    return ast.get_docstring(tree(module))


def _as_list(text):
    """Google's entries, four spaces before each name, as a Markdown list."""
    entries = []
    for line in textwrap.dedent(text).splitlines():
        entry = re.match(r"(\*{0,2}\w[\w., ]*): *(.*)", line)
        if entry:
            entries.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            entries.append(f"    {line.strip()}" if line.strip() else "")
    return "\n".join(entries)


def _is_function(node, name):
    return isinstance(node, ast.FunctionDef) and node.name == name


def _fields(node):
    """Of a dataclass, its fields as arguments."""
    return ", ".join(
        each.target.id
        + (f"={ast.unparse(each.value)}" if each.value is not None else "")
        for each in node.body
        if isinstance(each, ast.AnnAssign)
    )


def _split(arguments):
    """The arguments of a call, one string each."""
    call = ast.parse(f"def f({arguments}): ...").body[0].args
    plain = [*call.posonlyargs, *call.args]
    defaults = [None] * (len(plain) - len(call.defaults)) + call.defaults
    found = [_argument(a, d) for a, d in zip(plain, defaults, strict=True)]
    if call.vararg:
        found.append(f"*{call.vararg.arg}")
    elif call.kwonlyargs:
        found.append("*")
    found += [
        _argument(a, d)
        for a, d in zip(call.kwonlyargs, call.kw_defaults, strict=True)
    ]
    if call.kwarg:
        found.append(f"**{call.kwarg.arg}")
    return found


def _argument(argument, default):
    value = "" if default is None else f"={ast.unparse(default)}"
    return argument.arg + value


def _without_self(arguments):
    return arguments[1:] if arguments[:1] in (["self"], ["cls"]) else arguments
