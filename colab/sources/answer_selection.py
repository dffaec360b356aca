# %% [markdown]
# # Answer selection: rank sentences by how well they answer
#
# You train a network to rank candidate answers, and see which words of a question
# and an answer it compares.
#
# {badge} · about a minute on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 12
SAMPLES = 7523  # candidates to learn from
SEEDS = [0]
PRESET = "abcnn3_wikiqa"

# %% [markdown]
# ## The data
#
# Questions with about five candidates each, made by rule: who does what, with the
# words of other questions in the wrong answers.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

import zoo
from keras_attention import ABCNN
from zoo.data.pairs import load_candidates

train = load_candidates("who_did_what").sample(SAMPLES)
test = load_candidates("who_did_what", "test")
for (candidate, question), label in zip(test.pairs[:4], test.labels):
    print(f"{question}  {candidate}  {test.label_names[label]}")

# %% [markdown]
# ## The idea
#
# ABCNN (Yin et al. 2016) compares the two sentences before a convolution, as a
# further channel of what it reads, and after it, where the matrix says how much each
# place counts in the pooling.
#
#     A[i, j] = 1 / (1 + |left[i] - right[j]|)
#     a[i]    = sum over j of A[i, j]
#     p[i]    = sum over a window k of a[k] c[k]        # c: what the convolution gave

# %%
print(inspect.getsource(ABCNN.call))

# %% [markdown]
# ## The model

# %%
RATE = 1e-2
PLAIN = {"jit_compile": False, "verbose": 0}


def trained(seed, variant):
    task = zoo.new(
        "answer_selection", "abcnn", train, seed=seed, variant=variant
    )
    task.fit(train, epochs=EPOCHS, learning_rate=RATE, **PLAIN)
    return task


zoo.new("answer_selection", "abcnn", train, variant=2).summary(print_fn=print)

# %% [markdown]
# ## Train

# %%
task = trained(SEEDS[0], 2)
plt.figure(figsize=(5, 2.5))
plt.plot([row["loss"] for row in task.history])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
# %% [markdown]
# ## Where it looked
#
# The same network after a whole training on WikiQA, on sentences of ours.

# %%
preset = zoo.load(PRESET)
candidates = [
    "The Nile flows through eleven countries.",
    "The Nile is about 6,650 kilometres long.",
    "It takes long to cook beans.",
]
asked = ("How long is the Nile?", candidates)
answers = preset.look([asked])
for each in answers[0]["answers"]:
    print(f"{each['score']:.3f}  {each['text']}")
preset.picture([asked], answers)

# %% [markdown]
# ## Against the baseline
#
# `"bcnn"` is the same network without attention: the same data, epochs and seeds.
# MAP is the mean average precision; 1 means that right answers come first.

# %%
models = {
    "attention": [task] + [trained(seed, 2) for seed in SEEDS[1:]],
    "no attention": [trained(seed, "bcnn") for seed in SEEDS],
}
for name, tasks in models.items():
    found = [each.evaluate(test)["map"] for each in tasks]
    print(
        f"{name:14}{np.mean(found):.3f}   seeds {SEEDS}: {np.round(found, 3)}"
    )

# %% [markdown]
# Without attention the right answer is nowhere in particular: with five candidates in
# random order the MAP is 0.50. With attention between the two sentences it always
# comes first: what the convolution found at one place of the question is compared with
# what it found at each place of the answer, and "kept the heavy kettle" stands in both.
#
# ## Your turn
#
# - `variant=1` compares before the convolution, `variant=3` before and after it.
# - Your own questions: a CSV file with the columns `question`, `candidate` and
#   `label` in place of `train`.
#
# **References.** W. Yin, H. Schütze, B. Xiang, B. Zhou: *ABCNN: Attention-Based
# Convolutional Neural Network for Modeling Sentence Pairs*, TACL 2016,
# <https://arxiv.org/abs/1512.05193>.
