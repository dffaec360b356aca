# %% [markdown]
# # Text classification: hierarchical attention
#
# You train a network that reads words, then sentences, and see that it finds the
# one sentence that decides.
#
# {badge} · about two minutes on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 6
SAMPLES = 1000  # texts to learn from
SEEDS = [0, 1]

# %% [markdown]
# ## The data
#
# Texts made by rule. Each praises and blames equally often; the class is what the
# *writer* thinks, which one sentence says, or none ("undecided").

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

import zoo
from keras_attention import AttentionPooling
from zoo.data.texts import key_sentences

train, _ = key_sentences(SAMPLES, seed=0)
test, places = key_sentences(SAMPLES, seed=1)
for text, label in zip(test.texts[:4], test.labels):
    print(f"{test.label_names[label]}: {text}\n")

# %% [markdown]
# ## The idea
#
# Yang et al. (2016) sum up the words of a sentence, and then the sentences of a
# document, by attention to a learned vector `u`: what it looks for gets the
# weight.
#
#     score[t]  = tanh(W h[t] + b) . u
#     weight[t] = exp(score[t]) / sum over j of exp(score[j])
#     s         = sum over t of weight[t] h[t]

# %%
print(inspect.getsource(AttentionPooling.call))

# %% [markdown]
# ## The model
#
# `zoo.new` takes the vocabulary, the length of texts and the classes from the data.

# %%
RATE = 5e-3
PLAIN = {"jit_compile": False, "verbose": 0}


def trained(seed, pooling):
    network = "hierarchical_attention_network"
    task = zoo.new(
        "text_classification", network, train, seed=seed, pooling=pooling
    )
    task.fit(train, epochs=EPOCHS, learning_rate=RATE, **PLAIN)
    return task


zoo.new("text_classification", "hierarchical_attention_network", train).summary(
    print_fn=print
)

# %% [markdown]
# ## Train

# %%
task = trained(SEEDS[0], "attention")
plt.figure(figsize=(5, 2.5))
plt.plot([row["loss"] for row in task.history])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
# %% [markdown]
# ## Where it looked
#
# The weight of each sentence, and of the words within.

# %%
task.picture(test.texts[:2], task.look(test.texts[:2]))

# %% [markdown]
# Of these texts we know which sentence decides. How much of the attention does it
# get? Chance is about 0.12.

# %%
decided = np.flatnonzero(places >= 0)[:200]
answers = task.look([test.texts[index] for index in decided])
name = next(name for name in answers[0]["attention"] if "sentence" in name)
found = [
    answer["attention"][name].ravel()[place]
    for answer, place in zip(answers, places[decided])
]
print(f"share of the deciding sentence: {np.mean(found):.2f}")

# %% [markdown]
# ## Against the baseline
#
# Averages in place of attention: the same data, epochs and seeds.

# %%
models = {
    "attention": [task] + [trained(seed, "attention") for seed in SEEDS[1:]],
    "average": [trained(seed, "average") for seed in SEEDS],
}
for name, tasks in models.items():
    found = [each.evaluate(test)["accuracy"] for each in tasks]
    print(
        f"{name:14}{np.mean(found):.3f}   seeds {SEEDS}: {np.round(found, 3)}"
    )

# %% [markdown]
# In this budget attention learns the task with seed 0 and begins to with seed 1; averages
# learn nothing with either (a third is chance).
#
# ## Your turn
#
# - More `EPOCHS`: do averages catch up?
# - Halve `SAMPLES`: which of the two suffers first?
# - Your own texts: a CSV file with the columns `text` and `label` in place of
#   `train`, or `zoo.load("han_imdb")` for reviews of films in English.
#
# **References.** Z. Yang, D. Yang, C. Dyer, X. He, A. Smola, E. Hovy: *Hierarchical
# Attention Networks for Document Classification*, NAACL 2016,
# <https://aclanthology.org/N16-1174>.
