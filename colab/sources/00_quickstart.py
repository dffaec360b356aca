# %% [markdown]
# # Quickstart: attention in a Keras model
#
# You put `CBAM` into a small Keras model, train it on handwritten digits, and
# see where it looks.
#
# {badge} · about one minute on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 12
SAMPLES = 1400  # of 1,437 digits to learn from
SEEDS = [0, 1, 2]

# %% [markdown]
# ## The data
#
# Digits of 8 x 8 pixels, from scikit-learn: nothing is downloaded.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

from zoo.data.images import load_images

train = load_images("digits").sample(SAMPLES)
test = load_images("digits", "test")
figure, axes = plt.subplots(1, 4, figsize=(8, 2))
for ax, image, label in zip(axes, train.images, train.labels):
    ax.imshow(image, cmap="gray")
    ax.set(title=f"a {label}", xticks=[], yticks=[])

# %% [markdown]
# ## The idea
#
# Woo et al. weigh a feature map `F` twice: first which channels matter, then
# which places, each time by a gate between 0 and 1.
#
#     F'  = channel_gate(F)  * F     # (B, 1, 1, C)
#     F'' = spatial_gate(F') * F'    # (B, H, W, 1)
#
# The layer is that, line by line:

# %%
import inspect

from keras_attention import CBAM

print(inspect.getsource(CBAM.call))

# %% [markdown]
# ## The model
#
# One line more than the same model without attention.


# %%
def small_network(attention):
    image = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = CBAM(ratio=8, name="cbam")(x) if attention else x
    x = keras.layers.Conv2D(32, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(10)(x))


small_network(attention=True).summary(print_fn=print)

# %% [markdown]
# ## Train


# %%
def trained(attention, seed):
    keras.utils.set_random_seed(seed)
    model = small_network(attention)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    data = train.images, train.labels
    log = model.fit(*data, batch_size=64, epochs=EPOCHS, verbose=0)
    return model, log.history


model, history = trained(attention=True, seed=SEEDS[0])
plt.figure(figsize=(5, 2.5))
plt.plot(history["accuracy"])
plt.xlabel("epoch")
plt.ylabel("training accuracy")
plt.show()
# %% [markdown]
# ## Where it looked
#
# `attention_maps` gives the weights of every attention layer of any Keras model.

# %%
from keras_attention import attention_maps, pictures

maps = attention_maps(model, test.images[:6])
print({name: weights.shape for name, weights in maps["cbam"].items()})
pictures.attention_grid(
    test.images[:6], {"spatial attention": maps["cbam"]["spatial"]}
)

# %% [markdown]
# ## Against the baseline
#
# The same network without `CBAM`: the same data, epochs and seeds.

# %%
for attention in (True, False):
    found = []
    for seed in SEEDS:
        model, _ = trained(attention, seed)
        guesses = model.predict(test.images, verbose=0).argmax(axis=-1)
        found.append(np.mean(guesses == test.labels))
    print(
        f"{'CBAM' if attention else 'no attention':14}"
        f"{np.mean(found):.3f}  seeds {SEEDS}: {np.round(found, 3)}"
    )

# %% [markdown]
# The difference is no larger than that between seeds: on digits this small, three seeds
# do not show that `CBAM` helps. What it certainly gives is the picture above.
#
# ## Your turn
#
# - Replace `CBAM` by `SEBlock`, `BAM` or `SelectiveKernel`: the rest stays.
# - Add a second `CBAM` after the second convolution, and look at both.
#
# **References.** S. Woo, J. Park, J.-Y. Lee, I. S. Kweon: *CBAM: Convolutional
# Block Attention Module*, ECCV 2018, <https://arxiv.org/abs/1807.06521>.
