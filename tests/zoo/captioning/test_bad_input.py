"""What captioning makes of pictures and captions that are not as they should.

Broken files, pictures of every mode and size, captions that are too long, are
missing, unknown or hold any sign, and beams of any width.
"""

import io
import itertools
import json

import keras
import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

import zoo
from keras_attention.pictures import save_figure
from tests.numbers import numpy
from tests.zoo.captioning.test_task import tiny_data, tiny_recipe
from zoo.captioning.task import Captioning
from zoo.cli import app
from zoo.data.captions import CaptionData
from zoo.data.said_words import END, SPECIAL, START, UNKNOWN
from zoo.inputs.image import Image
from zoo.outputs.words import Words

SIZE = (32, 40)
# Signs that steer terminals, formulas, markup, and a word as long as a page.
STRANGE = [
    *("$", "\\", "frac", "{", "}", "\x1b", "[", "31m", "]", "\x00", "\u202e"),
    *("\ufeff", "👍", "日本", "<", "script", ">", "%", "_", '"', "don’t"),
    *("w" * 3000, "."),
]


@pytest.fixture(scope="module")
def images():
    return tiny_data(4).images


@pytest.fixture(scope="module")
def task():
    """A captioner at random, whose captions depend on the picture."""
    return untrained(Words(["a", "large", "small", "red", "blue"], 4, 2))


@pytest.fixture(scope="module")
def speaker():
    """A captioner that says its vocabulary in order, whatever it sees."""
    output = Words(STRANGE, len(STRANGE) + 1, 2)
    count = output.said.vocabulary_size
    made = untrained(output, embedding_dim=count)
    decoder = made.model.get_layer("decoder")
    for variable in decoder.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    decoder.embedding.embeddings.assign(3 * np.eye(count))
    following = np.roll(np.eye(count), 1, axis=1)  # the last one's is the end
    following[START] = np.eye(count)[len(SPECIAL)]
    decoder.logits.kernel.assign(20 * following)
    return made


def untrained(output, **options):
    keras.utils.set_random_seed(0)
    recipe = tiny_recipe(attention="soft", **options)
    made = Captioning.untrained(recipe, Image(SIZE, 3), output)
    generator = np.random.default_rng(0)
    for variable in made.model.get_layer("decoder").trainable_variables:
        variable.assign(generator.normal(0, 1, variable.shape))
    made.card["data"] = {"name": "tiny"}
    return made


def encoded(image, form="png"):
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def raw_and_pixels(kind, pixels):
    """A picture of a kind, and the colours that are to be seen on it."""
    image = Picture.fromarray(pixels)
    gray = np.asarray(image.convert("L"))
    if kind == "gray file":
        return encoded(image.convert("L")), np.stack([gray] * 3, -1)
    if kind == "gray array":
        return gray, np.stack([gray] * 3, -1)
    if kind == "one channel":
        return gray[..., None], np.stack([gray] * 3, -1)
    if kind == "16 bits":
        deep = Picture.fromarray(gray.astype("uint16") * 256 + 200)
        return encoded(deep), np.stack([gray] * 3, -1)
    if kind in ("alpha file", "alpha array"):
        image.putalpha(Picture.fromarray(gray))
        raw = encoded(image) if kind == "alpha file" else np.asarray(image)
        return raw, pixels
    if kind == "palette":
        image = image.quantize(8)
        return encoded(image), np.asarray(image.convert("RGB"))
    assert kind == "CMYK"
    raw = encoded(image.convert("CMYK"), "jpeg")
    assert Picture.open(io.BytesIO(raw)).mode == "CMYK"
    return raw, np.asarray(Picture.open(io.BytesIO(raw)).convert("RGB"))


KINDS = (
    *("gray file", "gray array", "one channel", "16 bits"),
    *("alpha file", "alpha array", "palette", "CMYK"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_any_mode_are_captioned_by_their_colours(
    kind, task, images
):
    raw, pixels = raw_and_pixels(kind, images[0])
    expected, other = task.predict(pixels), task.predict(images[1])
    assert task.predict(raw) == expected
    assert other["score"] != pytest.approx(expected["score"], rel=1e-3)
    assert "attention" in task.look(raw)


def test_modes_may_be_mixed_in_data_that_are_measured(task):
    images = tiny_data(len(KINDS)).images
    captions = [["a large red"], ["a small"], ["blue", "a red"], ["large"]] * 2
    raws, pixels = zip(*map(raw_and_pixels, KINDS, images))
    found = task.evaluate(CaptionData(list(raws), captions))
    expected = task.evaluate(CaptionData(np.stack(pixels), captions))
    assert found == pytest.approx(expected, rel=1e-6)
    other = task.evaluate(CaptionData(np.stack(pixels)[::-1], captions))
    assert other["loss"] != pytest.approx(found["loss"], rel=1e-3)


@pytest.mark.parametrize("broken", [b"", b"no image", "cut"])
def test_broken_files_are_refused_and_told_apart(broken, task, images):
    good = encoded(Picture.fromarray(images[0]))
    if broken == "cut":
        broken = good[: len(good) // 2]
    with pytest.raises(ValueError, match=f"Pillow.*{len(broken)} bytes"):
        task.predict(broken)
    raws = [good, good, broken, good]
    for answer in (task.predict, task.look):
        with pytest.raises(ValueError, match="Pillow.* at place 2$"):
            answer(raws)
    data = CaptionData(raws, [["a"]] * 4)
    with pytest.raises(ValueError, match="Pillow.* at place 2$"):
        task.evaluate(data)
    with pytest.raises(ValueError, match="Pillow"):
        task.finetune(data, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "NoneType"),
        ([[0, 1], [2, 3]], "nested lists"),
        (np.zeros((8, 8, 5), "uint8"), r"shape=\(8, 8, 5\)"),
        (np.zeros((0, 8, 3), "uint8"), r"shape=\(0, 8, 3\)"),
        (np.full((8, 8, 3), np.nan), "NaN"),
        (np.full((8, 8, 3), 0.5), "multiply them by 255"),
        (np.full((8, 8, 3), 256), "256"),
    ],
)
def test_what_is_no_picture_is_refused(raw, message, task):
    with pytest.raises(ValueError, match=message):
        task.predict(raw)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 700), (90, 3), (64, 80), (600, 500)]
)
def test_pictures_of_any_size_are_captioned_and_drawn_whole(shape, task):
    raw = np.random.default_rng(0).integers(0, 256, (*shape, 3), "uint8")
    resized = numpy(
        keras.ops.image.resize(
            raw[None].astype("float32"),
            SIZE,
            antialias=True,
            data_format="channels_last",
        )
    )
    answer, expected = task.look(raw), task.predict(resized)[0]
    assert answer["caption"] == expected["caption"]
    assert answer["score"] == pytest.approx(expected["score"], rel=1e-4)
    assert answer["attention"]["attention"].shape == (4, 8, 10)
    figure = task.picture([raw], [answer])
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), raw)
    figure.draw_without_rendering()


def test_sizes_may_be_mixed(task, images):
    raws = [images[0], images[1, :20], np.full((1, 3, 3), 9, "uint8")]
    several = task.predict(raws)
    for raw, answer in zip(raws, several, strict=True):
        alone = task.predict(raw)
        assert alone["caption"] == answer["caption"]
        assert alone["score"] == pytest.approx(answer["score"], rel=1e-4)


def test_nothing_asked_is_nothing_answered(task, images):
    assert task.predict([]) == task.predict(images[:0]) == []
    assert task.look([]) == task.look(()) == []
    with pytest.raises(ValueError, match="0 images, 0 answers"):
        task.picture([], [])
    for data in (([], []), (images[:0], [])):
        with pytest.raises(ValueError, match="0 images, captions for 0"):
            task.evaluate(data)


@pytest.mark.parametrize("captions", [[], "", "  ", [""], ["a", "\n"], None])
def test_a_picture_without_a_caption_is_refused(captions, task, images):
    data = (images[:2], ["a large", captions])
    for use in (task.evaluate, task.finetune):
        with pytest.raises(ValueError, match="a word in it.*at place 1"):
            use(data)
    whole = CaptionData(images[:2], [["a large"], []])
    with pytest.raises(ValueError, match="a caption of each.*place 1"):
        task.evaluate(whole)


def test_files_without_a_caption_are_left_out_and_told(task, images, tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for name, pixels in zip("abc", images):
            Picture.fromarray(pixels).save(tmp_path / part / f"{name}.png")
        table = "image,caption\na.png,a large\nc.png,a small red\n"
        (tmp_path / part / "captions.csv").write_text(table)
    with pytest.warns(UserWarning, match="1 images .* no caption.*b.png"):
        found = task.evaluate(tmp_path)
    expected = CaptionData(images[[0, 2]], [["a large"], ["a small red"]])
    assert found == pytest.approx(task.evaluate(expected))


@pytest.mark.slow
def test_longer_captions_are_cut_and_told(task, images):
    """The loss is that of the first words, without an end."""
    texts = [["a small red blue large"], ["a large red blue"], ["a"], ["red"]]
    data = CaptionData(images, texts, "long")
    with pytest.warns(UserWarning, match="2 of the 4 captions of 'long' .*cut"):
        found = task.evaluate(data)
    ids = np.array([[3, 5, 6, 7], [3, 4, 6, 7], [3, 0, 0, 0], [6, 0, 0, 0]])
    assert found["loss"] == pytest.approx(taught(task, images, ids), rel=1e-4)
    with pytest.warns(UserWarning, match="2 of the 4 captions"):
        copy = task.finetune(data, epochs=1, verbose=0)
    assert copy.output is task.output


def test_unknown_words_are_told_and_cost_what_the_network_gives_them(
    task, images
):
    texts = [["a völlig red"], ["anders"], ["a"], ["a RED"]]
    data = CaptionData(images, texts, "german")
    with pytest.warns(UserWarning, match="42.9% of the words of 'german'"):
        found = task.evaluate(data)
    ids = np.array([[3, 2, 6, 0], [2, 0, 0, 0], [3, 0, 0, 0], [3, 2, 0, 0]])
    assert found["loss"] == pytest.approx(taught(task, images, ids), rel=1e-4)
    with pytest.warns(UserWarning, match="100.0% of the words"):
        found = task.evaluate((images, ["völlig", "anders", "日本", "👍"]))
    assert found["exact"] == found["bleu_4"] == 0


def test_a_model_never_says_that_it_does_not_know(images):
    """Not even one that holds the unknown word for the most probable."""
    made = untrained(Words(["a", "b"], 3, 2))
    made.model.get_layer("decoder").logits.bias.assign([0, 50, 50, 0, 0])
    said = {word for x in made.predict(list(images)) for word in x["words"]}
    assert said <= {"a", "b"}


def taught(task, images, ids):
    """The mean of `-log p` of captions, the first end included."""
    losses = -log_probabilities(task, images, ids)
    ended = np.cumsum(ids == END, axis=1) - (ids == END) > 0
    return np.where(ended, 0, losses).sum(axis=1).mean()


def log_probabilities(task, images, ids):
    """Those of each word after the words before it, by NumPy."""
    before = np.pad(ids[:, :-1], ((0, 0), (1, 0)), constant_values=START)
    inputs = {"image": images.astype("float32"), "target_ids": before}
    logits = numpy(task.model(inputs)).astype("float64")
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return np.take_along_axis(logs, ids[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("beams", [0, -1, True, 1.5, "2", None])
def test_a_beam_of_less_than_one_is_refused(beams, task, tmp_path):
    recipe = {**tiny_recipe(), "words": {"beams": beams}}
    with pytest.raises(ValueError, match=f"`beams`.*beams={beams!r}"):
        Captioning.learn(tiny_data(4), recipe)
    folder = task.save(tmp_path / "kept")
    card = json.loads((folder / "card.json").read_text())
    card["postprocessing"]["beams"] = beams
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=f"beams={beams!r}"):
        zoo.load(folder)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize(
    ("words", "length", "beams"), [("abc", 3, 12), ("abc", 4, 6**3)]
)
def test_a_beam_above_the_vocabulary_finds_the_best_of_all(
    words, length, beams, penalty
):
    """Of every caption of so many words, each weighed by hand."""
    images = tiny_data(16).images
    made, greedy = (
        untrained(Words(list(words), length, width, penalty))
        for width in (beams, 1)
    )
    assert beams > made.output.said.vocabulary_size
    captions = [
        [*said, *[END] * (length - count)]
        for count in range(length + 1)
        for said in itertools.product(range(3, 3 + len(words)), repeat=count)
    ]
    # Every caption of every image, at once.
    ids = np.repeat(captions, len(images), axis=0)
    logs = log_probabilities(
        made, np.concatenate([images] * len(captions)), ids
    )
    counted = np.minimum(length, np.sum(ids != END, axis=1) + 1)
    logs[np.arange(length) >= counted[:, None]] = 0
    scores = logs.sum(axis=1) / ((5 + counted) / 6) ** penalty
    scores = scores.reshape(len(captions), len(images))
    answers = made.predict(images)
    found = [answer["score"] for answer in answers]
    np.testing.assert_allclose(found, scores.max(axis=0), rtol=1e-4)
    expected = [made.output.said.text(captions[i]) for i in scores.argmax(0)]
    assert [answer["caption"] for answer in answers] == expected
    greedily = [answer["score"] for answer in greedy.predict(images)]
    assert (np.array(greedily) < scores.max(axis=0) - 1e-3).any()


def test_strange_words_are_said_printed_and_drawn(speaker, images, tmp_path):
    answer = speaker.look(images[0])
    assert answer["words"] == STRANGE
    assert answer["caption"] == speaker.output.said.text(
        range(len(SPECIAL), len(SPECIAL) + len(STRANGE))
    )
    figure = speaker.picture([images[0]], [answer])
    shown = [text.get_text() for text in figure.texts]
    shown += [ax.get_title() for ax in figure.axes]
    assert all(text.replace("\n", "").isprintable() for text in shown)
    assert max(map(len, shown)) < 300
    assert max(figure.get_size_inches()) < 30
    save_figure(figure, tmp_path / "strange.png")
    with Picture.open(tmp_path / "strange.png") as drawn:
        assert min(drawn.size) > 100


@pytest.mark.slow
def test_strange_words_pass_the_shell(speaker, images, tmp_path):
    kept, file = str(speaker.save(tmp_path / "kept")), tmp_path / "a.png"
    Picture.fromarray(images[0]).save(file)
    caption = zoo.load(kept).predict(file)["caption"]
    assert caption == speaker.predict(images[0])["caption"]
    for options in ([], ["--json"]):
        result = CliRunner().invoke(app, ["predict", kept, *options, str(file)])
        assert result.exit_code == 0, result.output
        assert all(each.isprintable() or each == "\n" for each in result.stdout)
        assert "$" in result.stdout and "日本" in result.stdout
        if options:
            assert json.loads(result.stdout)[0]["caption"] == caption
        else:
            # No sign is lost; those that steer are dots.
            assert result.stdout.count("w") >= 3000
            assert result.stdout.count("·") >= 4


@pytest.mark.slow
def test_strange_words_are_exported(speaker, tmp_path):
    tf = pytest.importorskip("tensorflow")
    # The one format that holds words; it proves each caption.
    speaker.export(tmp_path / "exported", ["saved_model"])
    text = (tmp_path / "exported/words.txt").read_text("utf-8")
    assert text.split("\n") == [*SPECIAL, *STRANGE, ""]
    served = tf.saved_model.load(str(tmp_path / "exported/saved_model"))
    pixels = np.zeros((*SIZE, 3), "uint8")
    found = served.signatures["serving_default"](
        image_bytes=tf.constant([encoded(Picture.fromarray(pixels))])
    )
    said = found["caption"].numpy()[0].decode()
    assert said == speaker.predict(pixels)["caption"]
    assert "\x00" in said and "w" * 3000 in said


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        (["a", 3], "3 at place 1"),
        (["a", b"b"], "b'b' at place 1"),
        (["a", "\ud800"], "valid Unicode"),
        ("ab", "str as captions"),
        (["a"], "captions for 1"),
    ],
)
def test_what_is_no_caption_is_refused(captions, message, task, images):
    with pytest.raises(ValueError, match=message):
        task.finetune((images[:2], captions), epochs=1, verbose=0)


@pytest.mark.slow
def test_strange_captions_are_learned(images):
    """From the captions alone: no word of them is lost or run together."""
    texts = ["$x_1$ \x00", "👍 \u202eabc", "\x1b[31mred", "w" * 3000]
    task = untrained(Words(["a"], 4, 2))
    copy = task.finetune((images, texts), epochs=1, verbose=0)
    said = copy.output.said
    for text, ids in zip(texts, said(texts), strict=True):
        assert UNKNOWN not in ids
        joined = "".join(said.words(ids))
        assert joined == "".join(text.split())
    assert copy.predict(images[0])["words"] is not None
