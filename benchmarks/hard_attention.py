"""Does it pay to learn where to look, and does the baseline help?

    python benchmarks/hard_attention.py

The recurrent attention model (Mnih et al. 2014) on the digits of MNIST, each at
a random place of a black image of 40 x 40 pixels (`mnist_translated_40`). It
takes four glimpses: 8 x 8 pixels sharply, and 16 x 16 at half the resolution.
The same network learns by three policies:

`learned`: the places are drawn around what the locator says, which learns by
REINFORCE from whether the answer was right. In inference the first glimpse is
at the centre, and the others where the locator says.

`random`: the places are uniform over the image, in inference too.

`centre`: all four glimpses are at the centre, near which the digits are.

`learned, then random`: the network of `learned`, at random places in
inference: what the policy alone is worth to it.

Measured on the test part: accuracy, and the share of the last glimpses whose
centre is in the digit's box.

Beside it, the variance of the locator's gradient: the same 128 training images,
200 draws of the places, with the baseline and without, the weights being those
after the first epoch and those at the end. It is the sum of the variances of
all entries of the gradient.

The tables are printed, and every figure kept in
`benchmarks/hard_attention.json`; called again after a kill, it goes on where it
was.
"""

import json
import pathlib
import statistics
import time

import keras
import numpy as np
import typer
from keras import ops

from keras_attention.functional.estimators import score_function_loss
from keras_attention.looking import attention_maps
from zoo import saving
from zoo.atomic import replacing
from zoo.data.distorted_digits import distorted_digits
from zoo.data.images import load_images
from zoo.image_classification.recurrent_attention_model import (
    PRESETS,
    recurrent_attention_model,
)
from zoo.own_loss import NetworkWithOwnLoss

FIGURES = pathlib.Path(__file__).with_suffix(".json")
KINDS = ("learned", "random", "centre")
BATCH, DRAWS = 128, 200
READING = ("patches", "place", "from_patches", "from_place")
READING += ("from_glimpse", "from_state")


def main(
    images: int = 20_000,
    epochs: int = 20,
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Accuracy by policy, and the variance of the locator's gradient."""
    setting = {
        "images": images,
        "epochs": epochs,
        "batch": BATCH,
        "draws": DRAWS,
        "network": PRESETS["translated_40"],
    }
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get("setting") != setting:
        known = {"setting": setting, "runs": {}}
    parts = {}
    for seed in range(seeds):
        for kind in KINDS:
            if f"{kind}, {seed}" in known["runs"]:
                continue
            parts = parts or {
                split: distorted_digits(
                    load_images("mnist", split), "translated_40", split, count
                )
                for split, count in (("train", images), ("test", None))
            }
            found = run(kind, parts, epochs, seed)
            print(f"{kind}, {seed}: {found}", flush=True)
            known["runs"][f"{kind}, {seed}"] = found
            known["versions"] = saving.versions()
            with replacing(figures) as part:
                part.write_text(json.dumps(known, indent=1) + "\n")
            keras.backend.clear_session()
    show([known["runs"][f"learned, {seed}"] for seed in range(seeds)], known)


def show(learned, known):
    rows = {kind: [] for kind in KINDS}
    for name, found in known["runs"].items():
        rows[name.split(",")[0]].append(found)
    rows["learned, then random"] = [
        {"accuracy": run["accuracy_at_random"]} for run in learned
    ]
    print("| policy | accuracy | last glimpse in the digit's box |")
    print("| --- | --- | --- |")
    for kind, runs in rows.items():
        inside = [run["inside"] for run in runs if "inside" in run]
        print(
            f"| {kind} | {mean_and_spread([run['accuracy'] for run in runs])} "
            f"| {mean_and_spread(inside) if inside else ''} |"
        )
    columns = ("with the baseline", "without", "ratio")
    print(f"\n| variance of the locator's gradient | {' | '.join(columns)} |")
    print("| --- | --- | --- | --- |")
    for when in ("after the first epoch", "at the end"):
        pairs = [run["variance"][when] for run in learned]
        entries = [
            mean_and_spread(values)
            for values in (
                [with_it for with_it, _ in pairs],
                [without for _, without in pairs],
                [with_it / without for with_it, without in pairs],
            )
        ]
        print(f"| {when} | {' | '.join(entries)} |")


def run(kind, parts, epochs, seed):
    """Trains a network, and measures it."""
    keras.utils.set_random_seed(seed)
    train, test = parts["train"], parts["test"]
    model = network(kind)
    steps = epochs * -(-len(train.images) // BATCH)
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0, steps, warmup_target=1e-3, warmup_steps=steps // 20
            ),
            weight_decay=1e-3,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    early = {}

    def note(epoch, logs):
        if epoch == 0:
            early["weights"] = model.get_weights()

    started = time.perf_counter()
    model.fit(
        train.images,
        train.labels,
        batch_size=BATCH,
        epochs=epochs,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=note)],
        verbose=2,
    )
    seconds = time.perf_counter() - started
    found = {
        "accuracy": accuracy(model, test),
        "inside": inside(model, test),
        "seconds": seconds,
    }
    if kind == "learned":
        found["accuracy_at_random"] = accuracy(at_random(model), test)
        found["variance"] = {"at the end": variances(model, train)}
        model.set_weights(early["weights"])
        found["variance"]["after the first epoch"] = variances(model, train)
    return found


def network(policy):
    return recurrent_attention_model(
        (40, 40, 1), 10, policy=policy, **PRESETS["translated_40"]
    )


def at_random(model):
    """The same network, which looks anywhere."""
    other = network("random")
    for name in READING:
        own, learned = (
            getattr(each.get_layer("glimpses"), name) for each in (other, model)
        )
        own.set_weights(learned.get_weights())
    head = model.get_layer("logits").get_weights()
    other.get_layer("logits").set_weights(head)
    return other


def accuracy(model, test):
    logits = model.predict(test.images, batch_size=500, verbose=0)
    return float(np.mean(logits.argmax(axis=-1) == test.labels))


def inside(model, test, count=2000):
    """The share of the last glimpses that are centred in the digit's box."""
    images = test.images[:count].astype("float32")
    maps = attention_maps(model, images, batch_size=500)
    centre = maps["glimpses"]["glimpses"][:, -1, 0, :, 2]  # -1 to 1
    sides = np.array(images.shape[2:0:-1])
    pixels = (centre + 1) * sides / 2  # from the image's edge
    box = test.truth["box"][:count]
    within = (pixels >= box[:, :2]) & (pixels <= box[:, :2] + box[:, 2:])
    return float(np.mean(within.all(axis=-1)))


def variances(model, train):
    """Variance of the locator's gradient, with the baseline and without."""
    images = train.images[:BATCH].astype("float32")
    labels = train.labels[:BATCH]
    locator = model.get_layer("glimpses").locator
    weights = locator.get_weights()
    found = []
    for with_baseline in (True, False):
        scored = score_network(model, with_baseline)
        gradients = []
        for _ in range(DRAWS):
            # Of a rate of 1, a step is the gradient.
            scored.train_on_batch(images, labels)
            steps = zip(weights, locator.get_weights(), strict=True)
            gradients.append(
                np.concatenate([(old - new).ravel() for old, new in steps])
            )
            locator.set_weights(weights)
        found.append(float(np.sum(np.var(gradients, axis=0, ddof=1))))
    return found


def score_network(model, with_baseline):
    """The layers of `model`, which learn from the score function alone."""
    image = keras.Input((40, 40, 1))
    seen = model.get_layer("glimpses")(model.get_layer("rescaling")(image))
    logits = model.get_layer("logits")(seen.pop("state"))

    def loss(labels, logits, more):
        right = ops.equal(
            ops.cast(ops.argmax(logits, axis=-1), "int32"),
            ops.cast(labels, "int32"),
        )
        baseline = more["baseline"]
        reward = ops.cast(right, "float32")[:, None] + ops.zeros_like(baseline)
        score = score_function_loss(
            more["log_probability"], reward, baseline if with_baseline else None
        )
        return score + 0.0 * ops.sum(baseline, axis=-1)

    scored = NetworkWithOwnLoss(image, logits, seen, loss)
    scored.compile(
        keras.optimizers.SGD(1.0),
        lambda labels, logits: 0.0 * logits,
        jit_compile=False,
    )
    return scored


def mean_and_spread(values):
    spread = statistics.stdev(values) if len(values) > 1 else 0
    return f"{statistics.mean(values):.3f} ± {spread:.3f}"


if __name__ == "__main__":
    typer.run(main)
