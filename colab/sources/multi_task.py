# %% [markdown]
# # Multi-task learning: a gate for each task
#
# You train one network for two questions about a row of numbers, and see which of
# its experts each question uses.
#
# {badge} · about one minute on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 15
SAMPLES = 5000  # rows to learn from
SEEDS = [0, 1]

# %% [markdown]
# ## The data
#
# The synthetic tasks of Ma et al. (2018, section 3.2): two targets that depend on
# the same 100 numbers, each in its own direction; the correlation says how alike
# the directions are.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

import zoo
from keras_attention import MultiGateMixtureOfExperts
from zoo.data.correlated_tasks import correlated_tasks

train = correlated_tasks(SAMPLES, correlation=0.5, draw=0)
test = correlated_tasks(1000, correlation=0.5, draw=1)
rows = [
    {name: values[index] for name, values in test.columns.items()}
    for index in range(4)
]
for row in rows:
    print(
        {name: round(float(row[name]), 2) for name in ("x_1", "x_2", "x_100")}
    )

# %% [markdown]
# ## The idea
#
# Experts are small networks that all tasks share. Each task `k` mixes them by a gate
# of its own, which reads the row:
#
#     gate[k] = softmax(W[k] x)
#     read[k] = sum over experts i of gate[k, i] expert_i(x)

# %%
print(inspect.getsource(MultiGateMixtureOfExperts.call))

# %% [markdown]
# ## The model


# %%
def trained(seed, network):
    task = zoo.new("multi_task", network, train, seed=seed)
    task.fit(train, epochs=EPOCHS, jit_compile=False, verbose=0)
    return task


zoo.new("multi_task", "mmoe", train).summary(print_fn=print)

# %% [markdown]
# ## Train

# %%
task = trained(SEEDS[0], "mmoe")
plt.figure(figsize=(5, 2.5))
plt.plot([row["loss"] for row in task.history])
plt.xlabel("epoch")
plt.ylabel("training loss")
plt.show()
# %% [markdown]
# ## Where it looked
#
# How much of each expert the gate of each question takes, for two rows.

# %%
task.picture(rows[:2], task.look(rows[:2]))

# %% [markdown]
# ## Against the baseline
#
# A shared bottom: one network for both tasks, no experts, no gates; the same data,
# epochs and seeds. The error is the root mean square, of both tasks; less is better.

# %%
models = {
    "mmoe": [task] + [trained(seed, "mmoe") for seed in SEEDS[1:]],
    "shared bottom": [trained(seed, "shared_bottom") for seed in SEEDS],
}
for name, tasks in models.items():
    scores = [each.evaluate(test) for each in tasks]
    found = [(s["task_1_rmse"] + s["task_2_rmse"]) / 2 for s in scores]
    print(
        f"{name:14}{np.mean(found):.3f}   seeds {SEEDS}: {np.round(found, 3)}"
    )

# %% [markdown]
# Here attention loses: with both seeds the shared bottom has the smaller error. Experts
# and gates have more to learn from the same 5,000 rows.
#
# ## Your turn
#
# - `correlation=0.0`: tasks that have nothing in common. Who gains?
# - Your own table: a CSV file in place of `train`, and
#   `zoo.new(..., targets="income,marital")` with the columns to be answered.
#
# **References.** J. Ma, Z. Zhao, X. Yi, J. Chen, L. Hong, E. H. Chi: *Modeling Task
# Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts*, KDD 2018,
# <https://doi.org/10.1145/3219819.3220007>.
