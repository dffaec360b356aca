# %% [markdown]
# # Attach attention to your backbone
#
# You put `CBAM` into a network of `keras.applications` without changing its answers,
# fine-tune it, and test whether its maps tell the truth about the model.
#
# {badge} · about two minutes on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 6
SAMPLES = 600  # pictures to learn from
SEEDS = [0]
WEIGHTS = None  # "imagenet" downloads pretrained weights

# %% [markdown]
# ## The data
#
# Shapes on a textured background, made by rule; the class is the shape of the only
# large object. Put your own pictures here.

# %%
import inspect

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_attention import (
    CBAM,
    attach_attention,
    attachment_points,
    attention_maps,
    faithfulness,
    grad_cam,
    pictures,
)
from zoo.data import scenes


def examples(count, seed):
    drawn = scenes.make(count, seed)
    large = drawn.kinds[:, :, 0] == 1
    one = np.flatnonzero(large.sum(axis=1) == 1)
    return drawn.images[one], drawn.kinds[one, large[one].argmax(axis=1), 2]


(images, labels), (others, truth) = examples(3 * SAMPLES, 1), examples(300, 2)
images, labels = images[:SAMPLES], labels[:SAMPLES]
figure, axes = plt.subplots(1, 4, figsize=(8, 2.2))
for ax, image, label in zip(axes, images, labels):
    ax.imshow(image)
    ax.set(title=f"large {scenes.SHAPES[label]}", xticks=[], yticks=[])

# %% [markdown]
# ## The idea
#
# The papers put attention at the end of each residual branch, before the sum. There
# it can start as the identity: with gates that are exactly 1 the network answers as
# before, and learns from there what to weigh.
#
#     y = x + gate(F(x)) * F(x),    gate = 1 before training
#
# `attachment_points` lists such places in any functional or Sequential model:

# %%
print(inspect.signature(attach_attention))
shape = (64, 64, 3)
keras.utils.set_random_seed(SEEDS[0])
whole = keras.applications.MobileNetV2(
    include_top=False, weights=WEIGHTS, input_shape=shape
)
# Small pictures: the first third of the network, to a map of 8 x 8.
backbone = keras.Model(whole.input, whole.get_layer("block_5_add").output)
for layer in backbone.layers:
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.momentum = 0.9  # a few hundred steps only
points = attachment_points(backbone)
for point in points:
    print(f"{point.name:24}{point.shape}")

# %% [markdown]
# ## The model
#
# A gate at each of these places, and a new head. All weights are kept:

# %%
gate = lambda: CBAM(identity_start=True)
with_cbam = attach_attention(backbone, gate)
some = np.random.default_rng(0).uniform(-1, 1, (2, *shape))
before, after = backbone(some), with_cbam(some)
change = keras.ops.max(keras.ops.abs(before - after))
print("largest change of an output:", float(change))
print(f"{backbone.count_params():,} -> {with_cbam.count_params():,} parameters")


# %%
def classifier(body):
    image = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    x = keras.layers.GlobalAveragePooling2D()(body(x))
    answer = keras.layers.Dense(len(scenes.SHAPES), activation="softmax")(x)
    return keras.Model(image, answer)


def trained(body, seed):
    keras.utils.set_random_seed(seed)
    model, rate = classifier(body), keras.optimizers.Adam(1e-3)
    loss = "sparse_categorical_crossentropy"
    model.compile(rate, loss, metrics=["accuracy"], jit_compile=False)
    log = model.fit(images, labels, batch_size=32, epochs=EPOCHS, verbose=0)
    return model, log.history


# %% [markdown]
# ## Train

# %%
model, history = trained(with_cbam, SEEDS[0])
plt.figure(figsize=(5, 2.5))
plt.plot(history["loss"])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
# %% [markdown]
# ## Where it looked
#
# The gate of the last place, beside Grad-CAM of the same place, which needs no attention
# layer: any model can be compared.

# %%
last = points[-1].name
shown = others[:32]
body = next(layer for layer in model.layers if isinstance(layer, keras.Model))
path = f"{body.name}/{last}"
gates = attention_maps(model, shown)[f"{path}_cbam"]["spatial"]
raised = grad_cam(model, shown, layer=path)
pictures.attention_grid(
    shown[:3], {"the gate of CBAM": gates[:3], "Grad-CAM": raised[:3]}
)

# %% [markdown]
# Does the answer rest on what a map shows? `faithfulness` deletes pixels in the order
# of the map and in a random order. A faithful map makes the probability fall sooner:
# the area under its curve is the smaller one.

# %%
for name, maps in {"gate": gates, "Grad-CAM": raised}.items():
    found = faithfulness(model, shown, maps, steps=4)["deletion"]
    less = np.asarray(found["area"]) - np.asarray(found["random_area"])
    error = less.std(ddof=1) / len(less) ** 0.5
    print(
        f"{name:10}area less that of a random map: {less.mean():+.3f} +- {error:.3f}"
    )

# %% [markdown]
# ## Against the baseline
#
# The same backbone without attention: the same first weights, data, epochs and seed.

# %%
plain, _ = trained(backbone, SEEDS[0])
for name, each in {"with CBAM": model, "without": plain}.items():
    accuracy = each.evaluate(others, truth, verbose=0, return_dict=True)[
        "accuracy"
    ]
    print(f"{name:12}{accuracy:.3f}   seed {SEEDS[0]}, {len(others)} pictures")

# %% [markdown]
# As good with attention as without, within what 131 pictures can tell. Both maps lead to
# the pixels that count better than chance; Grad-CAM, which follows the class, more so.
#
# ## Your turn
#
# - `WEIGHTS = "imagenet"` and your own pictures at 224 x 224: freeze the old layers for
#   the first epochs, so that gates and head learn first.
# - `where="*_expand_relu"`, a class, or a function of the place; or another layer:
#   `SEBlock(identity_start=True)`.
#
# **References.** S. Woo, J. Park, J.-Y. Lee, I. S. Kweon: *CBAM: Convolutional Block
# Attention Module*, ECCV 2018, <https://arxiv.org/abs/1807.06521>. R. R. Selvaraju et
# al.: *Grad-CAM*, ICCV 2017, <https://arxiv.org/abs/1610.02391>. V. Petsiuk, A. Das,
# K. Saenko: *RISE*, BMVC 2018, <https://arxiv.org/abs/1806.07421>.
