"""Draws, for the catalogue, where trained models with a layer looked.

From the root of the checkout: `python docs/layers/draw.py`, on TensorFlow. Each
picture is what `zoo look` draws.
"""

import pathlib

import zoo
from keras_attention import pictures
from zoo.data.images import load_images

HERE = pathlib.Path(__file__).parent
SAMPLES = HERE.parent / "samples"
REVIEW = (SAMPLES / "review.txt").read_text("utf-8")
QUESTION = (
    "How long is the Nile?",
    (SAMPLES / "sentences.txt").read_text("utf-8").splitlines(),
)


def main():
    """Draws all of them."""
    for layer, (preset, raws) in looked_at().items():
        task = zoo.load(preset)
        figure = task.picture(raws, task.look(raws))
        pictures.save_figure(figure, HERE / f"{layer}.png")


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
        "SoftVisualAttention": ("sat_soft_scenes", scene),
        "HardAttention": ("sat_hard_scenes", scene),
        "AttentionPooling": ("recurrent_imdb", [REVIEW]),
        "ABCNN": ("abcnn3_wikiqa", [QUESTION]),
    }


def first(name, count):
    """The first images of a test part that is made here."""
    return list(load_images(name, "test").images[:count])


if __name__ == "__main__":
    main()
