"""Recipes: how each preset of image classification is trained, as data."""

from zoo.image_classification.attention_resnet import PRESETS
from zoo.image_classification.dynamic_capacity_network import (
    PRESETS as DYNAMIC_CAPACITY,
)
from zoo.image_classification.ra_cnn import PRESETS as RA_CNN
from zoo.image_classification.recurrent_attention_model import (
    PRESETS as RECURRENT_ATTENTION,
)
from zoo.image_classification.residual_attention_network import (
    PRESETS as RESIDUAL_ATTENTION,
)
from zoo.image_classification.spatial_transformer_network import (
    PRESETS as SPATIAL_TRANSFORMER,
)

_CIFAR = {
    "data": "cifar10",
    "training": {
        "epochs": 16,
        "batch_size": 64,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "schedule": "one_cycle",
        "weight_decay": 2e-3,
        "augment": ["shift", "flip"],
        "seed": 0,
    },
}


def _resnet_20(attention, input_shape=(32, 32, 3)):
    return {
        "builder": "attention_resnet",
        "builder_args": {
            "input_shape": list(input_shape),
            "num_classes": 10,
            "attention": attention,
            "attention_args": {},
            "filters": list(PRESETS["resnet_20"]["filters"]),
            "blocks": PRESETS["resnet_20"]["blocks"],
        },
    }


_ATTENTION_20 = {
    **RESIDUAL_ATTENTION["attention_20"],
    "filters": list(RESIDUAL_ATTENTION["attention_20"]["filters"]),
    "mask": "mixed",
    "mode": "residual",
}
_ATTENTION_20_CIFAR = {
    "builder": "residual_attention_network",
    "builder_args": {
        "input_shape": [32, 32, 3],
        "num_classes": 10,
        **_ATTENTION_20,
    },
    "data": "cifar10",
    # Compiling takes longer than it saves on a CPU.
    "training": {**_CIFAR["training"], "epochs": 6, "jit_compile": False},
    "half": True,
}
_RA_CNN = {
    "builder": "ra_cnn",
    "builder_args": {
        "input_shape": [96, 96, 3],
        "num_classes": 8,
        "num_scales": 3,
        **{**RA_CNN["glyphs"], "filters": list(RA_CNN["glyphs"]["filters"])},
        "smallest": 1 / 3,
        "pretraining_steps": 500,
    },
    "data": "glyphs",
    "training": {
        "epochs": 8,
        "batch_size": 32,
        "optimizer": "adamw",
        "learning_rate": 4e-3,
        "schedule": "one_cycle",
        "weight_decay": 0.01,
        "seed": 0,
    },
}


def _ram_translated_40(data, epochs):
    return {
        "builder": "recurrent_attention_model",
        "builder_args": {
            "input_shape": [40, 40, 1],
            "num_classes": 10,
            **RECURRENT_ATTENTION["translated_40"],
        },
        "data": data,
        "training": {
            "epochs": epochs,
            "batch_size": 128,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "schedule": "cosine",
            "weight_decay": 1e-3,
            "seed": 0,
        },
    }


_DYNAMIC_CAPACITY = {
    "builder": "dynamic_capacity_network",
    "builder_args": {
        "input_shape": [60, 60, 1],
        "num_classes": 10,
        "capacity": "dynamic",
        "hint_weight": 0.01,
        **DYNAMIC_CAPACITY["cluttered_mnist"],
    },
    "data": "mnist_cluttered_60",
    "training": {
        "epochs": 2,
        "batch_size": 64,
        "optimizer": "adamw",
        "learning_rate": 0.012,
        "schedule": "one_cycle",
        "weight_decay": 1e-3,
        "jit_compile": False,
        "seed": 0,
    },
}


def _stn_rotated(data, epochs):
    sizes = SPATIAL_TRANSFORMER["mnist"]
    return {
        "builder": "spatial_transformer_network",
        "builder_args": {
            "input_shape": [28, 28, 1],
            "num_classes": 10,
            "transform": "affine",
            **sizes,
            "filters": list(sizes["filters"]),
            "localization_filters": list(sizes["localization_filters"]),
        },
        "data": data,
        "training": {
            "epochs": epochs,
            "batch_size": 64,
            "optimizer": "adamw",
            "learning_rate": 2e-3,
            "schedule": "one_cycle",
            "weight_decay": 1e-3,
            "jit_compile": False,
            "seed": 0,
        },
    }


_STN_MOVED = {
    **_stn_rotated("digits_rotated_scaled_translated", 40),
    "builder_args": {
        "input_shape": [42, 42, 1],
        "num_classes": 10,
        "transform": "affine",
        "output_size": [28, 28],
        "filters": [],
        "units": 32,
        "localization_filters": [16, 16],
        "localization_units": 32,
    },
}

RECIPES = {
    "attention20_cifar10": _ATTENTION_20_CIFAR,
    "dcn_mnist_cluttered_60": _DYNAMIC_CAPACITY,
    "ra_cnn_glyphs": _RA_CNN,
    "ram_digits_translated_40": _ram_translated_40("digits_translated_40", 100),
    "ram_mnist_translated_40": _ram_translated_40("mnist_translated_40", 20),
    "resnet20_cifar10": {**_resnet_20(None), **_CIFAR},
    "stn_digits_rotated": _stn_rotated("digits_rotated", 20),
    "stn_digits_rotated_scaled_translated": _STN_MOVED,
    "stn_mnist_rotated": _stn_rotated("mnist_rotated", 8),
    "se_resnet20_cifar10": {**_resnet_20("se"), **_CIFAR},
    "cbam_resnet20_cifar10": {**_resnet_20("cbam"), **_CIFAR},
    "cbam_resnet20_fashion_mnist": {
        **_resnet_20("cbam", (28, 28, 1)),
        "data": "fashion_mnist",
        "training": {
            "epochs": 6,
            "batch_size": 128,
            "optimizer": "sgd",
            "learning_rate": 0.2,
            "schedule": "one_cycle",
            "weight_decay": 1e-3,
            "augment": ["flip"],
            "seed": 0,
        },
    },
}


def _from_scratch(builder_args, epochs, **training):
    return {
        "builder_args": builder_args,
        "training": {
            "epochs": epochs,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 2e-3,
            "schedule": "one_cycle",
            "weight_decay": 1e-2,
            "seed": 0,
            **training,
        },
    }


# The size of the images follows from the data, or is the backbone's own.
FROM_SCRATCH = {
    "attention_backbone": {
        **_from_scratch(
            {"name": "EfficientNetV2B0", "attention": "cbam"},
            5,
            learning_rate=1e-3,
        ),
        "backbone_weights": "imagenet",
        "image": {"image_size": "own", "channels": 3},
        "steps": 300,
    },
    "attention_resnet": _from_scratch(
        _resnet_20("cbam")["builder_args"],
        20,
        optimizer="sgd",
        learning_rate=0.05,
        weight_decay=2e-3,
    ),
    "dynamic_capacity_network": _from_scratch(
        {
            "capacity": "dynamic",
            "hint_weight": 0.01,
            **DYNAMIC_CAPACITY["cluttered_mnist"],
        },
        20,
        jit_compile=False,
    ),
    "ra_cnn": _from_scratch(
        {
            "num_scales": 3,
            **RA_CNN["glyphs"],
            "filters": list(RA_CNN["glyphs"]["filters"]),
            "pretraining_steps": 500,
        },
        20,
    ),
    "recurrent_attention_model": _from_scratch(
        dict(RECURRENT_ATTENTION["translated_40"]), 60
    ),
    "residual_attention_network": _from_scratch(
        _ATTENTION_20,
        20,
        optimizer="sgd",
        learning_rate=0.05,
        weight_decay=2e-3,
    ),
    "spatial_transformer_network": _from_scratch(
        {"transform": "affine"}, 20, jit_compile=False
    ),
}
for _recipe in FROM_SCRATCH.values():
    for _own in ("input_shape", "num_classes"):
        _recipe["builder_args"].pop(_own, None)
