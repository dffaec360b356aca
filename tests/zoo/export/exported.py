"""What the tests of the exports share: a stirred task, and images as files."""

import io

import numpy as np
from PIL import Image

from tests.zoo.tiny import tiny_task


def stirred_task(attention="cbam", dtype=None):
    """A tiny task in which every weight counts: none is at zero or one."""
    task = tiny_task(attention, dtype)
    stir(task.model)
    return task


def stir(model):
    generator = np.random.default_rng(7)
    for weight in model.weights:
        noise = generator.normal(0, 0.3, weight.shape).astype("float32")
        positive = weight.path.endswith("variance")
        weight.assign(weight + (np.abs(noise) if positive else noise))

    # Logits of mean 0 and deviation 1, so that no share is nearly 0 or 1.
    head = model.get_layer("logits")
    head.kernel.assign(generator.normal(size=head.kernel.shape))
    images = some_images(32, model.input_shape[1:3], model.input_shape[-1], 9)
    logits = model.predict(images.astype("float32"), verbose=0)
    head.kernel.assign(head.kernel / logits.std(axis=0))
    head.bias.assign((head.bias - logits.mean(axis=0)) / logits.std(axis=0))


def some_images(count, size=(16, 16), channels=3, seed=0):
    """Smooth pictures, as photographs are, of integers 0 to 255."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (count, 4, 4, channels), "uint8")
    pictures = []
    for image in small:
        squeezed = image[..., 0] if channels == 1 else image
        large = Image.fromarray(squeezed).resize(size[::-1], Image.BICUBIC)
        pictures.append(np.asarray(large).reshape(*size, channels))
    return np.stack(pictures)


def encoded(pixels, mode=None, form="png", **options):
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    image.convert(mode or image.mode).save(file, form, **options)
    return file.getvalue()
