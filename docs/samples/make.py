"""Draws the pictures of this folder and writes its tables made by rule.

Everything is drawn here, or is of scikit-learn's digits. From the root of the
checkout: `python docs/samples/make.py`.
"""

import argparse
import csv
import datetime
import itertools
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from zoo.data import scenes
from zoo.data.images import load_images

SIZE = 240, 160  # width and height of a drawing
FINE = 4  # it is drawn so many times larger
SCENE = 3, 50  # seed and number of the scene that is asked about
CAPTIONED = 24  # scenes to learn captions from
DIGITS = ("3", "8")  # classes of the folder to learn from
OF_EACH = 12
HOUSEHOLDS = 240
GERMAN_DATES = 200
MONTHS = (
    *("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli"),
    *("August", "September", "Oktober", "November", "Dezember"),
)


def main():
    """Writes all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=pathlib.Path, default=pathlib.Path(__file__).parent
    )
    write(parser.parse_args().folder)


def write(folder):
    """Writes all of them into a folder.

    Args:
        folder: `pathlib.Path`.
    """
    ship().save(folder / "ship.jpg", quality=90)
    airplane().save(folder / "airplane.jpg", quality=90)
    seed, number = SCENE
    _save(scenes.make(number + 1, seed).images[number], folder / "scene.png")
    turned = load_images("digits_rotated_scaled_translated", "test")
    _save(turned.images[0], folder / "turned_digit.png")
    _write_digits(folder / "digits")
    _write_captions(folder / "captions")
    _write_rows(folder / "pairs.csv", ("left", "right", "label"), pairs())
    names = ("source", "target")
    _write_rows(folder / "translations.csv", names, translations())
    names = ("age", "education", "hours", "savings", "income", "marital")
    _write_rows(folder / "households.csv", names, households())


def ship():
    """A steamer on the sea, a `PIL.Image`."""
    image = _air_and_water(0.55, seed=0)
    draw = ImageDraw.Draw(image)
    _shape(draw, "#23 28 37", (14, 52), (90, 52), (82, 70), (22, 70))
    _shape(draw, "#96 28 23", (18.5, 63), (84.5, 63), (82, 70), (22, 70))
    _box(draw, "#f0 f0 ee", 26, 40, 74, 52)
    _box(draw, "#e1 e4 e6", 34, 31, 62, 40)
    for left in np.linspace(29, 70, 9):
        _box(draw, "#46 5a 78", left, 44, left + 2.2, 47.5)
    for left in np.linspace(36, 59, 5):
        _box(draw, "#46 5a 78", left, 34, left + 2.2, 37)
    _box(draw, "#c8 46 28", 43, 15, 53, 31)
    _box(draw, "#28 28 2d", 43, 15, 53, 19)
    _box(draw, "#3c 3c 3c", 79.6, 22, 80.4, 52)
    _shape(draw, "#3c 3c 3c", (80, 25), (80.4, 25), (90.4, 52), (90, 52))
    return _as_photographed(image, seed=1)


def airplane():
    """An airliner before the sky, a `PIL.Image`."""
    image = _air_and_water(1.2, seed=2)
    draw = ImageDraw.Draw(image)
    _shape(draw, "#3c 50 8c", (10, 30), (17, 30), (24, 46), (14, 48))
    draw.ellipse(_places((12, 43), (90, 57)), _colour("#eb ee f2"))
    _shape(draw, "#b9 be c8", (40, 50), (58, 50), (44, 80), (36, 80))
    _shape(draw, "#aa b0 bc", (44, 46), (54, 46), (44, 30), (39, 30))
    for left in np.linspace(30, 78, 13):
        window = _places((left, 47.5), (left + 1.4, 50))
        draw.ellipse(window, _colour("#3c 46 5a"))
    nose = (84.5, 46.5), (88.5, 48), (87.5, 49.5), (83.5, 49)
    _shape(draw, "#32 3c 50", *nose)
    return _as_photographed(image, seed=3)


def pairs():
    """Rows of two sentences and how the second relates to the first."""
    who = ("A dog", "A child", "An old man", "A woman")
    doing = (
        ("running in the park", "moving"),
        ("sitting on a bench", "resting"),
        ("eating an apple", "having a snack"),
    )
    for (name, (done, means)), k in zip(
        itertools.product(who, doing), itertools.cycle(range(2))
    ):
        one = f"{name} is {done}"
        other = ("The sky is cloudy", "Somebody is playing the piano")[k]
        yield one, f"{name} is {means}", "entailment"
        yield one, f"{name} is not {done}", "contradiction"
        yield one, other, "neutral"


def translations():
    """Rows of a date in German and in ISO 8601."""
    draw = np.random.default_rng(0)
    first = datetime.date(1900, 1, 1)
    for days in draw.choice(73_000, GERMAN_DATES, replace=False):
        date = first + datetime.timedelta(days=int(days))
        month = MONTHS[date.month - 1]
        yield f"{date.day}. {month} {date.year}", date.isoformat()


def households():
    """Rows of a person, their income and whether they are married."""
    draw = np.random.default_rng(0)
    for _ in range(HOUSEHOLDS):
        age, hours = draw.integers(18, 70), draw.integers(10, 60)
        level = draw.choice(["school", "college", "university"])
        years = {"school": 10, "college": 13, "university": 16}[level]
        savings = int(draw.gamma(2, 50 * (age - 15)))
        earns = years + hours / 5 + draw.normal(0, 1.5) > 20
        married = age + draw.normal(0, 8) > 35
        yield (
            age,
            level,
            hours,
            savings,
            "high" if earns else "low",
            "married" if married else "single",
        )


def _write_digits(folder):
    data = load_images("digits", "train")
    for name in DIGITS:
        own = data.images[data.labels == data.label_names.index(name)]
        for number, image in enumerate(own[:OF_EACH], 1):
            _save(image, folder / name / f"{number:02}.png")


def _write_captions(folder):
    drawn = scenes.make(CAPTIONED, seed=4)
    rows = []
    for number, image in enumerate(drawn.images):
        name = f"{number + 1:02}.jpg"
        _save(image, folder / name, quality=90)
        rows.append((name, drawn.captions[number]))
    _write_rows(folder / "captions.csv", ("image", "caption"), rows)


def _write_rows(path, names, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def _save(pixels, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    gray = pixels.shape[-1] == 1
    Image.fromarray(pixels[..., 0] if gray else pixels).save(path, **options)


def _air_and_water(horizon, seed):
    """Sky above a share of the height, sea with waves below it."""
    wide, high = (FINE * side for side in SIZE)
    y = np.arange(high)[:, None, None] / high
    sky = _fade((120, 175, 235), (215, 230, 245), y / horizon)
    sea = _fade((40, 95, 140), (20, 55, 90), (y - horizon) / (1 - horizon))
    pixels = np.where(y < horizon, sky, sea) * np.ones((1, wide, 1))
    waves = np.random.default_rng(seed).normal(128, 24, (high // 4, wide // 24))
    waves = Image.fromarray(np.clip(waves, 0, 255).astype("uint8"))
    waves = np.asarray(waves.resize((wide, high), Image.Resampling.BICUBIC))
    pixels += np.where(y < horizon, 0, waves[..., None] - 128.0)
    return Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))


def _fade(first, last, share):
    return np.array(first) + (np.array(last) - first) * share


def _as_photographed(image, seed):
    """Smaller, a little blurred, and with a little noise."""
    image = image.filter(ImageFilter.GaussianBlur(0.6 * FINE))
    pixels = np.asarray(image.resize(SIZE, Image.Resampling.LANCZOS))
    noise = np.random.default_rng(seed).normal(0, 2, (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype("uint8"))


def _shape(draw, colour, *places):
    """A polygon whose corners are in hundredths of the picture's sides."""
    draw.polygon(_places(*places), _colour(colour))


def _box(draw, colour, left, top, right, bottom):
    draw.rectangle(_places((left, top), (right, bottom)), _colour(colour))


def _places(*places):
    wide, high = (FINE * side / 100 for side in SIZE)
    return [(x * wide, y * high) for x, y in places]


def _colour(text):
    return text.replace(" ", "")


if __name__ == "__main__":
    main()
