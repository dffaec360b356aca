"""The API pages: one for each room of layers, and for what is around them."""

from website import docstrings
from zoo import catalogue

ROOMS = {
    "feature_map": "Layers for feature maps",
    "sequence": "Layers for sequences",
    "pair": "Layers for two sequences",
    "glimpse": "Layers that take a glimpse",
    "recurrent": "Recurrent cells",
    "mixture": "Layers that mix branches",
}

# What `zoo` offers, in the order of use; its networks come from the catalogue.
ZOO = {
    "list_models": "zoo.presets",
    "card": "zoo.presets",
    "load": "zoo.presets",
    "new": "zoo.from_scratch",
    "train": "zoo.recipes",
    "compare": "zoo.comparing",
    "Table": "zoo.data.table_source",
    "Task": "zoo.task",
}
# What its pages mention beside, by its full name.
BESIDE = {
    "Plan": "zoo.plan",
    "load_backbone_weights": "zoo.backbones",
}
# Methods of a task, and where those are that are functions elsewhere.
TASK = {
    "predict": ("zoo.task", "Task.predict"),
    "look": ("zoo.task", "Task.look"),
    "picture": ("zoo.task", "Task.picture"),
    "evaluate": ("zoo.task", "Task.evaluate"),
    "report": ("zoo.reports", "report"),
    "fit": ("zoo.learning", "fit"),
    "finetune": ("zoo.learning", "finetune"),
    "save": ("zoo.saving", "save"),
    "export": ("zoo.task", "Task.export"),
}


def pages():
    """Path in the site -> text of every API page."""
    found = {}
    exported = docstrings.exported("keras_attention")
    for room, title in ROOMS.items():
        prefix = f"keras_attention.{room}."
        names = {n: m for n, m in exported.items() if m.startswith(prefix)}
        found[f"api/{room}.md"] = _page(
            title, f"`from keras_attention import {next(iter(names))}`", names
        )
    names = {n: m for n, m in exported.items() if m.count(".") == 1}
    found["api/models.md"] = _page(
        "Attention in a whole model",
        "`from keras_attention import attention_maps`",
        names,
    )
    for package, title in {
        "keras_attention.pictures": "Pictures of attention",
        "keras_attention.functional": "Equations without state",
    }.items():
        path = f"api/{package.split('.')[1]}.md"
        intro = docstrings.introduction(package)
        found[path] = _page(title, intro, _functions(package))
    found["api/zoo.md"] = _page("Trained models", "`import zoo`", ZOO) + (
        "\n".join(_entry(f"task.{n}", *of, level=3) for n, of in TASK.items())
        + "\n"
        + "\n".join(_entry(f"{m}.{n}", m, n) for n, m in BESIDE.items())
    )
    found["api/networks.md"] = _page(
        "Networks",
        "Functions that build a plain `keras.Model`; "
        "`from zoo import attention_resnet`",
        {n: p.split(":")[0] for n, p in catalogue.network_places().items()},
    )
    return found


def _functions(package):
    """Those exported names that are functions, not numbers.

    First those that a user looks for: with an equation, or that draw.
    """
    found = {}
    for name, module in docstrings.exported(package).items():
        defined = {getattr(n, "name", "") for n in docstrings.tree(module).body}
        if name in defined:
            found[name] = module

    def later(name):
        node = docstrings.definition(found[name], name)
        draws = "Figure" in docstrings.sections(node).get("Returns", "")
        return not (draws or docstrings.equations(node))

    return {name: found[name] for name in sorted(found, key=later)}


def _page(title, intro, names):
    entries = [_entry(name, module, name) for name, module in names.items()]
    return f"# {title}\n\n{intro}\n\n" + "\n".join(entries)


def _entry(shown, module, name, level=2):
    node = docstrings.definition(module, name)
    title = shown.removeprefix("task.")
    call = docstrings.signature(shown, node)
    if level == 3:
        call = call.replace("(task, ", "(").replace("(\n    task,\n", "(\n")
    return (
        f"{'#' * level} {title}\n\n```python\n{call}\n```\n\n"
        f"{docstrings.markdown(node)}\n"
    )
