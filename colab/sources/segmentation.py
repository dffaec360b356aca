# %% [markdown]
# # Segmentation: a class for each pixel
#
# You train a pyramid attention network to find squares, circles and triangles, see
# what its attention lets through, and compare it with plain skips.
#
# {badge} · about four minutes on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 5
SAMPLES = 1500  # images to learn from
SEEDS = [0]

# %% [markdown]
# ## The data
#
# Scenes made by rule. A mask has a number for each pixel of its image: its class.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

import zoo
from keras_attention import GlobalAttentionUpsample
from zoo.data.masks import load_masks, palette

train = load_masks("scene_shapes", "train").take(np.arange(SAMPLES))
test = load_masks("scene_shapes", "test").take(np.arange(200))
print(test.found())
fig, axes = plt.subplots(2, 4, figsize=(8, 4))
for image, mask, column in zip(test.images, test.masks, axes.T):
    column[0].imshow(image)
    column[1].imshow(palette(4)[mask])
for ax in axes.flat:
    ax.axis("off")
plt.show()

# %% [markdown]
# ## The idea
#
# A deep feature map knows what is there, a shallow one exactly where. Global
# attention upsample lets the deep map decide which channels of the shallow one
# count:
#
#     gate = relu(norm(conv1x1(mean(high))))
#     output = relu(resize(conv1x1(high)) + conv3x3(low) * gate)

# %%
print(inspect.getsource(GlobalAttentionUpsample.call))

# %% [markdown]
# ## The model

# %%
SIZES = {"filters": [8, 16, 32, 64], "decoder_filters": 16}


def trained(seed, **options):
    task = zoo.new(
        *("segmentation", "pyramid_attention_network", train),
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
    print(f"{metric:16}{value:.3f}")

# %% [markdown]
# ## Where it looked
#
# The mask over each image, and below it what the attention of the pyramid and the
# gates of the last skip were.

# %%
images = list(test.images[:6])
task.picture(images, task.look(images))

# %% [markdown]
# ## Against the baseline
#
# The same network with its shallow maps added as they are, and without them; the same
# data, epochs and seeds. Mean IoU: of the pixels that are a class or are said to be,
# the share that are both.

# %%
models = {
    "attention": [task] + [trained(seed) for seed in SEEDS[1:]],
    "plain sum": [trained(seed, upsample="add") for seed in SEEDS],
    "no skip": [trained(seed, upsample="none") for seed in SEEDS],
}
for name, tasks in models.items():
    found = [each.evaluate(test)["mean_iou"] for each in tasks]
    print(
        f"{name:12}{np.mean(found):.3f}   seeds {SEEDS}: {np.round(found, 3)}"
    )

# %% [markdown]
# After so few steps attention is behind: the plain sum has learned faster. Given more of
# them it gets there: `pan_scene_shapes`, with five times the scenes and ten epochs, has a
# mean IoU of 0.999 (`zoo show pan_scene_shapes`).
#
# ## Your turn
#
# - Your own pictures: a folder with `images/` and `masks/`, files of the same names,
#   in place of `"scene_shapes"`; in a shell
#   `zoo train --task segmentation --network pyramid_attention_network --data FOLDER`.
# - What stands out in a picture, one probability for each pixel, is the task of the
#   notebook `saliency`.
#
# **References.** H. Li, P. Xiong, J. An, L. Wang: *Pyramid Attention Network for
# Semantic Segmentation*, BMVC 2018, <https://arxiv.org/abs/1805.10180>.
