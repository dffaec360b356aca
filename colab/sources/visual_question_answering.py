# %% [markdown]
# # Visual question answering: where the answer is
#
# You ask questions about pictures, and see the place from which a trained network
# takes its answer; then you train a small one.
#
# {badge} · about two minutes on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 5
SAMPLES = 500  # pictures to learn from, up to five questions each
SEEDS = [0]
PRESET = "butd_vqa_scenes"

# %% [markdown]
# ## The data
#
# Pictures of shapes with questions about them, made by rule.

# %%
import inspect

import matplotlib.pyplot as plt

import zoo
from keras_attention import TopDownAttention
from zoo.data.questions import scene_questions

KINDS = ("colour", "shape")  # of more: "count", "comparison", "two_hop"
train = scene_questions(SAMPLES, seed=1, kinds=KINDS)
test = scene_questions(100, seed=2, kinds=KINDS)
figure, axes = plt.subplots(1, 3, figsize=(6.5, 2.4))
for ax, index in zip(axes, range(0, 15, 5)):
    ax.imshow(test.raws["image"][index])
    answer = test.label_names[test.labels[index]]
    title = test.raws["question"][index].replace(" is ", " is\n")
    ax.set(title=f"{title}\n{answer}", xticks=[], yticks=[])

# %% [markdown]
# ## The idea
#
# Anderson et al. (2018) score each place `v[i]` of the picture with the question `q`,
# and read the places by these weights:
#
#     score[i]  = w . f([v[i], q])
#     weight    = softmax(score)
#     read      = sum over i of weight[i] v[i]

# %%
# What `call` does once the keys are projected and the masks are one.
print(inspect.getsource(TopDownAttention._read))

# %% [markdown]
# ## The model


# %%
def trained(seed, attention):
    network = "bottom_up_top_down_vqa"
    sizes = {"attention": attention, "seed": seed}
    task = zoo.new("visual_question_answering", network, train, **sizes)
    task.fit(train, epochs=EPOCHS, jit_compile=False, verbose=0)
    return task


zoo.new("visual_question_answering", "bottom_up_top_down_vqa", train).summary(
    print_fn=print
)

# %% [markdown]
# ## Train

# %%
task = trained(SEEDS[0], True)
plt.figure(figsize=(5, 2.5))
plt.plot([row["loss"] for row in task.history])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
# %% [markdown]
# ## Where it looked
#
# The same network after a whole training, on 8,000 pictures and questions of five
# kinds.

# %%
preset = zoo.load(PRESET)
raws = [
    {name: column[index] for name, column in test.raws.items()}
    for index in (0, 5)
]
preset.picture(raws, preset.look(raws))

# %% [markdown]
# ## Against the baseline
#
# The mean of all places in place of attention: the same data, epochs and seed. Of
# these questions we know the object that answers: `pointing` is how often the
# heaviest place lies on it.

# %%
for attention in (True, False):
    found = (task if attention else trained(SEEDS[0], False)).evaluate(test)
    print("attention" if attention else "no attention", f"seed {SEEDS[0]}")
    for metric in ("accuracy", "pointing", "chance"):
        if metric in found:
            print(f"  {metric:10}{found[metric]:.3f}")
found = preset.evaluate(test)
print(f"the preset, with attention\n  {'accuracy':10}{found['accuracy']:.3f}")
print(f"  {'pointing':10}{found['pointing']:.3f}")

# %% [markdown]
# One seed says little, but here the network that looks answers more, and its heaviest
# place lies on the object that answers five times as often as chance would have it.
# The network trained longer is right every time.
#
# ## Your turn
#
# - Ask the preset a question of your own: `preset.predict({"image": ..., "question":
#   "how many red shapes are there?"})`.
# - `KINDS = ("two_hop",)` and the network `stacked_latent_vqa`, which looks twice.
#
# **References.** P. Anderson, X. He, C. Buehler, D. Teney, M. Johnson, S. Gould,
# L. Zhang: *Bottom-Up and Top-Down Attention for Image Captioning and Visual Question
# Answering*, CVPR 2018, <https://arxiv.org/abs/1707.07998>.
