# %% [markdown]
# # Saliency: what stands out
#
# You train a network to find the one object that is unlike all others, see where it
# looks, and compare it with a plain decoder on the same encoder.
#
# {badge} · about six minutes on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 12
SAMPLES = 2000  # images to learn from
SEEDS = [0]

# %% [markdown]
# ## The data
#
# Pictures made by rule: four or five objects, one of which differs in size, colour or
# shape. A red circle is odd among blue ones and ordinary among red ones, so a look at
# one object alone does not tell.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

import zoo
from keras_attention import ContextAwarePyramid
from zoo.data.masks import load_masks

train = load_masks("odd_one_out", "train").take(np.arange(SAMPLES))
test = load_masks("odd_one_out", "test").take(np.arange(200))
print(test.found())
fig, axes = plt.subplots(2, 5, figsize=(8, 3.5))
for image, mask, column in zip(test.images, test.masks, axes.T):
    column[0].imshow(image)
    column[1].imshow(mask, cmap="gray")
for ax in axes.flat:
    ax.axis("off")
plt.show()

# %% [markdown]
# ## The idea
#
# The decoder of PFAN reads the deep feature maps at several distances, weighs their
# channels, and lets them say which places of the shallow maps count:
#
#     seen[level] = concat(conv1x1(level), conv3x3(level, rate) for each rate)
#     high = conv1x1(gate(concat over levels of resize(seen[level])))
#     output = concat(sigmoid(row_and_column(high)) * low, resize(high))

# %%
print(inspect.getsource(ContextAwarePyramid.call))

# %% [markdown]
# ## The model

# %%
SIZES = {
    "filters": [8, 16, 32, 64],
    "decoder_filters": 16,
    "rates": [1, 2, 3],
}


def trained(seed, **options):
    task = zoo.new(
        *("saliency", "salient_object_detector", train),
        **{"seed": seed, **SIZES, **options},
    )
    task.fit(train, epochs=EPOCHS, learning_rate=4e-3, verbose=0)
    return task


task = trained(SEEDS[0])
task.summary(print_fn=print)

# %% [markdown]
# ## Train

# %%
plt.figure(figsize=(5, 2.5))
plt.plot([row["loss"] for row in task.history])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
for metric, value in task.evaluate(test).items():
    print(f"{metric:12}{value:.3f}")

# %% [markdown]
# ## Where it looked

# %%
images = list(test.images[:6])
task.picture(images, task.look(images))

# %% [markdown]
# ## Against the baseline
#
# A plain U-Net decoder, without attention; the same data, epochs and seeds. The largest F-measure,
# which weighs precision, is better when higher; the mean absolute error when lower.

# %%
models = {
    "PFAN": [task] + [trained(seed) for seed in SEEDS[1:]],
    "no attention": [trained(seed, decoder="plain") for seed in SEEDS],
}
for name, tasks in models.items():
    scores = [each.evaluate(test) for each in tasks]
    best, error = (
        np.mean([score[key] for score in scores]) for key in ("max_f", "mae")
    )
    print(f"{name:14}F {best:.3f}   MAE {error:.3f}   seeds {SEEDS}")

# %% [markdown]
# PFAN's decoder finds most of the odd objects, the plain one far fewer (one seed). It
# has gates, and reads at several distances: which of them does it is not measured here.
# Trained on twice the pictures and longer, `pfan_odd_one_out` reaches an F of
# 0.967 (`zoo show pfan_odd_one_out`).
#
# ## Your turn
#
# - `decoder="picanet"`: each pixel attends to the pixels around it. It takes four times
#   as long.
# - Your own pictures: a folder with `images/` and `masks/`, files of the same names,
#   black and white, in place of `"odd_one_out"`.
#
# **References.** T. Zhao, X. Wu: *Pyramid Feature Attention Network for Saliency
# Detection*, CVPR 2019, <https://arxiv.org/abs/1903.00179>. N. Liu, J. Han, M.-H. Yang:
# *PiCANet: Learning Pixel-wise Contextual Attention for Saliency Detection*, CVPR 2018,
# <https://arxiv.org/abs/1708.06433>.
