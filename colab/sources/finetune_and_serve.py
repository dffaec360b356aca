# %% [markdown]
# # Fine-tune on your own folder, and serve the result
#
# A trained network learns the pictures of your folder, is exported to SavedModel and
# LiteRT, and answers in a process that knows neither this package nor Keras.
#
# {badge} · about two minutes on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 5
SAMPLES = 300  # pictures to learn from
SEEDS = [0, 1]
PRESET = "stn_mnist_rotated"

# %% [markdown]
# ## The data
#
# A folder with a folder of images for each class. Yours can be anywhere, in Colab after
# `drive.mount`; here scikit-learn's digits, turned by 30 degrees, are written as PNG
# files.

# %%
import inspect
import pathlib
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import zoo
from keras_attention import SpatialTransformer
from zoo.data.images import load_images

DATA = pathlib.Path("my_pictures")
for part in ("train", "test"):
    digits = load_images("digits", part).sample(SAMPLES)
    for index, (image, label) in enumerate(zip(digits.images, digits.labels)):
        path = DATA / part / digits.label_names[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        turned = Image.fromarray(image[..., 0]).resize((28, 28))
        turned.rotate(30).save(path)
files = sorted((DATA / "test").glob("*/*.png"))[::40][:4]
figure, axes = plt.subplots(1, len(files), figsize=(6, 1.8))
for ax, path in zip(axes, files):
    ax.imshow(Image.open(path), cmap="gray")
    ax.set(title=f"{path.parent.name}/{path.name}", xticks=[], yticks=[])

# %% [markdown]
# ## The idea
#
# The network has learned MNIST's digits, turned by up to 90 degrees. A small network in
# it says how to turn and scale the picture before it is read (Jaderberg et al. 2015):
#
#     (x, y) = A (u, v, 1)                     # where each pixel of the output is read
#     output[v, u] = input[y, x]               # bilinear, so `A` can be learned
#
# Fine-tuning keeps all of it but the head, which is drawn anew; then all of it learns.

# %%
print(inspect.getsource(SpatialTransformer.call))

# %% [markdown]
# ## The model
#
# The card of a model says what it was trained on, what it reads and how good it is.

# %%
preset = zoo.load(PRESET)
print(preset)
print(preset.card["data"], preset.card["metrics"]["accuracy"]["value"])
print(preset.card["preprocessing"])

# %% [markdown]
# ## Train

# %%
mine = preset.finetune(
    DATA, epochs=EPOCHS, seed=SEEDS[0], jit_compile=False, verbose=0
)
plt.figure(figsize=(5, 2.5))
plt.plot([row["loss"] for row in mine.history])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
# %% [markdown]
# ## Where it looked

# %%
mine.picture(files, mine.look(files))

# %% [markdown]
# ## Against the baseline
#
# The same network from scratch on the same folder, with attention and without: the
# same epochs and seeds.


# %%
def scratch(seed, transform):
    network = "spatial_transformer_network"
    sizes = {"transform": transform, "seed": seed}
    task = zoo.new("image_classification", network, DATA, **sizes)
    task.fit(DATA, epochs=EPOCHS, jit_compile=False, verbose=0)
    return task.evaluate(DATA)["accuracy"]


tuned = mine.evaluate(DATA)["accuracy"]
print(f"fine-tuned, seed {SEEDS[0]}: {tuned:.3f}")
for transform in ("affine", None):
    found = [scratch(seed, transform) for seed in SEEDS]
    print(f"from scratch, {transform=}, seeds {SEEDS}: {np.round(found, 3)}")

# %% [markdown]
# With 300 pictures and five epochs none of them is clearly ahead: digits are easy, and all
# are turned alike, so that there is little to straighten.
#
# ## Export
#
# Each file is run in a fresh process before `export` returns, and must answer as the
# model does.

# %%
mine.save("models/mine")
reports = mine.export("served", formats=["saved_model", "litert"])
for name, report in reports.items():
    size, difference = report["bytes"], report["largest_difference"]
    print(f"{name:12}{size:>9,} bytes, largest difference {difference:.1e}")

# %% [markdown]
# ## Serve
#
# The SavedModel takes the bytes of a file; TensorFlow is all that it needs. TensorFlow
# Serving reads the same folder, put at `NAME/1/`.

# %%
CALL = """
import sys
import tensorflow as tf

served = tf.saved_model.load("served/saved_model")
images = tf.constant([open(path, "rb").read() for path in sys.argv[1:]])
answers = served.signatures["serving_default"](image_bytes=images)
print(answers["label"].numpy(), "keras_attention" in sys.modules)
"""
command = [sys.executable, "-c", CALL, *map(str, files)]
print(
    subprocess.run(command, capture_output=True, text=True, check=True).stdout
)

# %% [markdown]
# The LiteRT file takes arrays of 0 to 255, for phones and small computers:

# %%
from ai_edge_litert.interpreter import Interpreter

runner = Interpreter("served/model.tflite").get_signature_runner()
pixels = np.stack([np.asarray(Image.open(path)) for path in files])
answers = runner(image=pixels[..., None].astype("float32"))
labels = pathlib.Path("served/labels.txt").read_text("utf-8").splitlines()
print([labels[index] for index in answers["probabilities"].argmax(axis=-1)])

# %% [markdown]
# ## Your turn
#
# - `preset.finetune(DATA, freeze="backbone")` trains the new head alone: how much worse?
# - Another preset: `zoo.list_models()`; or texts, with `zoo.load("han_imdb")` and a
#   folder of `.txt` files.
#
# **References.** M. Jaderberg, K. Simonyan, A. Zisserman, K. Kavukcuoglu: *Spatial
# Transformer Networks*, NeurIPS 2015, <https://arxiv.org/abs/1506.02025>.
