"""What each layer costs, beside a plain convolution of the same input.

    python benchmarks/layer_costs.py

times a forward pass and a training step (forward, then the gradients of inputs
and weights) of every layer, in turn with those of a convolution of width 3 to
64 channels over the layer's largest input (a dense layer, where that is one
vector for each sample), so that a busy machine slows both alike. Batches of 8:
maps and images of 32 x 32, sequences of 128, 64 features.

The table is printed, and every figure kept in `benchmarks/layer_costs.json`;
called again after a kill, it goes on where it was. For TensorFlow.
"""

import json
import math
import pathlib
import statistics
import time

import keras
import tensorflow as tf
import typer

import keras_attention as ka
from zoo import saving
from zoo.atomic import replacing

BATCH, WIDTH = 8, 64
MAP = (32, 32, WIDTH)
SEQUENCE = (128, WIDTH)
PAIR = {"left": SEQUENCE, "right": (96, WIDTH)}
LOOK = {"query": SEQUENCE, "value": SEQUENCE}
WORD = {"query": (1, WIDTH), "value": SEQUENCE}  # a decoder's step
QUESTION = {"query": (WIDTH,), "value": SEQUENCE}
FIGURES = pathlib.Path(__file__).with_suffix(".json")


def running(cell):
    return keras.layers.RNN(cell, return_sequences=True)


# Layer -> how it is made, and the shape of each of its inputs.
LAYERS = {
    "SEBlock": (ka.SEBlock, {"inputs": MAP}),
    "CBAM": (ka.CBAM, {"inputs": MAP}),
    "ChannelAttention": (ka.ChannelAttention, {"inputs": MAP}),
    "SpatialAttention": (ka.SpatialAttention, {"inputs": MAP}),
    "BAM": (ka.BAM, {"inputs": MAP}),
    "SelectiveKernel": (lambda: ka.SelectiveKernel(WIDTH), {"inputs": MAP}),
    "ResidualAttentionModule": (ka.ResidualAttentionModule, {"inputs": MAP}),
    "GlobalAttentionUpsample": (
        lambda: ka.GlobalAttentionUpsample(WIDTH),
        {"low": MAP, "high": (16, 16, WIDTH)},
    ),
    "FeaturePyramidAttention": (
        lambda: ka.FeaturePyramidAttention(WIDTH),
        {"inputs": MAP},
    ),
    "ContextAwarePyramid": (
        lambda: ka.ContextAwarePyramid(WIDTH // 4),
        {"maps": [MAP, (16, 16, WIDTH)]},
    ),
    "PixelwiseContextualAttention": (
        lambda: ka.PixelwiseContextualAttention(units=WIDTH),
        {"inputs": MAP},
    ),
    "ScaleAttention": (
        lambda: ka.ScaleAttention(WIDTH),
        {
            "scores": [MAP, (16, 16, WIDTH)],
            "features": [MAP, (16, 16, WIDTH)],
        },
    ),
    "SpatialTransformer": (ka.SpatialTransformer, {"images": MAP}),
    "AttentionCrop": (
        lambda: ka.AttentionCrop((16, 16)),
        {"images": MAP, "box": (3,)},
    ),
    "GaussianAttention": (
        lambda: ka.GaussianAttention((16, 16)),
        {"images": MAP, "parameters": (6,)},
    ),
    "GlimpseSensor": (
        lambda: ka.GlimpseSensor(8),
        {"images": MAP, "location": (2,)},
    ),
    "EntropySaliency": (
        lambda: ka.EntropySaliency(
            keras.Sequential(
                [keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(10)]
            )
        ),
        {"features": MAP},
    ),
    "AttentionLayer": (lambda: ka.AttentionLayer("general"), LOOK),
    "BahdanauAttention": (lambda: ka.BahdanauAttention(WIDTH), LOOK),
    "LuongAttention": (lambda: ka.LuongAttention(WIDTH), LOOK),
    "HardAttention": (ka.HardAttention, LOOK),
    "SoftVisualAttention": (lambda: ka.SoftVisualAttention(WIDTH), WORD),
    "TopDownAttention": (lambda: ka.TopDownAttention(WIDTH), WORD),
    "StackedAttention": (lambda: ka.StackedAttention(WIDTH, 2), QUESTION),
    "StackedLatentAttention": (
        lambda: ka.StackedLatentAttention(WIDTH, 2),
        QUESTION,
    ),
    "GatedTanh": (lambda: ka.GatedTanh(WIDTH), {"inputs": SEQUENCE}),
    "LocalAttention": (lambda: ka.LocalAttention(10), LOOK),
    "ScaledDotProductAttention": (ka.ScaledDotProductAttention, LOOK),
    "MultiHeadAttention": (
        lambda: ka.MultiHeadAttention(4, WIDTH // 4),
        LOOK,
    ),
    "SelfAttention": (lambda: ka.SelfAttention(4), {"inputs": SEQUENCE}),
    "TransformerEncoder": (
        lambda: ka.TransformerEncoder(4 * WIDTH, 4),
        {"inputs": SEQUENCE},
    ),
    "TransformerDecoder": (
        lambda: ka.TransformerDecoder(4 * WIDTH, 4),
        {"target": SEQUENCE, "memory": SEQUENCE},
    ),
    "SinusoidalPositionEncoding": (
        ka.SinusoidalPositionEncoding,
        {"inputs": SEQUENCE},
    ),
    "LearnedPositionEncoding": (
        lambda: ka.LearnedPositionEncoding(128),
        {"inputs": SEQUENCE},
    ),
    "AttentionPooling": (
        lambda: ka.AttentionPooling(WIDTH),
        {"inputs": SEQUENCE},
    ),
    "HierarchicalAttention": (
        ka.HierarchicalAttention,
        {"inputs": (8, 16, WIDTH)},
    ),
    "ABCNN": (lambda: ka.ABCNN(WIDTH, max_length=128), PAIR),
    "PairAttentionMatrix": (ka.PairAttentionMatrix, PAIR),
    "WideConv1D": (lambda: ka.WideConv1D(WIDTH), {"inputs": SEQUENCE}),
    "MwAN": (lambda: ka.MwAN(WIDTH // 2), PAIR),
    "PervasiveAttention": (
        lambda: ka.PervasiveAttention(4, growth_rate=16),
        {"query": (24, WIDTH), "value": (32, WIDTH)},
    ),
    "MultiwayAttention": (lambda: ka.MultiwayAttention(WIDTH), PAIR),
    "GatedAggregation": (
        lambda: ka.GatedAggregation(WIDTH // 2),
        {"context": SEQUENCE, "inputs": SEQUENCE},
    ),
    "MixedAggregation": (
        lambda: ka.MixedAggregation(WIDTH // 2),
        {"inputs": (128, 4, WIDTH)},
    ),
    "AdvancedLSTMCell": (
        lambda: running(ka.AdvancedLSTMCell(WIDTH)),
        {"sequences": SEQUENCE},
    ),
    "SABCell": (
        lambda: running(ka.SABCell(WIDTH, 10, 2, 10, max_memories=64)),
        {"sequences": SEQUENCE},
    ),
    "keras.layers.LSTMCell": (  # what these two are compared with
        lambda: running(keras.layers.LSTMCell(WIDTH)),
        {"sequences": SEQUENCE},
    ),
    "MultiGateMixtureOfExperts": (
        lambda: ka.MultiGateMixtureOfExperts(8, 2, WIDTH),
        {"inputs": (WIDTH,)},
    ),
    "TransparentAttention": (
        lambda: ka.TransparentAttention(4),
        {"inputs": [SEQUENCE] * 4},
    ),
}


def main(rounds: int = 31, figures: pathlib.Path = FIGURES):
    """Fills the table, and prints it."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != {"rounds": rounds}:
        known = {"setting": {"rounds": rounds}, "layers": {}}
    for name, (make, shapes) in LAYERS.items():
        if name not in known["layers"]:
            known["layers"][name] = measured(make(), shapes, rounds)
            known["versions"] = saving.versions()
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    print(table(known["layers"]))


def measured(layer, shapes, rounds):
    """Parameters, and seconds of both steps in each round."""
    inputs = {
        name: keras.tree.map_shape_structure(
            lambda shape: keras.Input(shape, BATCH), shape
        )
        for name, shape in shapes.items()
    }
    largest = max(keras.tree.flatten(inputs), key=lambda x: math.prod(x.shape))
    models = {
        "layer": keras.Model(inputs, keras.tree.flatten(layer(**inputs))),
        "plain": keras.Model(inputs, plain(largest.shape)(largest)),
    }
    data = keras.tree.map_structure(lambda x: tf.random.normal(x.shape), inputs)
    return {
        "parameters": layer.count_params(),
        "seconds": {
            step: in_turn(
                {side: make(model, data) for side, model in models.items()},
                rounds,
            )
            for step, make in STEPS.items()
        },
    }


def plain(shape):
    """What a layer is compared with: a convolution, or a dense layer."""
    convolutions = {3: keras.layers.Conv1D, 4: keras.layers.Conv2D}
    if len(shape) not in convolutions:
        return keras.layers.Dense(WIDTH)
    return convolutions[len(shape)](WIDTH, 3, padding="same")


def forward(model, data):
    """A forward pass, as a function without arguments."""
    function = tf.function(lambda inputs: model(inputs, training=False))
    return lambda: function(data)


def training(model, data):
    """A forward pass and the gradients of all that it was computed from."""

    @tf.function
    def function(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = keras.tree.flatten(model(inputs, training=True))
            loss = sum(tf.reduce_mean(tf.square(x)) for x in outputs)
        return tape.gradient(loss, [inputs, model.trainable_variables])

    return lambda: function(data)


STEPS = {"forward": forward, "training": training}


def in_turn(calls, rounds):
    """Seconds of each call in each round, after three to trace and warm up."""
    seconds = {side: [] for side in calls}
    for number in range(rounds + 3):
        for side, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= 3:
                seconds[side].append(time.perf_counter() - start)
    return seconds


def table(layers):
    rows = [
        "| layer | inputs | parameters | forward, convolution = 1 "
        "| training step, convolution = 1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in LAYERS:
        found = layers[name]
        cells = [f"`{name}`", sizes(LAYERS[name][1])]
        cells.append(f"{found['parameters']:,}")
        for seconds in found["seconds"].values():
            ratios = [
                ours / theirs
                for ours, theirs in zip(
                    seconds["layer"], seconds["plain"], strict=True
                )
            ]
            cells.append(f"{statistics.median(ratios):.2f}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def sizes(shapes):
    """The shapes of the inputs of one sample, as 32x32x64."""
    flat = [
        shape
        for value in shapes.values()
        for shape in (value if isinstance(value, list) else [value])
    ]
    return ", ".join("x".join(map(str, shape)) for shape in flat)


if __name__ == "__main__":
    typer.run(main)
