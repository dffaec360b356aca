"""How well does a preset learn texts of one's own, and should it?

    python benchmarks/own_texts.py
    python benchmarks/own_texts.py --only "transformer_imdb, extended" --seeds 1

4,000 news of the test part of AG News, 3,200 to learn from and 800 to measure
on, four classes. Three presets that have learned from film reviews are
fine-tuned on them with every option at its default, which extends their
vocabulary, since a quarter of the words is unknown to them; and with the
vocabulary kept, and with a new one. Beside each: the same network from scratch,
by `zoo.new` and the defaults of `fit`; and what needs no network, logistic
regression over TF-IDF.

`TFDS_DATA_DIR` must name a folder where `ag_news_subset` is prepared. The table
is printed, and every figure kept in `benchmarks/own_texts.json`; called again
after a kill, it goes on where it was.
"""

import functools
import pathlib
import time

import keras
import typer
from seeds import follow, mean_and_spread, of_name

import zoo
from zoo import saving
from zoo.data.texts import load_texts

FIGURES = pathlib.Path(__file__).with_suffix(".json")
COUNT = 4000
PRESETS = {
    "transformer_imdb": "transformer_classifier",
    "recurrent_imdb": "recurrent_classifier",
    "han_imdb": "hierarchical_attention_network",
}
WAYS = ("from scratch", "extended", "kept", "new")
LINEAR = "TF-IDF and logistic regression"
RUNS = [f"{preset}, {way}" for preset in PRESETS for way in WAYS]


def main(
    only: list[str] = (),
    seeds: int = 3,
    figures: pathlib.Path = FIGURES,
):
    """Trains with each seed, and measures."""
    show(follow(figures, COUNT, only or [LINEAR, *RUNS], seeds, run))


@functools.cache
def data():
    """The training and the test part."""
    return load_texts("ag_news_subset", "train").sample(COUNT).divide(0.2)


def run(name, seed):
    """Trains what is named, and measures it."""
    if name == LINEAR:
        return None if seed else linear()
    preset, _, way = name.partition(", ")
    train, test = data()
    start = time.perf_counter()
    if way == "from scratch":
        task = zoo.new("text_classification", PRESETS[preset], train, seed=seed)
        task.fit(train, verbose=0)
    else:
        ways = {"extended": None, "kept": "keep", "new": "new"}
        task = zoo.load(preset).finetune(
            train, vocabulary=ways[way], seed=seed, verbose=0
        )
    seconds = time.perf_counter() - start
    training = task.card["recipe"]["training"]
    return {
        **task.evaluate(test),
        "training loss": task.card["recipe"]["log"][-1]["loss"],
        "epochs": training["epochs"],
        "learning rate": training["learning_rate"],
        "vocabulary": len(task.input.tokens.vocabulary),
        "unknown": unknown(task.input.tokens, test.texts),
        "seconds": seconds,
        "versions": saving.versions(),
    }


def linear():
    """What needs no network, and no seed."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    train, test = data()
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    start = time.perf_counter()
    model.fit(train.texts, train.labels)
    seconds = time.perf_counter() - start
    return {
        "accuracy": float(model.score(test.texts, test.labels)),
        "vocabulary": len(model[0].vocabulary_),
        "seconds": seconds,
        "versions": saving.versions(),
    }


def unknown(tokens, texts):
    """The share of words that are read and not known."""
    words = [
        word
        for text in texts
        for word in keras.tree.flatten(tokens.words(text))
    ]
    return sum(not tokens.knows(word) for word in words) / len(words)


def show(runs):
    """Prints the table: mean and standard deviation over the seeds."""
    columns = ("accuracy", "unknown", "vocabulary", "epochs")
    print(f"\n| what learns | {' | '.join(columns)} | seeds |")
    print("| --- |" + " --- |" * (1 + len(columns)))
    for name in [LINEAR, *RUNS]:
        found = of_name(runs, name)
        if not found:
            continue
        first = found[0]
        cells = [
            mean_and_spread([each["accuracy"] for each in found]),
            f"{first['unknown']:.1%}" if "unknown" in first else "",
            f"{first['vocabulary']:,}",
            str(first.get("epochs", "")),
        ]
        print(f"| {name} | {' | '.join(cells)} | {len(found)} |")


if __name__ == "__main__":
    typer.run(main)
