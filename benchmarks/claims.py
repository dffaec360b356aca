"""Three claims of the papers on attention, each small enough to check here.

    python benchmarks/claims.py reverse
    python benchmarks/claims.py scale
    python benchmarks/claims.py key_sentence

`reverse`: with attention, an encoder-decoder is as good at long sequences as at
short ones (Bahdanau et al. 2015, section 5.1). It reads random symbols and says
them backwards, one by one, each from its own last answer. Bidirectional GRU,
GRU; the decoder's states either look back over all that was read, or all get
its summary. Unlike the paper's, the context does not enter the recurrence, so
that a training step computes all places at once.

`scale`: without the root of their size, products of large queries and keys
leave the softmax without a gradient (Vaswani et al. 2017, section 3.2.1). The
norm of its Jacobian, for entries drawn from a normal distribution.

`key_sentence`: in a document of which one sentence decides, attention shows
which (Yang et al. 2016, section 3.3). The hierarchical network on
`key_sentences`, and the share that the deciding sentence gets, over all and by
class; then the same without the documents that are undecided, where the absence
of one verdict gives the other away.

Each prints its table and keeps every figure in `benchmarks/claims.json`; called
again after a kill, it goes on where it was.
"""

import dataclasses
import json
import pathlib
import statistics

import keras
import numpy as np
import typer
from keras import ops

from keras_attention import AttentionLayer, BahdanauAttention
from zoo import saving
from zoo.atomic import replacing
from zoo.data.texts import key_sentences
from zoo.text_classification.task import TextClassification

FIGURES = pathlib.Path(__file__).with_suffix(".json")
SYMBOLS = 20
START = SYMBOLS + 1  # 0 is padding
SHORTEST, LONGEST, LENGTHS = 5, 20, (5, 10, 15, 20)

app = typer.Typer()


@app.command("reverse")
def reverse(steps: int = 1000, seeds: int = 3, figures: pathlib.Path = FIGURES):
    """Accuracy by length, with attention and without."""
    setting = {"steps": steps, "symbols": SYMBOLS, "units": 64}
    known = opened(figures, "reverse", setting)
    for seed in range(seeds):
        for kind in ("attention", "plain"):
            if f"{kind}, {seed}" not in known["reverse"]["runs"]:
                found = reversing(kind == "attention", steps, seed)
                keep(figures, known, "reverse", f"{kind}, {seed}", found)
    print(f"| decoder | {' | '.join(map(str, LENGTHS))} |")
    print(f"| --- {'| --- ' * len(LENGTHS)}|")
    for kind in ("attention", "plain"):
        runs = [known["reverse"]["runs"][f"{kind}, {s}"] for s in range(seeds)]
        entries = [
            mean_and_spread([run[str(length)] for run in runs])
            for length in LENGTHS
        ]
        print(f"| {kind} | {' | '.join(entries)} |")


def reversing(attention, steps, seed):
    """Trains, and gives the share of symbols that are right, by length."""
    keras.utils.set_random_seed(seed)
    model = reverser(attention)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(5e-3, steps), clipnorm=1.0
        ),
        keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, ignore_class=0
        ),
        jit_compile=False,
    )
    model.fit(
        training_batches(seed), steps_per_epoch=steps, shuffle=False, verbose=2
    )
    generator = np.random.default_rng(1000 + seed)
    lengths = np.repeat(LENGTHS, 200)
    sources, answers = sequences(generator, lengths)
    said = spoken(model, sources)
    return {
        str(length): float(
            np.mean((said == answers)[lengths == length, :length])
        )
        for length in LENGTHS
    }


def reverser(attention):
    source = keras.Input((LONGEST,), dtype="int32")
    before = keras.Input((LONGEST,), dtype="int32")  # what was said before
    embed = keras.layers.Embedding(START + 1, 32, mask_zero=True)
    encoder = keras.layers.Bidirectional(
        keras.layers.GRU(
            32, return_sequences=True, return_state=True, unroll=True
        )
    )
    annotations, *ends = encoder(embed(source))
    summary = keras.layers.Concatenate()(ends)
    decoder = keras.layers.GRU(64, return_sequences=True, unroll=True)
    states = decoder(embed(before), initial_state=summary)
    if attention:
        context = BahdanauAttention(64)(states, annotations)
    else:
        context = keras.layers.RepeatVector(LONGEST)(summary)
    read = keras.layers.Concatenate()([states, context])
    return keras.Model([source, before], keras.layers.Dense(START)(read))


def sequences(generator, lengths):
    """Random symbols and the same backwards, padded on the right."""
    sources = generator.integers(1, START, (len(lengths), LONGEST), "int32")
    from_end = lengths[:, None] - 1 - np.arange(LONGEST)
    answers = np.take_along_axis(sources, np.maximum(from_end, 0), axis=1)
    inside = from_end >= 0
    return sources * inside, answers * inside


def training_batches(seed, batch=128):
    generator = np.random.default_rng(seed)
    while True:
        lengths = generator.integers(SHORTEST, LONGEST + 1, batch)
        sources, answers = sequences(generator, lengths)
        yield (sources, shifted(answers)), answers


def shifted(answers):
    return np.pad(answers[:, :-1], ((0, 0), (1, 0)), constant_values=START)


def spoken(model, sources):
    """Greedy answers: each symbol from the ones that the model said before."""
    said = np.zeros_like(sources)
    for place in range(LONGEST):
        logits = model.predict_on_batch([sources, shifted(said)])
        # Padding is no answer: a zero would end what is visible.
        said[:, place] = 1 + np.argmax(logits[:, place, 1:], axis=-1)
    return said


@app.command("scale")
def scale(seeds: int = 3, figures: pathlib.Path = FIGURES):
    """The gradient that the softmax has left, by the size of the keys."""
    sizes, scores = (4, 16, 64, 256, 1024), ("scaled_dot", "dot")
    known = opened(figures, "scale", {"queries": 1000, "keys": 32})
    for seed in range(seeds):
        for score in scores:
            if f"{score}, {seed}" not in known["scale"]["runs"]:
                found = {str(d): jacobian_norm(score, d, seed) for d in sizes}
                keep(figures, known, "scale", f"{score}, {seed}", found)
    print(f"| score | {' | '.join(map(str, sizes))} |")
    print(f"| --- {'| --- ' * len(sizes)}|")
    for score in scores:
        runs = [known["scale"]["runs"][f"{score}, {s}"] for s in range(seeds)]
        entries = [
            mean_and_spread([run[str(size)] for run in runs]) for size in sizes
        ]
        print(f"| {score} | {' | '.join(entries)} |")


def jacobian_norm(score, size, seed):
    """Mean over 1000 queries, 32 keys each, of the softmax's Jacobian's norm.

    The Jacobian is `diag(w) - w w^T`; its squared entries sum to
    `sum w^2 - 2 sum w^3 + (sum w^2)^2`.
    """
    generator = np.random.default_rng(seed)
    query = generator.normal(size=(1000, 1, size)).astype("float32")
    key = generator.normal(size=(1000, 32, size)).astype("float32")
    _, weights = AttentionLayer(score)(query, key, return_attention_scores=True)
    w = ops.convert_to_numpy(weights).astype("float64")
    squares = np.sum(w**2, axis=-1)
    norms = np.sqrt(squares - 2 * np.sum(w**3, axis=-1) + squares**2)
    return float(np.mean(norms))


@app.command("key_sentence")
def key_sentence(
    epochs: int = 5, seeds: int = 3, figures: pathlib.Path = FIGURES
):
    """The share of attention that the deciding sentence gets."""
    known = opened(figures, "key_sentence", {"epochs": epochs, "version": "2"})
    all_runs = known["key_sentence"]["runs"]
    classes = {"bad, good, undecided": 3, "bad, good": 2}
    for names, count in classes.items():
        for seed in range(seeds):
            if f"{names}; {seed}" not in all_runs:
                found = sentence_shares(count, epochs, seed)
                keep(figures, known, "key_sentence", f"{names}; {seed}", found)
    columns = all_runs["bad, good; 0"]
    print(f"| classes | seed | {' | '.join(columns)} |")
    print(f"| --- | --- {'| --- ' * len(columns)}|")
    for names in classes:
        runs = [all_runs[f"{names}; {seed}"] for seed in range(seeds)]
        for seed, run in enumerate(runs):
            entries = " | ".join(f"{share:.3f}" for share in run.values())
            print(f"| {names} | {seed} | {entries} |")
        entries = map(mean_and_spread, zip(*(run.values() for run in runs)))
        print(f"| {names} | all | {' | '.join(entries)} |")


def sentence_shares(classes, epochs, seed):
    """Accuracy, and the share of the sentence that decides; first classes."""
    recipe = {
        "builder": "hierarchical_attention_network",
        "builder_args": {
            "embedding_dim": 16,
            "units": 16,
            "attention_units": 32,
        },
        # A row for each sentence: none is longer than 8 words.
        "tokens": {"vocabulary_size": 1000, "length": 8, "sentences": 10},
        "training": {
            "epochs": epochs,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "schedule": "one_cycle",
            "weight_decay": 5e-3,
            "seed": seed,
        },
    }
    train, _ = first_classes(*key_sentences(4000, 0), classes)
    test, places = first_classes(*key_sentences(1000, 1), classes)
    keras.utils.set_random_seed(seed)
    learned = TextClassification.learn(train, recipe)
    model = TextClassification.untrained(recipe, *learned)
    model.fit(train, recipe, verbose=2)
    shares = np.array(
        [
            answer["attention"]["attention/sentences"]
            for answer in model.look(test.texts, batch_size=250)
        ]
    )
    own = shares[np.arange(len(places)), places]
    return {
        "accuracy": model.evaluate(test)["accuracy"],
        "share": float(np.mean(own[places >= 0])),
        "share if bad": float(np.mean(own[test.labels == 0])),
        "share if good": float(np.mean(own[test.labels == 1])),
    }


def first_classes(data, places, classes):
    chosen = np.flatnonzero(data.labels < classes)
    part = data.take(chosen)
    part = dataclasses.replace(part, label_names=data.label_names[:classes])
    return part, places[chosen]


def opened(figures, claim, setting):
    """What is known, the claim's own part emptied if its setting changed."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    if known.get(claim, {}).get("setting") != setting:
        known[claim] = {"setting": setting, "runs": {}}
    return known


def keep(figures, known, claim, run, found):
    print(f"{claim}, {run}: {found}", flush=True)
    known[claim]["runs"][run] = found
    known[claim]["versions"] = saving.versions()
    with replacing(figures) as part:
        part.write_text(json.dumps(known, indent=1) + "\n")
    keras.backend.clear_session()


def mean_and_spread(values):
    spread = statistics.stdev(values) if len(values) > 1 else 0
    return f"{statistics.mean(values):.3f} ± {spread:.3f}"


if __name__ == "__main__":
    app()
