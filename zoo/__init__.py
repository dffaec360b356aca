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
    from zoo.sentence_matching.abcnn import abcnn as abcnn
    from zoo.sentence_matching.mwan import mwan as mwan
    from zoo.text_classification.hierarchical_attention_network import (
        hierarchical_attention_network as hierarchical_attention_network,
    )
    from zoo.text_classification.recurrent_classifier import (
        recurrent_classifier as recurrent_classifier,
    )
    from zoo.text_classification.transformer_classifier import (
        transformer_classifier as transformer_classifier,
    )

    MODELS: dict[str, list]

__all__ = [
    "MODELS",
    "PresetError",
    "abcnn",
    "attention_resnet",
    "card",
    "hierarchical_attention_network",
    "list_models",
    "load",
    "mwan",
    "recurrent_classifier",
    "train",
    "transformer_classifier",
]

_HOMES = {
    "PresetError": "zoo.presets",
    "abcnn": "zoo.sentence_matching.abcnn",
    "attention_resnet": "zoo.image_classification.attention_resnet",
    "card": "zoo.presets",
    "hierarchical_attention_network": (
        "zoo.text_classification.hierarchical_attention_network"
    ),
    "list_models": "zoo.presets",
    "load": "zoo.presets",
    "mwan": "zoo.sentence_matching.mwan",
    "recurrent_classifier": "zoo.text_classification.recurrent_classifier",
    "train": "zoo.recipes",
    "transformer_classifier": "zoo.text_classification.transformer_classifier",
}

_MODELS = {
    "answer_selection": ["abcnn", "mwan"],
    "image_classification": ["attention_resnet"],
    "sentence_matching": ["abcnn", "mwan"],
    "text_classification": [
        "hierarchical_attention_network",
        "recurrent_classifier",
        "transformer_classifier",
    ],
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
