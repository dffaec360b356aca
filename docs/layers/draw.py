"""Draws the pictures of the catalogue: where each layer looked.

From the root of the checkout: `python docs/layers/draw.py`, on TensorFlow, in
two minutes; with names of layers, only those. A picture is of a trained model
of the zoo where one has the layer, else of a model that learned for some
hundred steps, here, to turn sequences round; of layers without weights, of
themselves. `website/catalogue.py` says which is which.
"""

import pathlib
import sys

import keras
import numpy as np
from PIL import Image

import keras_attention
import zoo
from keras_attention import attention_maps, pictures
from keras_attention.pair.multiway_attention import WAYS
from zoo.data.images import load_images, read_image

HERE = pathlib.Path(__file__).parent
SAMPLES = HERE.parent / "samples"
REVIEW = (SAMPLES / "review.txt").read_text("utf-8")
QUESTION = (
    "How long is the Nile?",
    (SAMPLES / "sentences.txt").read_text("utf-8").splitlines(),
)
PAIR = "A dog is running in the park", "No animal is running outside"
READS = "reads", "is read"
LETTERS = "attention"  # what small models turn round
LENGTH, DEPTH, STEPS = len(LETTERS), 32, 400


def main(names=()):
    """Draws all of them, or those of some layers."""
    drawn = {
        layer: lambda each=each: look(*each)
        for layer, each in looked_at().items()
    }
    drawn |= {
        "ChannelAttention": channel_attention,
        "SpatialAttention": spatial_attention,
        "TransformerEncoder": transformer_encoder,
        "MixedAggregation": mixed_aggregation,
        "GaussianAttention": gaussian_attention,
        "LocalAttention": local_attention,
        "ScaledDotProductAttention": scaled_dot_product_attention,
        "SinusoidalPositionEncoding": sinusoidal_position_encoding,
        "PairAttentionMatrix": pair_attention_matrix,
    }
    turned = {
        "AttentionLayer",
        "BahdanauAttention",
        "LuongAttention",
        "MultiHeadAttention",
        "SelfAttention",
        "TransformerDecoder",
    }
    unknown = set(names) - set(drawn) - turned
    if unknown:
        raise ValueError(
            f"There are pictures of {sorted([*drawn, *turned])}. "
            f"Received: {sorted(unknown)}"
        )
    for layer in sorted(set(drawn) & set(names or drawn)):
        save(drawn[layer](), layer)
    if turned & set(names or turned):
        for layer, figure in turned_round().items():
            save(figure, layer)


def save(figure, layer):
    """Writes a picture with 128 colours, which takes a third of the room."""
    dpi = 160 if layer in looked_at() else 110
    path = pictures.save_figure(figure, HERE / f"{layer}.png", dpi)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(128, kmeans=3)
    small.save(path, optimize=True)


# Of trained models, drawn as `zoo look` draws them.


def look(preset, raws):
    """What a preset looked at."""
    task = zoo.load(preset)
    return task.picture(raws, task.look(raws))


def looked_at():
    """Layer -> the preset that has it, and what that looked at."""
    scene = [str(SAMPLES / "scene.png")]
    return {
        "SEBlock": ("se_resnet20_cifar10", [str(SAMPLES / "ship.jpg")]),
        "AttentionCrop": ("ra_cnn_glyphs", first("glyphs", 1)),
        "GlimpseSensor": (
            "ram_digits_translated_40",
            first("digits_translated_40", 3),
        ),
        "EntropySaliency": (
            "dcn_mnist_cluttered_60",
            first("digits_cluttered_60", 3),
        ),
        "SoftVisualAttention": ("sat_soft_scenes", scene),
        "HardAttention": ("sat_hard_scenes", scene),
        "AttentionPooling": ("recurrent_imdb", [REVIEW]),
        "ABCNN": ("abcnn3_wikiqa", [QUESTION]),
    }


def first(name, count):
    """The first images of a test part that is made here."""
    return list(load_images(name, "test").images[:count])


def cbam_maps():
    """The maps of the last CBAM of a network for a photograph, and that."""
    task = zoo.load("cbam_resnet20_cifar10")
    image = str(SAMPLES / "ship.jpg")
    maps = task.look(image)["attention"]
    stages = {"stage_1": None, "stage_2": None, "stage_3": None}
    for name, weights in maps.items():
        stages[name[:7]] = stages[name[:7]] or {}
        stages[name[:7]][name.split("/")[-1]] = weights
    return read_image(image), stages


def channel_attention():
    """The channels that the last CBAM let through."""
    _, stages = cbam_maps()
    gates = stages["stage_3"]["channel"].reshape(1, -1)
    return pictures.channel_gates(gates)


def spatial_attention():
    """The places that the last CBAM of each stage let through."""
    image, stages = cbam_maps()
    maps = {
        name.replace("_", " "): found["spatial"][None]
        for name, found in stages.items()
    }
    return pictures.attention_grid(image[None], maps)


def transformer_encoder():
    """The heads of the last block of a classifier of reviews."""
    text = "The plot is thin, but the actors are a joy to watch."
    task = zoo.load("transformer_imdb")
    answer = task.look(text)
    words = [word for word, _ in answer["words"]]
    heads = answer["attention"]["encoder_2"][:, : len(words), : len(words)]
    return pictures.alignment_grid(
        heads, words, words, columns_per_row=2, roles=READS
    )


def mixed_aggregation():
    """Which of four readings each word of the left sentence takes."""
    (answer,) = zoo.load("mwan_sick").look([PAIR])
    words = answer["words"][0]
    ways = next(
        weights
        for name, weights in answer["attention"].items()
        if name.endswith("ways")
    )
    return pictures.alignment_matrix(
        ways[: len(words)], words, WAYS, roles=("word", "reading")
    )


# Of models that learn here to turn sequences round.


def turned_round():
    """Layer -> what it reads for each place, after some hundred steps.

    All are parts of one model. Each is asked by the place to be filled, and
    has the letters with their places to read from.
    """
    keras.utils.set_random_seed(0)
    letters = keras.Input((LENGTH,), dtype="int32")
    read = keras.layers.Embedding(26, DEPTH)(letters)
    read = keras_attention.SinusoidalPositionEncoding()(read)
    places = keras_attention.LearnedPositionEncoding(LENGTH)(0.0 * read)
    make = {
        "AttentionLayer": {"score": "scaled_dot"},
        "BahdanauAttention": {"units": DEPTH},
        "LuongAttention": {"units": DEPTH},
        "MultiHeadAttention": {"num_heads": 2, "key_dim": DEPTH},
        "SelfAttention": {"num_heads": 2},
        "TransformerDecoder": {"intermediate_dim": 64, "num_heads": 2},
    }
    said = {}
    for name, arguments in make.items():
        layer = getattr(keras_attention, name)(**arguments, name=name)
        query = keras.layers.Dense(DEPTH)(places)
        found = layer(read) if name == "SelfAttention" else layer(query, read)
        said[name] = keras.layers.Dense(26, name=f"{name}_letters")(found)
    model = keras.Model(letters, list(said.values()))
    drawn = np.random.default_rng(0).integers(26, size=(STEPS * 32, LENGTH))
    model.compile(
        keras.optimizers.Adam(3e-3),
        [keras.losses.SparseCategoricalCrossentropy(True)] * len(said),
        jit_compile=False,
    )
    model.fit(drawn, [drawn[:, ::-1]] * len(said), verbose=2)

    asked = np.array([[ord(letter) - ord("a") for letter in LETTERS]])
    maps = attention_maps(model, asked)
    rows = [f"{place}: {x}" for place, x in enumerate(LETTERS[::-1], start=1)]
    figures = {}
    for name in make:
        weights = maps[name]
        if isinstance(weights, dict):
            weights = weights["cross"]
        draw = pictures.alignment_matrix
        if weights.ndim == 4:
            draw = pictures.alignment_grid
        figures[name] = draw(weights[0], rows, list(LETTERS), roles=READS)
    return figures


# Of layers that have nothing to learn, or show their form without it.


def gaussian_attention():
    """A grid of 6 by 6 filters over the middle of a scene."""
    image = read_image(str(SAMPLES / "scene.png"))
    height, width = image.shape[:2]
    layer = keras_attention.GaussianAttention((6, 6), "relative")
    grid = np.array([[0.25, 0.3, 0.5, 0.35, 0.3, 0.5]], "float32")
    _, weights = layer(
        image[None].astype("float32"), grid, return_attention_scores=True
    )
    rows, columns = (
        keras.ops.convert_to_numpy(weights[name])[0].sum(0)
        for name in ("rows", "columns")
    )
    return pictures.heat_map(image, rows[:, None] * columns)


def local_attention():
    """Windows around each position, of weights not yet learned."""
    keras.utils.set_random_seed(1)
    places = positions(12)
    _, weights = keras_attention.LocalAttention(window=2)(
        places, places, return_attention_scores=True
    )
    return of_positions(weights)


def scaled_dot_product_attention():
    """Positions that read each other by their sinusoidal encodings alone."""
    places = positions(12)
    _, weights = keras_attention.ScaledDotProductAttention()(
        places, places, return_attention_scores=True
    )
    return of_positions(weights)


def sinusoidal_position_encoding():
    """The encodings of 16 positions."""
    places = keras.ops.convert_to_numpy(positions(16, 16))[0]
    rows, columns = (list(map(str, range(n))) for n in places.shape)
    return pictures.alignment_matrix(
        places, rows, columns, roles=("position", "feature")
    )


def pair_attention_matrix():
    """The letters of two words, each letter a feature of its own."""
    left, right = "attention", "tensions"
    signs = np.eye(26, dtype="float32")
    pair = [
        signs[[[ord(letter) - ord("a") for letter in word]]]
        for word in (left, right)
    ]
    grid = keras_attention.PairAttentionMatrix()(*pair)
    return pictures.alignment_matrix(
        keras.ops.convert_to_numpy(grid)[0], list(left), list(right)
    )


def positions(count, depth=DEPTH):
    """The sinusoidal encodings of so many positions."""
    zeros = np.zeros((1, count, depth), "float32")
    return keras_attention.SinusoidalPositionEncoding()(zeros)


def of_positions(weights):
    """Weights `(1, T, T)` of positions."""
    weights = keras.ops.convert_to_numpy(weights)[0]
    names = list(map(str, range(1, 1 + len(weights))))
    return pictures.alignment_matrix(weights, names, names, roles=READS)


if __name__ == "__main__":
    main(sys.argv[1:])
