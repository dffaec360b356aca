"""What an attached CBAM costs, beside the same gate written into the model.

    python benchmarks/attach.py

times training steps of networks of `keras.applications`: as they are, with CBAM
attached before every residual sum, and written anew by hand with CBAM at those
places. The three run in turn, so that a busy machine slows them alike. The
table is printed, and every figure kept in `benchmarks/attach.json`.
"""

import json
import pathlib
import time

import keras
import numpy as np
import typer
from keras import layers

from keras_attention import CBAM, attach_attention
from zoo import saving
from zoo.atomic import replacing

CLASSES = 10
FIGURES = pathlib.Path(__file__).with_suffix(".json")


def main(
    size: int = 64,
    batch: int = 8,
    steps: int = 30,
    figures: pathlib.Path = FIGURES,
):
    """Fills the table, and prints it."""
    setting = {"size": size, "batch": batch, "steps": steps}
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "networks": {}}
    for name in BY_HAND:
        if name not in known["networks"]:
            known["networks"][name] = measured(name, size, batch, steps)
            known["versions"] = saving.versions()
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    print(table(known["networks"]))


def measured(name, size, batch, steps):
    """Parameters and seconds of each step of the three networks."""
    plain = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classes=CLASSES
    )
    models = {
        "plain": plain,
        "attached": attach_attention(plain, CBAM),
        "by hand": BY_HAND[name](size),
    }
    parameters = {kind: model.count_params() for kind, model in models.items()}
    if parameters["attached"] != parameters["by hand"]:
        raise ValueError(
            "The network by hand must be the attached one. "
            f"Received: parameters={parameters}"
        )
    return {
        "parameters": parameters,
        "step_seconds": step_seconds(models, size, batch, steps),
    }


def step_seconds(models, size, batch, steps):
    """Seconds of each training step, all models in turn."""
    random = np.random.default_rng(0)
    images = random.random((batch, size, size, 3)).astype("float32")
    labels = random.integers(0, CLASSES, batch)
    for model in models.values():
        model.compile(
            "sgd", "sparse_categorical_crossentropy", jit_compile=False
        )
    seconds = {kind: [] for kind in models}
    for step in range(steps + 3):
        for kind, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(images, labels)
            if step >= 3:  # the first ones trace and warm up
                seconds[kind].append(time.perf_counter() - start)
    return seconds


def mobilenet_v2(size):
    """`keras.applications.MobileNetV2`, with CBAM in its residual branches."""
    image = keras.Input((size, size, 3))
    x = normalised(convolved(image, 32, 3, 2), "relu6")
    stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    for expansion, filters, blocks, strides in stages:
        for i in range(blocks):
            x = inverted_block(x, expansion, filters, strides if i == 0 else 1)
    x = normalised(convolved(x, 1280, 1), "relu6")
    return classified(image, x)


def inverted_block(inputs, expansion, filters, strides):
    x = inputs
    if expansion > 1:
        wide = expansion * inputs.shape[-1]
        x = normalised(convolved(x, wide, 1), "relu6")
    x = layers.DepthwiseConv2D(
        3, strides=strides, padding="same", use_bias=False
    )(x)
    x = normalised(x, "relu6")
    x = normalised(convolved(x, filters, 1))
    if strides > 1 or inputs.shape[-1] != filters:
        return x
    return layers.Add()([inputs, CBAM()(x)])


def resnet_50(size):
    """`keras.applications.ResNet50`, with CBAM in its residual branches."""
    image = keras.Input((size, size, 3))
    x = normalised(convolved(image, 64, 7, 2, use_bias=True), "relu")
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for i in range(blocks):
            strides = 2 if i == 0 and stage > 0 else 1
            x = bottleneck(x, 64 * 2**stage, strides, project=i == 0)
    return classified(image, x)


def bottleneck(inputs, filters, strides, project):
    x, shortcut = inputs, inputs
    if project:
        shortcut = convolved(inputs, 4 * filters, 1, strides, use_bias=True)
        shortcut = normalised(shortcut)
    x = normalised(convolved(x, filters, 1, strides, use_bias=True), "relu")
    x = normalised(convolved(x, filters, 3, use_bias=True), "relu")
    x = normalised(convolved(x, 4 * filters, 1, use_bias=True))
    return layers.ReLU()(layers.Add()([shortcut, CBAM()(x)]))


def convolved(x, filters, kernel_size, strides=1, use_bias=False):
    return layers.Conv2D(
        filters, kernel_size, strides, padding="same", use_bias=use_bias
    )(x)


def normalised(x, activation=None):
    x = layers.BatchNormalization()(x)
    return layers.Activation(activation)(x) if activation else x


def classified(image, x):
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(x))


BY_HAND = {"MobileNetV2": mobilenet_v2, "ResNet50": resnet_50}


def table(networks):
    rows = [
        "| network | parameters | with CBAM | step time, plain = 1: attached "
        "| by hand | attached, by hand = 1 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in networks.items():
        seconds = {k: np.array(v) for k, v in found["step_seconds"].items()}
        plain, attached, by_hand = seconds.values()
        ratios = (attached / plain, by_hand / plain, attached / by_hand)
        rows.append(
            f"| {name} | {found['parameters']['plain']:,} "
            f"| {found['parameters']['attached']:,} | "
            + " | ".join(f"{np.median(ratio):.2f}" for ratio in ratios)
            + " |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    typer.run(main)
