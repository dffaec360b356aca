"""Recipes: how each preset of image classification is trained, as data."""

from zoo.image_classification.attention_resnet import PRESETS

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


RECIPES = {
    "resnet20_cifar10": {**_resnet_20(None), **_CIFAR},
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
