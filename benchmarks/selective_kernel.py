"""How to compute the groups of selective kernels, beside PyTorch's own.

    python benchmarks/selective_kernel.py

times a forward pass and a training step (forward, then the gradients of inputs
and weights) of `SelectiveKernel`, 32 groups, two kernels, with its groups
computed as one plain convolution that is zero between them; in parts, as the
layer does; by TensorFlow's own grouped convolution, forward alone, since its
gradient takes too long; and by PyTorch's in the same layer written there by
hand. Call by call in turn; the ratio is the median of the rounds. Batches of 8,
float32. The outputs of all are compared first.

The table is printed, and every figure kept in
`benchmarks/selective_kernel.json`; called again after a kill, it goes on where
it was. For TensorFlow, with PyTorch installed beside it.
"""

import json
import pathlib
import statistics

import keras
import numpy as np
import tensorflow as tf
import torch
import typer
from keras import ops
from sequence import STEPS, call_of, ratio, seconds_in_turn
from torch import nn

import keras_attention as ka
from keras_attention.feature_map import selective_kernel
from zoo import saving
from zoo.atomic import replacing

BATCH, GROUPS = 8, 32
MAPS = ((32, 32, 64), (14, 14, 256), (56, 56, 256), (14, 14, 1024))
FIGURES = pathlib.Path(__file__).with_suffix(".json")


class Grouped(ka.SelectiveKernel):
    """By the grouped convolution of the backend."""

    def _in_groups(self, inputs, kernel, **options):
        return ops.conv(inputs, kernel, **options)


class ByHand(nn.Module):
    """The layer in PyTorch."""

    def __init__(self, channels):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(
                    channels,
                    channels,
                    3,
                    padding=dilation,
                    dilation=dilation,
                    groups=GROUPS,
                    bias=False,
                ),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for dilation in (1, 2)
        )
        width = max(channels // 16, 32)
        self.reduce = nn.Sequential(
            nn.Linear(channels, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
        )
        self.select = nn.Linear(width, 2 * channels, bias=False)

    def forward(self, x):
        maps = torch.stack([branch(x) for branch in self.branches], 1)
        scores = self.select(self.reduce(maps.sum(1).mean((2, 3))))
        shares = scores.reshape(len(x), 2, -1, 1, 1).softmax(1)
        return (shares * maps).sum(1)


def main(rounds: int = 9, figures: pathlib.Path = FIGURES):
    """Fills the table, and prints it."""
    setting = {"rounds": rounds, "threads": torch.get_num_threads()}
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "cells": {}}
    for shape in MAPS:
        cell = str(shape)
        if cell in known["cells"]:
            continue
        print(cell, flush=True)
        known["cells"][cell] = measured(shape, rounds)
        known["versions"] = {
            **saving.versions(),
            "tensorflow": tf.__version__,
            "torch": torch.__version__,
        }
        with replacing(figures) as part:
            part.write_text(json.dumps(known, indent=1) + "\n")
        keras.backend.clear_session()
    print(table(known["cells"]))


def measured(shape, rounds):
    """Seconds of both steps, for each side in each round."""
    data = tf.random.normal((BATCH, *shape))
    model = keras.Sequential([ka.SelectiveKernel(shape[-1], groups=GROUPS)])
    by_hand, images = ByHand(shape[-1]), data.numpy().transpose(0, 3, 1, 2)
    images = torch.tensor(images, requires_grad=True)
    model(data)
    give(model.layers[0], by_hand)

    calls = {step: {} for step in STEPS}
    outputs = {"by hand": by_hand.eval()(images).detach().permute(0, 2, 3, 1)}
    grouped = keras.Sequential([Grouped(shape[-1], groups=GROUPS)])
    grouped(data)
    grouped.set_weights(model.get_weights())
    outputs["grouped"] = grouped(data)
    calls["forward"]["grouped"] = call_of("forward", grouped, data)
    own = selective_kernel.PART
    for side, part in {"in parts": own, "as one": shape[-1]}.items():
        selective_kernel.PART = part  # read where a step is traced
        outputs[side] = model(data)
        for step in STEPS:
            calls[step][side] = call_of(step, model, data)
    selective_kernel.PART = own
    for found in outputs.values():
        np.testing.assert_allclose(found, outputs["by hand"], atol=1e-3)

    def forward():
        by_hand.eval()
        with torch.no_grad():
            by_hand(images)

    def training():
        by_hand.train()
        loss = by_hand(images).square().mean()
        torch.autograd.grad(loss, [images, *by_hand.parameters()])

    calls["forward"]["by hand"] = forward
    calls["training"]["by hand"] = training
    return {step: seconds_in_turn(calls[step], rounds) for step in STEPS}


def give(layer, by_hand):
    """The weights of a layer of Keras for the same layer of PyTorch."""
    convolutions = [branch[0] for branch in by_hand.branches]
    for ours, theirs in zip(layer.conv_kernels, convolutions, strict=True):
        theirs.weight.data = torch.tensor(ours.numpy()).permute(3, 2, 0, 1)
    for ours, theirs in (
        (layer.reduce, by_hand.reduce[0]),
        (layer.select, by_hand.select),
    ):
        theirs.weight.data = torch.tensor(ours.kernel.numpy().T.copy())


def table(cells):
    """Each way as a multiple of PyTorch's time."""
    rows = [
        "| map | PyTorch, ms | in parts | as one | grouped, forward |",
        "| --- | --- | --- | --- | --- |",
    ]
    for cell, found in cells.items():
        row = ["x".join(cell.strip("()").split(", "))]
        row.append(
            ", ".join(
                f"{1000 * statistics.median(found[step]['by hand']):.1f}"
                for step in STEPS
            )
        )
        for side in ("in parts", "as one"):
            row.append(
                ", ".join(
                    f"{ratio(found[step], side, 'by hand'):.2f}"
                    for step in STEPS
                )
            )
        row.append(f"{ratio(found['forward'], 'grouped', 'by hand'):.2f}")
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    typer.run(main)
