"""Recipes: how each preset of masks is trained, as data."""

from zoo.segmentation.attention_to_scale import PRESETS as SCALES
from zoo.segmentation.pyramid_attention_network import PRESETS as PYRAMID
from zoo.segmentation.salient_object_detector import PRESETS as SALIENT


def _plain(options):
    """Arguments as JSON has them."""
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in options.items()
    }


def _training(epochs, **options):
    return {
        "epochs": epochs,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 2e-3,
        "schedule": "one_cycle",
        "weight_decay": 1e-2,
        "seed": 0,
        **options,
    }


SEGMENTATION = {
    "pan_scene_shapes": {
        "builder": "pyramid_attention_network",
        "builder_args": {
            "input_shape": [64, 64, 3],
            "num_classes": 4,
            "filters": [8, 16, 32, 64],
            "blocks": 1,
            "decoder_filters": 16,
        },
        "data": "scene_shapes",
        "training": _training(10, learning_rate=4e-3),
    },
}
SALIENCY = {
    "pfan_odd_one_out": {
        "builder": "salient_object_detector",
        "builder_args": {
            "input_shape": [64, 64, 3],
            "decoder": "pfan",
            "filters": [8, 16, 32, 64],
            "blocks": 1,
            "decoder_filters": 16,
            "rates": [1, 2, 3],
        },
        "data": "odd_one_out",
        "training": _training(16, learning_rate=4e-3, augment=["flip"]),
    },
    "pfan_weizmann_horse": {
        "builder": "salient_object_detector",
        "builder_args": {
            "input_shape": [96, 96, 3],
            "decoder": "pfan",
            "filters": [8, 16, 32, 64],
            "blocks": 1,
            "decoder_filters": 16,
            "rates": [1, 2, 3],
        },
        "data": "weizmann_horse",
        "training": _training(
            80,
            batch_size=16,
            learning_rate=4e-3,
            augment=["flip", "shift", "zoom", "brightness"],
        ),
    },
}

# The size of the images follows from the data.
SEGMENTATION_FROM_SCRATCH = {
    "attention_to_scale": {
        "builder_args": _plain(SCALES["small"]),
        "training": _training(20, augment=["flip"]),
    },
    "pyramid_attention_network": {
        # The paper's gate, a ReLU, learns far more slowly: benchmarks/masks.py.
        "builder_args": {**_plain(PYRAMID["small"]), "gate": "sigmoid"},
        "image": {"multiple": 8},
        "training": _training(20, augment=["flip"]),
    },
}
SALIENCY_FROM_SCRATCH = {
    "salient_object_detector": {
        "builder_args": _plain(SALIENT["small"]),
        "image": {"multiple": 8},
        "training": _training(20, augment=["flip"]),
    },
}
