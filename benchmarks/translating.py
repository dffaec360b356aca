"""How fast does the Transformer translate and learn?

    python benchmarks/translating.py
    python benchmarks/translating.py --torch-python PATH  # with PyTorch

Four questions about `transformer_translator` with the sizes of its preset
"small" (post-norm, 4,000 pieces for each language, untrained):

- `cached`: the task's own graph, whose steps keep keys and values, against the
  same beam search, in one graph too, whose steps read the prefix anew by
  `call`: the prefix alone, or padded to the full length.
- `torch`: greedy decoding against `nn.Transformer` with the same weights and a
  loop in Python that reads the prefix anew for each word, in a process of its
  own with PyTorch's own number of threads. It is left out without a Python that
  has PyTorch.
- `training`: a training step against the same network written with Keras's own
  layers, which has the same weights.
- `lengths`: an epoch in batches of texts of similar length against batches in
  random order padded to the longest text; lengths are drawn like Multi30k's.

The network is made to never end a text, and its words to depend on all that it
read: untrained, it would repeat one word. That both sides say the same words,
or give the same logits, is checked first; of beams that tie in the last digits
either may win. Both run in turn, so that a busy
machine slows them alike; a ratio is the median of the rounds.

The tables are printed, and every figure kept in `benchmarks/translating.json`;
`--part` measures only some and keeps the others. For TensorFlow.
"""

import contextlib
import functools
import itertools
import json
import pathlib
import statistics
import string
import subprocess
import tempfile
import time
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf
import typer
from keras import ops
from sequence import timed

from zoo import saving
from zoo.atomic import replacing
from zoo.data.batches import Batches
from zoo.data.pieces import END, FIRST, START
from zoo.inputs.pieced_text import PiecedText
from zoo.losses import SentenceCrossentropy
from zoo.outputs.translated_text import TranslatedText
from zoo.translation.task import Translation
from zoo.translation.transformer_translator import (
    PRESETS,
    transformer_translator,
)
from zoo.translation.two_texts import translator

FIGURES = pathlib.Path(__file__).with_suffix(".json")
SIZES = PRESETS["small"]
PIECES, SOURCE, STEPS = 4000, 16, 50
BATCHES, BEAMS = (1, 32), (1, 4)  # of texts that are translated
TAUGHT, LENGTHS = 64, (16, 40)  # texts of a training step, and their lengths
LONGEST, BUCKET = 48, 128  # as the presets of Multi30k: pieces, batch
NEVER = -1e9  # the logit of the end, and of bytes that no text has
WORDS = list(
    itertools.islice(
        map("".join, itertools.product(string.ascii_lowercase, repeat=3)),
        PIECES - FIRST,
    )
)
REST = 0.25  # seconds in which threads that spin come to rest


def main(
    rounds: int = 31,
    torch_python: Annotated[
        str | None, typer.Option(help="A Python that has PyTorch.")
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(help="What to measure; by default all.")
    ] = None,
    figures: pathlib.Path = FIGURES,
):
    """Measures, and prints the tables of all that was ever measured."""
    known = json.loads(figures.read_text()) if figures.exists() else {}
    for name in part or PARTS:
        if name == "torch" and torch_python is None:
            print("torch: left out, since no --torch-python is given")
            continue
        keras.utils.set_random_seed(0)
        options = {"python": torch_python} if name == "torch" else {}
        known[name] = {"rounds": rounds, **PARTS[name](rounds, **options)}
        known["versions"] = {**saving.versions(), "tensorflow": tf.__version__}
        with replacing(figures) as path:
            path.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    print(tables(known))


# What translates.


class Reread(keras.layers.Layer):
    """Steps of a decoder that read all words before by `call`.

    Args:
        decoder: The decoder.
        padded: Boolean. Whether the words are padded to all steps.
    """

    def __init__(self, decoder, padded, **kwargs):
        super().__init__(**kwargs)
        self.decoder = decoder
        self.padded = padded
        self.length = decoder.length

    def call(self, target_ids, memory, training=None):
        return self.decoder(target_ids, memory, training=training)

    def begin(self, memory):
        rows = ops.shape(memory["mask"])[0]
        return {"ids": ops.full((rows, self.length), START, dtype="int32")}

    def step(self, last, index, state, memory, training=None):
        here = ops.equal(ops.arange(self.length, dtype="int32"), index)
        ids = ops.where(here, last[:, None], state["ids"])
        read = ids if self.padded else ids[:, : index + 1]
        logits = self.decoder(read, memory, training=training)
        return ops.take(logits, index, axis=1), {"ids": ids}, {}


WAYS = {
    "cached": None,
    "prefix": {"padded": False},
    "padded": {"padded": True},
}


def endless():
    """An untrained network, which never ends a text and says many words."""
    network = transformer_translator(PIECES, SOURCE, PIECES, STEPS, **SIZES)
    decoder = network.get_layer("decoder")
    for block in decoder.blocks:  # the words before count, not only the text
        kernel = block.cross_attention.output_projection.kernel
        kernel.assign(0.2 * kernel)
    # What the last block adds tells the word, more than the word before does.
    kernel = ops.convert_to_numpy(block.contract.kernel)
    block.contract.kernel.assign(10 * (kernel - kernel.mean(axis=0)))
    # The first of the numbers that tell it is always 1, and rules out the end.
    norm = block.feed_forward_norm
    first = np.arange(SIZES["embedding_dim"]) == 0
    norm.gamma.assign(np.where(first, 0.0, 1.0))
    norm.beta.assign(np.where(first, 1.0, 0.0))
    vectors = 3 * ops.convert_to_numpy(decoder.embedding.embeddings)
    never = [END, *TranslatedText(WORDS, STEPS, 1).said.forbidden]
    vectors[never] = np.where(first, NEVER, 0.0)
    decoder.embedding.embeddings.assign(vectors)
    return network


def graph(network, way, beams):
    """The graph of a task whose steps are taken in one of the `WAYS`."""
    if WAYS[way] is not None:
        encoder, decoder = map(network.get_layer, ("encoder", "decoder"))
        decoder = Reread(decoder, name="decoder", **WAYS[way])
        network = translator(encoder, decoder, way)
    read, said = PiecedText(WORDS, SOURCE), TranslatedText(WORDS, STEPS, beams)
    return Translation(network, {}, read, said).graph()


def sources(batch):
    """Ids of texts, the first of which fills all places."""
    generator = np.random.default_rng(1)
    ids = generator.integers(FIRST, PIECES, (batch, SOURCE)).astype("int32")
    lengths = generator.integers(SOURCE // 2, SOURCE + 1, batch)
    lengths[0] = SOURCE
    ids[np.arange(SOURCE) >= lengths[:, None]] = END
    return ids


def answered(model, ids):
    return model.predict_on_batch({"source_ids": ids})[0]


def said(model, ids):
    return answered(model, ids)["token_ids"]


def in_turn(calls, rounds):
    """Seconds of each call in each round; one before is left out."""
    seconds = {side: [] for side in calls}
    for number in range(rounds + 1):
        for side, call in calls.items():
            time.sleep(REST)
            spent = call()
            if number:
                seconds[side].append(spent)
    return seconds


# The four parts.


def cached(rounds):
    """Seconds of translating a batch with and without keys that are kept."""
    network, measured = endless(), []
    for beams in BEAMS:
        models = {way: graph(network, way, beams) for way in WAYS}
        for batch in BATCHES:
            ids = sources(batch)
            answers = {way: answered(each, ids) for way, each in models.items()}
            check_words(answers["cached"]["token_ids"])
            for way in WAYS:
                check_alike(answers["cached"], answers[way], way)
            calls = {
                way: functools.partial(
                    timed, functools.partial(said, each, ids)
                )
                for way, each in models.items()
            }
            seconds = in_turn(calls, rounds)
            measured.append({"batch": batch, "beams": beams, **seconds})
            print(rates(measured[-1], WAYS), flush=True)
    return {"steps": STEPS, "source": SOURCE, "measured": measured}


def check_words(ids):
    """Raises if one ends, or all that is said are repetitions of a word."""
    assert (ids != END).all(), "a text has ended"
    assert np.mean([len(set(row.tolist())) for row in ids]) > 3, ids


def check_alike(one, other, what):
    """Raises unless the words are the same, but for beams that tie."""
    np.testing.assert_allclose(
        one["score"], other["score"], atol=1e-3, err_msg=what
    )
    same = (one["token_ids"] == other["token_ids"]).all(axis=1)
    assert same.mean() > 0.8, f"{what}: {(~same).sum()} of {len(same)} differ"


def against_torch(rounds, python):
    """Seconds of greedy decoding here, and by `nn.Transformer`."""
    network, measured = endless(), []
    ours = graph(network, "cached", 1)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        folder = pathlib.Path(folder)
        ask = stack.enter_context(answering(python, network, folder))
        about = ask()
        for batch in BATCHES:
            ids = sources(batch)
            path = folder / f"{batch}.npy"
            np.save(path, ids)
            words, _ = ask(path)
            check_words(np.array(words))
            np.testing.assert_array_equal(said(ours, ids), words)
            call = functools.partial(said, ours, ids)
            calls = {
                "ours": functools.partial(timed, call),
                "torch": lambda path=path: ask(path)[1],
            }
            measured.append({"batch": batch, **in_turn(calls, rounds)})
            print(rates(measured[-1], calls), flush=True)
    return {"steps": STEPS, **about, "measured": measured}


@contextlib.contextmanager
def answering(python, network, folder):
    """A function that asks PyTorch's process, and waits for its answer."""
    sizes, weights = folder / "sizes.json", folder / "weights.npz"
    sizes.write_text(
        json.dumps(
            {
                "vocabulary": PIECES,
                "width": SIZES["embedding_dim"],
                "layers": SIZES["num_layers"],
                "heads": SIZES["num_heads"],
                "inner": SIZES["intermediate_dim"],
                "length": max(SOURCE, STEPS),
                "steps": STEPS,
                "start": START,
            }
        )
    )
    np.savez(weights, **torch_weights(network))
    script = pathlib.Path(__file__).with_name("translating_torch.py")
    process = subprocess.Popen(
        [python, script, sizes, weights],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(path=None):
        if path is not None:
            print(path, file=process.stdin, flush=True)
        return json.loads(process.stdout.readline())

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait()


def torch_weights(network):
    """The weights as `translating_torch.Translator` names them."""
    encoder, decoder = map(network.get_layer, ("encoder", "decoder"))
    words = decoder.embedding.get_weights()[0]
    found = {
        "source.weight": encoder.get_layer("source_embedding").get_weights()[0],
        "target.weight": words,
        "generator.weight": words,
    }
    for place in range(SIZES["num_layers"]):
        block = encoder.get_layer(f"reading_{place}")
        name = f"transformer.encoder.layers.{place}"
        attentions = {"self_attn": block.attention}
        norms = block.attention_norm, block.feed_forward_norm
        found |= of_block(name, block, attentions, norms)
    for place, block in enumerate(decoder.blocks):
        name = f"transformer.decoder.layers.{place}"
        attentions = {
            "self_attn": block.self_attention,
            "multihead_attn": block.cross_attention,
        }
        norms = (
            block.self_attention_norm,
            block.cross_attention_norm,
            block.feed_forward_norm,
        )
        found |= of_block(name, block, attentions, norms)
    return found


def of_block(block_name, block, attentions, norms):
    found = {}
    for name, attention in attentions.items():
        kernels, biases = attention.get_weights()[::2], attention.get_weights()
        biases = [bias.reshape(-1) for bias in biases[1::2]]
        width = kernels[0].shape[0]
        name = f"{block_name}.{name}"
        projections = [kernel.reshape(width, -1).T for kernel in kernels[:3]]
        found[f"{name}.in_proj_weight"] = np.concatenate(projections)
        found[f"{name}.in_proj_bias"] = np.concatenate(biases[:3])
        found[f"{name}.out_proj.weight"] = kernels[3].reshape(-1, width).T
        found[f"{name}.out_proj.bias"] = biases[3]
    for name, layer in (("linear1", block.expand), ("linear2", block.contract)):
        kernel, bias = layer.get_weights()
        found[f"{block_name}.{name}.weight"] = kernel.T
        found[f"{block_name}.{name}.bias"] = bias
    for place, norm in enumerate(norms, 1):
        gamma, beta = norm.get_weights()
        found[f"{block_name}.norm{place}.weight"] = gamma
        found[f"{block_name}.norm{place}.bias"] = beta
    return found


def training(rounds):
    """Seconds of a step of learning, ours and of Keras's own layers."""
    measured = []
    for length, jit in itertools.product(LENGTHS, (False, True)):
        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        ours = transformer_translator(PIECES, length, PIECES, length, **SIZES)
        theirs, layers = of_keras_layers(length)
        assert ours.count_params() == theirs.count_params()
        give_weights(ours, layers)
        inputs, words = lesson(length)
        np.testing.assert_allclose(
            ours.predict_on_batch(inputs),
            theirs.predict_on_batch(inputs),
            atol=1e-4,
        )
        calls = {}
        for side, model in (("ours", ours), ("keras", theirs)):
            compiled(model, jit)
            step = functools.partial(model.train_on_batch, inputs, words)
            calls[side] = functools.partial(timed, step)
        seconds = in_turn(calls, rounds)
        measured.append({"length": length, "jit": jit, **seconds})
        print(rates(measured[-1], calls), flush=True)
    return {
        "batch": TAUGHT,
        "parameters": ours.count_params(),
        "measured": measured,
    }


def compiled(model, jit):
    model.compile(
        keras.optimizers.AdamW(1e-4),
        SentenceCrossentropy(),
        jit_compile=jit,
    )
    # As our training does; or else Keras traces the first step twice.
    model.optimizer.build(model.trainable_variables)


def lesson(length):
    """Random texts that fill from half to all of the places."""
    generator = np.random.default_rng(0)
    texts = []
    for _ in range(2):
        ids = generator.integers(FIRST, PIECES, (TAUGHT, length))
        lengths = generator.integers(length // 2, length + 1, TAUGHT)
        ids[np.arange(length) >= lengths[:, None]] = END
        texts.append(ids.astype("int32"))
    source, words = texts
    return {"source_ids": source, "target_ids": before(words)}, words


def before(words):
    """The word before each word."""
    return np.pad(words, ((0, 0), (1, 0)), constant_values=START)[:, :-1]


class Waves(keras.layers.Layer):
    """Adds places as a user would: waves that are computed once."""

    def build(self, shape):
        places = np.arange(shape[1])[:, None]
        depth = shape[-1]
        angles = places / 10000 ** (np.arange(0, depth, 2) / depth)
        waves = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
        self.waves = waves.reshape(1, shape[1], depth).astype("float32")

    def call(self, x):
        return x + self.waves

    def compute_output_shape(self, shape):
        return shape


def of_keras_layers(length):
    """The network of Keras's layers, and its layers in the order of ours."""
    width, dropout = SIZES["embedding_dim"], SIZES["dropout"]
    heads, made = SIZES["num_heads"], []

    def new(layer):
        made.append(layer)
        return layer

    def added(x, more):
        more = keras.layers.Dropout(dropout)(more)
        x = keras.layers.Add()([x, more])
        return new(keras.layers.LayerNormalization(epsilon=1e-5))(x)

    def attended(x, value, **options):
        attention = keras.layers.MultiHeadAttention(heads, width // heads)
        return added(x, new(attention)(x, value, **options))

    def fed(x):
        inner = SIZES["intermediate_dim"]
        expanded = new(keras.layers.Dense(inner, activation="relu"))(x)
        return added(x, new(keras.layers.Dense(width))(expanded))

    def placed(x):
        x = Waves()(x * width**0.5)
        return keras.layers.Dropout(dropout)(x)

    inputs = {
        name: keras.Input((length,), dtype="int32", name=name)
        for name in ("source_ids", "target_ids")
    }
    mask = ops.not_equal(inputs["source_ids"], 0)[:, None]
    x = new(keras.layers.Embedding(PIECES, width))(inputs["source_ids"])
    x = placed(x)
    for _ in range(SIZES["num_layers"]):
        x = fed(attended(x, x, attention_mask=mask))
    memory = x
    table = new(keras.layers.ReversibleEmbedding(PIECES, width))
    x = placed(table(inputs["target_ids"]))
    for _ in range(SIZES["num_layers"]):
        x = attended(x, x, use_causal_mask=True)
        x = fed(attended(x, memory, attention_mask=mask))
    return keras.Model(inputs, table(x, reverse=True)), made


def give_weights(ours, layers):
    """Gives our weights to Keras's layers."""
    encoder, decoder = map(ours.get_layer, ("encoder", "decoder"))
    parts = [encoder.get_layer("source_embedding")]
    for place in range(SIZES["num_layers"]):
        block = encoder.get_layer(f"reading_{place}")
        parts += [block.attention, block.attention_norm]
        parts += [block.expand, block.contract, block.feed_forward_norm]
    parts.append(decoder.embedding)
    for block in decoder.blocks:
        parts += [block.self_attention, block.self_attention_norm]
        parts += [block.cross_attention, block.cross_attention_norm]
        parts += [block.expand, block.contract, block.feed_forward_norm]
    for part, layer in zip(parts, layers, strict=True):
        layer.set_weights(part.get_weights())


def lengths(rounds, batches=20):
    """Seconds of an epoch, and the places that are padding, for each order."""
    source, target = drawn_lengths(batches * BUCKET)
    source_ids, words = map(drawn_texts, (source, target))
    target_ids = before(words)
    longest = np.maximum(source, target)

    def read(indices, epoch, place):
        return {
            "source_ids": source_ids[indices],
            "target_ids": target_ids[indices],
        }

    found, calls = {}, {}
    for side, sizes in (("buckets", longest), ("random", None)):
        epochs = Batches(
            len(longest), read, words, None, BUCKET, True, lengths=sizes
        )
        places = sum(
            x.size
            for place in range(len(epochs))
            for x in epochs[place][0].values()
        )
        real = int(source.sum() + target.sum())
        found[side] = {"places": places, "padding": 1 - real / places}
        keras.utils.set_random_seed(0)
        model = transformer_translator(
            PIECES, LONGEST, PIECES, LONGEST, **SIZES
        )
        # As our training does of texts in order of their lengths.
        compiled(model, False)
        epoch = functools.partial(model.fit, epochs, shuffle=False, verbose=0)
        calls[side] = functools.partial(timed, epoch)
    # An epoch is many steps, so fewer rounds will do.
    seconds = in_turn(calls, max(1, rounds // 5))
    print(rates({"batches": batches, **seconds}, calls), flush=True)
    return {
        "batch": BUCKET,
        "batches": batches,
        "mean": float(np.mean([source, target])),
        "most": int(longest.max()),
        "found": found,
        "seconds": seconds,
    }


def drawn_lengths(count):
    """Pieces of texts and of their translations: 6 to 45, 14 on average."""
    generator = np.random.default_rng(0)
    source = 6 + generator.negative_binomial(3, 3 / 11, count)
    target = source + np.rint(generator.normal(0, 2, count)).astype(int)
    return source.clip(6, 45), target.clip(6, 45)


def drawn_texts(sizes):
    generator = np.random.default_rng(1)
    ids = generator.integers(FIRST, PIECES, (len(sizes), LONGEST))
    ids[np.arange(LONGEST) >= sizes[:, None]] = END
    return ids.astype("int32")


PARTS = {
    "cached": cached,
    "torch": against_torch,
    "training": training,
    "lengths": lengths,
}


# What is told of them.


def rates(measured, sides):
    """A line of what was just measured."""
    settings = {
        key: value for key, value in measured.items() if key not in sides
    }
    times = {
        side: round(statistics.median(measured[side]), 4) for side in sides
    }
    return f"{settings}, s: {times}"


def ratio(seconds, slow, fast):
    pairs = zip(seconds[slow], seconds[fast], strict=True)
    return statistics.median(a / b for a, b in pairs)


def tables(known):
    made = [TABLES[name](known[name]) for name in TABLES if name in known]
    return "\n\n".join("\n".join(rows) for rows in made)


def tokens(found, side, steps):
    """Words a second."""
    return f"{found['batch'] * steps / statistics.median(found[side]):,.0f}"


def table_of_cached(known):
    rows = [
        "| beams | batch | tokens/s, cached | prefix reread "
        "| padded prefix reread | speed-up over prefix | over padded prefix |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for found in known["measured"]:
        cells = [tokens(found, way, known["steps"]) for way in WAYS]
        cells += [
            f"{ratio(found, way, 'cached'):.1f}" for way in ("prefix", "padded")
        ]
        rows.append(
            f"| {found['beams']} | {found['batch']} | {' | '.join(cells)} |"
        )
    return rows


def table_of_torch(known):
    rows = [
        "| greedy, batch | tokens/s, ours | `nn.Transformer` | speed-up |",
        "| --- | --- | --- | --- |",
    ]
    for found in known["measured"]:
        cells = [
            tokens(found, side, known["steps"]) for side in ("ours", "torch")
        ]
        rows.append(
            f"| {found['batch']} | {' | '.join(cells)} "
            f"| {ratio(found, 'torch', 'ours'):.1f} |"
        )
    return rows


def table_of_training(known):
    rows = [
        "| length | XLA | training step, ms: ours | Keras's layers "
        "| ours, Keras's = 1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for found in known["measured"]:
        cells = [
            f"{1000 * statistics.median(found[side]):.0f}"
            for side in ("ours", "keras")
        ]
        rows.append(
            f"| {found['length']} | {'on' if found['jit'] else 'off'} "
            f"| {' | '.join(cells)} | {ratio(found, 'ours', 'keras'):.2f} |"
        )
    return rows


def table_of_lengths(known):
    names = {"buckets": "of similar length", "random": "in random order"}
    rows = [
        "| batches | places per epoch | padding | ms per step "
        "| epoch, random order = 1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for side, found in known["found"].items():
        step = statistics.median(known["seconds"][side]) / known["batches"]
        rows.append(
            f"| {names[side]} | {found['places']:,} | {found['padding']:.0%} "
            f"| {1000 * step:.0f} "
            f"| {ratio(known['seconds'], side, 'random'):.2f} |"
        )
    return rows


TABLES = {
    "cached": table_of_cached,
    "torch": table_of_torch,
    "training": table_of_training,
    "lengths": table_of_lengths,
}


if __name__ == "__main__":
    typer.run(main)
