"""Trained attention models, by task: load, look, fine-tune, export.

Keras takes seconds to import. It is imported when one of these names is asked
for, so that `zoo --help` answers at once. Every network of `zoo.catalogue` is
one of these names too.
"""

from typing import TYPE_CHECKING

from zoo import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.comparing import compare as compare
    from zoo.data.table_source import Table as Table
    from zoo.from_scratch import new as new
    from zoo.presets import PresetError as PresetError
    from zoo.presets import card as card
    from zoo.presets import list_models as list_models
    from zoo.presets import load as load
    from zoo.recipes import train as train

    MODELS: dict[str, list[Callable]]

_PLACES = {
    "PresetError": "zoo.presets:PresetError",
    "Table": "zoo.data.table_source:Table",
    "card": "zoo.presets:card",
    "compare": "zoo.comparing:compare",
    "list_models": "zoo.presets:list_models",
    "load": "zoo.presets:load",
    "new": "zoo.from_scratch:new",
    "train": "zoo.recipes:train",
    **catalogue.network_places(),
}

__all__ = sorted(["MODELS", *_PLACES])


def __getattr__(name):
    if name == "MODELS":
        found = {
            task: list(catalogue.networks(task).values())
            for task in catalogue.TASKS
        }
    elif name in _PLACES:
        found = catalogue.named(_PLACES[name])
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *__all__})
