# %% [markdown]
# # Translation: where each word comes from
#
# You train a translator that looks at its source before each word that it
# writes, and see the alignment that it learned. Then you fine-tune it on two
# files of your own and export it.
#
# {badge} · about three minutes on two CPU cores

# %% tags=["setup"]

# %% tags=["parameters"]
EPOCHS = 8
SAMPLES = 4000  # texts to learn from
SEEDS = [0]

# %% [markdown]
# ## The data
#
# Dates in many spellings, and the same dates in ISO 8601, made by rule. The
# parts change their order, as words do between languages. No date of the test
# set is in the training set.

# %%
import inspect
import pathlib
import subprocess
import sys

import matplotlib.pyplot as plt

import zoo
from zoo.data.translations import load_translations
from zoo.translation.rnn_search import SearchingDecoder

train = load_translations("dates").sample(SAMPLES)
test = load_translations("dates", "test")
for text, translations in zip(test.texts[:6], test.translations):
    print(f"{text:36}{translations[0]}")

# %% [markdown]
# ## The idea
#
# Before Bahdanau et al. (2015), an encoder read the whole source into one
# vector, from which a decoder wrote the translation. Theirs looks at the source
# again before each word. The state of the decoder, `s[i-1]`, is compared with
# each state `h[j]` of a bidirectional GRU that has read the source:
#
#     score[i, j]  = v . tanh(W s[i-1] + U h[j])
#     weight[i, :] = softmax over j of score[i, :]
#     context[i]   = sum over j of weight[i, j] h[j]
#     s[i]         = GRU([word[i-1]; context[i]], s[i-1])
#
# One step of the decoder, with attention and without:

# %%
print(inspect.getsource(SearchingDecoder.advanced))

# %% [markdown]
# ## The model
#
# `zoo.new` learns the pieces of words of both languages from the data, and
# their lengths. Letters, figures and marks that were never seen are spelled in
# bytes, so there is no unknown word.

# %%
SIZES = {
    "embedding_dim": 32,
    "units": 64,
    "attention_units": 64,
    "dropout": 0.0,
    "vocabulary_size": 400,  # at most; each byte is one of them
    "target_vocabulary_size": 300,
    "beams": 1,  # the most probable piece each time
}
PLAIN = {"jit_compile": False, "verbose": 0}


def new(data, seed, attention=True):
    sizes = {**SIZES, "attention": attention, "seed": seed}
    return zoo.new("translation", "rnn_search", data, **sizes)


def trained(seed, attention):
    task = new(train, seed, attention)
    task.fit(train, epochs=EPOCHS, learning_rate=1e-2, **PLAIN)
    return task


new(train, SEEDS[0]).summary(print_fn=print)

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
# The score is the logarithm of the probability of the whole translation: near 0
# the model is sure. The fourth and the fifth spelling are not in the data, and
# the last date does not exist.

# %%
asked = [
    "3rd of May, 2021",
    "Friday, 14 July 1989",
    "03/05/2021",
    "the 3rd of May, 2021",
    "May 3rd '21",
    "31 February 2020",
]
for text, answer in zip(asked, task.predict(asked)):
    print(f"{text:24}{answer['translation']:12}{answer['score']:7.2f}")

# %% [markdown]
# The network reads the fourth spelling correctly, and gets the two-figure year
# wrong, with a low score. A high score is no proof: 31 February is copied as if
# it were a date.
#
# ## Where it looked
#
# Rows are what the network wrote, columns what it read. Pieces are joined to
# words, figures and marks.

# %%
asked = ["Monday the 3rd of May 2021", "in 2021, on the third of May"]
task.picture(asked, task.look(asked))

# %% [markdown]
# Most figures are written from the right part of the source, whatever the order
# of year, month and day. For the hyphen before the day, which comes from
# nowhere, and for the leading 0 of the day, attention is spread out.
#
# Of these data we know from which part of the source each figure comes.
# `alignment` is how often the highest weight is in that part, given the right
# figures before; `chance` is the same for a place drawn at random. `exact` is
# the share of dates that are right as a whole.

# %%
measured = task.evaluate(test)
for metric, value in measured.items():
    print(f"{metric:12}{value:.3f}")

# %% [markdown]
# ## Against the baseline
#
# The same encoder and decoder without attention: one vector, what both
# directions know at their ends, stands for the whole source. The same data,
# epochs and seeds.

# %%
models = {
    "attention": [task] + [trained(seed, True) for seed in SEEDS[1:]],
    "one vector": [trained(seed, False) for seed in SEEDS],
}
for name, tasks in models.items():
    found = [each.evaluate(test)["exact"] for each in tasks]
    shown = ", ".join(f"{value:.3f}" for value in found)
    print(f"{name:12}exact {shown}   seeds {SEEDS}")

# %% [markdown]
# With attention nearly all dates are right; without it about one in nine is
# wrong (one seed each). Dates are short: Bahdanau et al. found that the gap
# grows with the length of sentences.
#
# ## Your own two files
#
# Parallel texts usually come as two files of as many lines, each line the
# translation of the other's. Here German dates are written to such files. Data
# in one part are cut: 80 % to learn from, and the other 20 % to measure on.

# %%
MONTHS = "Januar Februar März April Mai Juni Juli August September".split()
MONTHS += "Oktober November Dezember".split()


def german(iso):
    year, month, day = map(int, iso.split("-"))
    return f"{day}. {MONTHS[month - 1]} {year}"


dates = [said[0] for said in test.translations[-SAMPLES // 16 :]]
others = test.take(range(len(test) - len(dates)))
FILES = ("german.txt", "iso.txt")
for path, lines in zip(FILES, (map(german, dates), dates)):
    pathlib.Path(path).write_text("\n".join(lines) + "\n", "utf-8")
print(load_translations(FILES))
print(f"before fine-tuning: exact {task.evaluate(FILES)['exact']:.2f}")

# %% [markdown]
# Some are right already, since months have similar names in both languages.
# `finetune` trains a copy. It starts from all weights, and keeps the pieces,
# which can spell any word. For comparison the same network learns the same
# files from scratch.

# %%
options = {"epochs": 2 * EPOCHS, "batch_size": 32, "seed": SEEDS[0], **PLAIN}
mine = task.finetune(FILES, learning_rate=3e-3, **options)
scratch = new(FILES, SEEDS[0])
scratch.fit(FILES, learning_rate=1e-2, **options)
print(f"fine-tuned:   exact {mine.evaluate(FILES)['exact']:.2f}")
print(f"from scratch: exact {scratch.evaluate(FILES)['exact']:.2f}")
print(f"fine-tuned, on English dates: {mine.evaluate(others)['exact']:.2f}")

# %%
asked = ["3. Mai 2021", "24. Dezember 1999"]
mine.picture(asked, mine.look(asked))

# %% [markdown]
# The files are too small to learn from scratch. The fine-tuned copy knows
# German dates, and has forgotten some English ones.
#
# ## In a shell
#
# A file of texts goes in, and one of translations comes out, line by line. In a
# terminal, this is
# `zoo predict models/german --in asked.txt --out answers.txt`.

# %%
mine.save("models/german")
pathlib.Path("asked.txt").write_text("\n".join(asked) + "\n", "utf-8")
command = "zoo predict models/german --in asked.txt --out answers.txt".split()
subprocess.run(
    [sys.executable, "-m", *command], capture_output=True, check=True
)
print(pathlib.Path("answers.txt").read_text("utf-8"))

# %% [markdown]
# ## Export and serve
#
# The SavedModel takes strings and answers with strings: it takes texts apart,
# writes the translation word by word and joins it, all in TensorFlow. `export`
# runs the file in a fresh process, and raises an error unless it answers as the
# model does.

# %%
import tensorflow as tf

report = mine.export("served", formats=["saved_model"])["saved_model"]
print(f"largest difference {report['largest_difference']:.1e}")
served = tf.saved_model.load("served/saved_model")
answers = served.signatures["serving_default"](text=tf.constant(asked))
print([text.decode() for text in answers["translation"].numpy()])

# %% [markdown]
# ## Your turn
#
# - Halve `SAMPLES`, or `EPOCHS`: which of the two networks suffers first?
# - Another network in place of `rnn_search`: `luong_translator`,
#   `transformer_translator` or `pervasive_translator`, each with sizes of its
#   own (`help(zoo.luong_translator)`).
# - Your own language: `FILES`, or a CSV file with the columns `source` and
#   `target`. For real sentences leave out `SIZES`: the defaults are larger,
#   with dropout and four beams.
#
# **References.** D. Bahdanau, K. Cho, Y. Bengio: *Neural Machine Translation by
# Jointly Learning to Align and Translate*, ICLR 2015,
# <https://arxiv.org/abs/1409.0473>.
