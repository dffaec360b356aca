# %% [markdown]
# # Image classification: a ResNet with CBAM
#
# You train a small ResNet on handwritten digits, with attention and without, and
# see which places and channels it lets through.
#
# {badge} · about a minute on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 6
SAMPLES = 1437  # digits to learn from
SEEDS = [0, 1]

# %% [markdown]
# ## The data
#
# Digits of 8 x 8 pixels, from scikit-learn: nothing is downloaded.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

import zoo
from keras_attention import ChannelAttention, SpatialAttention
from zoo.data.images import load_images

train = load_images("digits").sample(SAMPLES)
test = load_images("digits", "test")
print(train, test, sep="\n")
figure, axes = plt.subplots(1, 4, figsize=(6, 1.6))
for ax, image, label in zip(axes, test.images, test.labels):
    ax.imshow(image, cmap="gray")
    ax.set(title=test.label_names[label], xticks=[], yticks=[])

# %% [markdown]
# ## The idea
#
# CBAM (Woo et al. 2018) stands at the end of each residual branch. It asks of a
# feature map `F` first *what* matters, by a gate for each channel from its mean and
# its maximum, and then *where*, by a gate for each place from the mean and the
# maximum over channels:
#
#     channel_gate = sigmoid(MLP(mean of F over places) + MLP(maximum of F over places))
#     spatial_gate = sigmoid(conv7x7[mean of F over channels, maximum of F over channels])
#
# Both halves are layers of their own. Their equations, as they run:

# %%
print(inspect.getsource(ChannelAttention.call))
print(inspect.getsource(SpatialAttention.call))

# %% [markdown]
# ## The model
#
# `zoo.new` takes the classes and the size of images from the data.


# %%
def trained(seed, attention):
    sizes = {"attention": attention, "blocks": 1}
    task = zoo.new(
        "image_classification", "attention_resnet", train, seed=seed, **sizes
    )
    task.fit(train, epochs=EPOCHS, jit_compile=False, verbose=0)
    return task


sizes = {"attention": "cbam", "blocks": 1}
zoo.new(
    "image_classification", "attention_resnet", train, **sizes
).model.summary(print_fn=print)

# %% [markdown]
# ## Train

# %%
task = trained(SEEDS[0], "cbam")
plt.figure(figsize=(5, 2.5))
plt.plot([row["loss"] for row in task.history])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
# %% [markdown]
# ## Where it looked
#
# `look` answers as `predict` does, and gives the weights of every attention layer.

# %%
answers = task.look(test.images[:4])
print(
    {name: weights.shape for name, weights in answers[0]["attention"].items()}
)
task.picture(test.images[:4], answers)

# %% [markdown]
# ## Against the baseline
#
# The same network without attention: the same data, epochs and seeds.

# %%
models = {
    "cbam": [task] + [trained(seed, "cbam") for seed in SEEDS[1:]],
    "no attention": [trained(seed, None) for seed in SEEDS],
}
for name, tasks in models.items():
    found = [each.evaluate(test)["accuracy"] for each in tasks]
    print(
        f"{name:14}{np.mean(found):.3f}   seeds {SEEDS}: {np.round(found, 3)}"
    )

# %% [markdown]
# Both read about 98 % of the digits: with pictures so small and so few seeds, nothing
# says that CBAM helps here, and nothing that it harms.
#
# ## Your turn
#
# - `attention="se"`, `"bam"` or `"sk"` in place of `"cbam"`.
# - `zoo.load("cbam_resnet20_cifar10").finetune(train, epochs=3)`: a network that
#   has seen photographs before. Which of the two learns digits faster?
#
# **References.** S. Woo, J. Park, J.-Y. Lee, I. S. Kweon: *CBAM: Convolutional
# Block Attention Module*, ECCV 2018, <https://arxiv.org/abs/1807.06521>. K. He,
# X. Zhang, S. Ren, J. Sun: *Deep Residual Learning for Image Recognition*, CVPR
# 2016, <https://arxiv.org/abs/1512.03385>.
