"""Trained attention models, by task: load, look, fine-tune, export.

Keras takes seconds to import. It is imported when one of these names is asked
for, so that `zoo --help` answers at once.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoo.image_classification.attention_resnet import (
        attention_resnet as attention_resnet,
    )
    from zoo.presets import PresetError as PresetError
    from zoo.presets import card as card
    from zoo.presets import list_models as list_models
    from zoo.presets import load as load
    from zoo.recipes import train as train

    MODELS: dict[str, list]

__all__ = [
    "MODELS",
    "PresetError",
    "attention_resnet",
    "card",
    "list_models",
    "load",
    "train",
]

_HOMES = {
    "PresetError": "zoo.presets",
    "attention_resnet": "zoo.image_classification.attention_resnet",
    "card": "zoo.presets",
    "list_models": "zoo.presets",
    "load": "zoo.presets",
    "train": "zoo.recipes",
}

_MODELS = {
    "image_classification": ["attention_resnet"],
}


def __getattr__(name):
    if name == "MODELS":
        found = {
            task: [__getattr__(builder) for builder in builders]
            for task, builders in _MODELS.items()
        }
    elif name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__():
    return sorted({*globals(), *__all__})
