"""A class for each pixel as the output of a task."""

import dataclasses
import io

import numpy as np

from zoo.cards import PresetError, check_strings, shown
from zoo.data.mask_files import RawMask, image_size, resize_mask
from zoo.data.masks import UNLABELLED, palette, read_masks
from zoo.data.resizing import fit_pixels
from zoo.metrics import check_loss
from zoo.outputs.label import Label
from zoo.scores import Score


class Mask(Label):
    """A class for each pixel of an image.

    An answer is a dict: `mask`, a uint8 array `(H, W)` of the image's own size
    whose values are places in `labels`; and `shares`, a dict from label to the
    share of the pixels, the highest first; then what the input notes. `image`
    makes a picture of the mask.

    The network says the classes at the size of the images that it reads. Its
    probabilities are resized to the image's own size, and then the likeliest
    class is taken. It learns, and is measured, at the size that it reads.

    Args:
        labels: List of distinct strings, the classes; 255 at most.
        size: `(height, width)` of the images that the network reads.
    """

    def __init__(self, labels, size):
        super().__init__(labels)
        if len(self.labels) > UNLABELLED:
            raise ValueError(
                f"A mask has {UNLABELLED} classes at most, since its pixels "
                f"are bytes. Received: {len(self.labels)} labels"
            )
        height, width = size
        self.size = height, width

    @classmethod
    def learn(cls, data, recipe, size):
        return cls(data.label_names, size)

    @classmethod
    def from_card(cls, settings, assets):
        labels = check_strings(assets["labels"], "labels")
        return cls(labels, checked_size(settings))

    def settings(self):
        return {"image_size": list(self.size)}

    def resized(self, size):
        """The same output, of a network that reads images of another size."""
        return type(self)(self.labels, size)

    def _of(self, labels):
        return type(self)(labels, self.size)

    # Learning.

    def select(self, data):
        """The data, the values of their masks being the model's own classes.

        Classes are told as in `Label`.

        Raises:
            ValueError: If a class is not the model's; near ones are listed.
        """
        if list(data.label_names) == self.labels:
            return data
        values = np.full(UNLABELLED + 1, UNLABELLED, "uint8")
        places = self._places(data)
        values[: len(places)] = places
        as_ours = values.tobytes()
        masks = [RawMask(mask, as_ours=as_ours) for mask in data.masks]
        return dataclasses.replace(
            data, masks=masks, label_names=list(self.labels)
        )

    def teach(self, data, class_weight=None):
        """What a network learns from selected data.

        Args:
            data: What `select` gave.
            class_weight: As in `Label.teach`, of pixels.

        Returns:
            `(masks, weights)`: uint8 `(N, height, width)`, 255 where nothing
            is known, and floats of that shape or `None`.
        """
        masks = self.masks(data)
        if class_weight is None:
            return masks, None
        counts = np.bincount(masks.reshape(-1), minlength=UNLABELLED + 1)
        weights = np.zeros(UNLABELLED + 1, "float32")
        weights[: len(self.labels)] = self._weights(
            class_weight, counts[: len(self.labels)]
        )
        return masks, weights[masks]

    def masks(self, data):
        """The masks of selected data at the network's size, by their nearest
        pixel: uint8 `(N, height, width)`.
        """
        return masks_of(data, self.size, len(self.labels))

    def loss(self, label_smoothing=0.0):
        from zoo.losses import MaskCrossentropy

        return MaskCrossentropy(label_smoothing)

    def metrics(self):
        from zoo.losses import MaskIoU

        return [MaskIoU(len(self.labels))]

    # Answering.

    def answers(self, tensors, raws, notes):
        answers = []
        for place, (shares, raw, note) in enumerate(
            zip(tensors["probabilities"], raws, notes, strict=True)
        ):
            check_finite(shares, place)
            mask = likeliest(shares, image_size(raw))
            counts = np.bincount(mask.reshape(-1), minlength=len(self.labels))
            order = np.argsort(-counts, kind="stable")
            answers.append(
                {
                    "mask": mask,
                    "shares": {
                        self.labels[each]: float(counts[each] / mask.size)
                        for each in order
                    },
                    **note,
                }
            )
        return answers

    @property
    def most_at_once(self):
        """How many images may be measured at once."""
        return most_at_once(self.size)

    def condense(self, tensors, data):
        """What is measured of each image: far less than its logits are.

        Args:
            tensors: Dict of final tensors.
            data: The examples that they are of, as `select` gives them.

        Returns:
            Dict of arrays: `table`, `(N, classes * classes)`, how many pixels
            of each true class, one after another, are said to be of each class;
            and `loss`, `(N,)`, the mean cross-entropy of pixels. Pixels whose
            class is not known do not count.
        """
        masks, logits = self.masks(data), tensors["logits"]
        known = masks != UNLABELLED
        count = len(self.labels)
        tables = [
            np.bincount(
                count * mask[there].astype("int64")
                + said[there].argmax(axis=-1),
                minlength=count * count,
            )
            for mask, there, said in zip(masks, known, logits)
        ]
        losses = list(map(_cross_entropy, masks, logits))
        return {"table": np.stack(tables), "loss": np.array(losses)}

    def measure(self, tensors, data):
        """`mean_iou`, `pixel_accuracy` and `loss`, over selected data.

        `tensors` are those that `condense` gives.

        The mean over classes, of those that are there or said, of the pixels
        that are both over those that are either; all images are counted
        together. `loss` is the mean over images of the cross-entropy of their
        pixels. Pixels whose class is not known do not count.

        Raises:
            ValueError: If the loss is not finite, or no pixel is known.
        """
        groups = getattr(data, "together", None)
        tables, count = tensors["table"], len(self.labels)
        check_known(tables.any(axis=1))
        loss = Score.mean(tensors["loss"], groups)
        check_loss(loss)
        total = tables.sum(axis=0)
        always = np.zeros((count, count))
        sums = total.reshape(count, count).sum(axis=1)
        always[:, sums.argmax()] = sums
        return {
            metric: Score(
                compute(total),
                tables,
                compute,
                groups,
                baseline=float(compute(always.reshape(-1))),
            )
            for metric, compute in (
                ("mean_iou", _mean_iou),
                ("pixel_accuracy", _accuracy),
            )
        } | {"loss": loss}

    @property
    def classes(self):
        return {"label": self.labels}

    def judged(self, tensors, data):
        """Each pair of classes, and of how many pixels it is."""
        true, said = np.indices((len(self.labels),) * 2).reshape(2, -1)
        often = tensors["table"].sum(axis=0)
        return {"label": (true, said, often, "pixels")}

    def unlike(self, other):
        if self.size != other.size:
            return f"masks of {self.size} and of {other.size} pixels"
        return super().unlike(other)

    # Served.

    def tensorflow(self, folder, name="labels"):
        """What a SavedModel answers, a `tf.Module` of the final tensors."""
        import tensorflow as tf

        class Painting(tf.Module):
            def __call__(self, tensors):
                shares = tensors["probabilities"]
                mask = tf.cast(tf.argmax(shares, axis=-1), "uint8")
                return {"mask": mask, "probabilities": shares}

        return Painting()

    def served(self, tensors):
        shares = tensors["probabilities"]
        mask = shares.argmax(axis=-1).astype("uint8")
        return {"mask": mask, "probabilities": shares}

    # Shown.

    line = None  # no text

    def image(self, answer):
        """The mask of an answer as a picture that holds the classes too.

        Args:
            answer: Dict, as `answers` gives it.

        Returns:
            `PIL.Image` with a palette, whose values are the classes.
        """
        from PIL import Image

        image = Image.fromarray(answer["mask"])
        image.putpalette(palette(256).reshape(-1).tolist())
        return image

    def plain(self, answer):
        """An answer as JSON holds it: the mask as a PNG, a `data:` URL."""
        return {**answer, "mask": data_url(self.image(answer))}

    def cells(self, answer):
        found = dict(answer)
        height, width = found.pop("mask").shape
        shares = found.pop("shares")
        told = {f"share of {x}": shares[x] for x in self.labels}
        return [{"height": height, "width": width, **told, **found}]

    def tables(self, noun, shown, answers):
        rows = [
            (
                text,
                ", ".join(
                    f"{label} {percent(share)}"
                    for label, share in answer["shares"].items()
                    if share
                ),
            )
            for text, answer in zip(shown, answers)
        ]
        return [(None, (noun, "answer"), rows)]


def masks_of(data, size, count):
    """The masks of data at one size, by their nearest pixels.

    Args:
        data: `zoo.data.masks.MaskData`.
        size: `(height, width)`.
        count: Integer. How many classes there are.

    Returns:
        uint8 `(N, height, width)`.

    Raises:
        ValueError: If a value is no class, and not 255.
    """
    found = np.empty((len(data), *size), "uint8")
    for place, mask in enumerate(each_mask_of(data, size, count)):
        found[place] = mask
    return found


def each_mask_of(data, size, count):
    """As `masks_of`, one after another."""
    for place, mask in enumerate(read_masks(data)):
        small = resize_mask(mask, size)
        if wrong := set(np.unique(small)) - {*range(count), UNLABELLED}:
            raise ValueError(
                f"The values of a mask must be below {count}, the number of "
                f"classes, or {UNLABELLED}, not labelled. "
                f"Received: {int(min(wrong))} in the mask at place {place}"
            )
        yield small


def most_at_once(size):
    """How many images of a size may be computed at once: 2 ** 22 pixels.

    Args:
        size: `(height, width)`.

    Returns:
        Integer of at least 1.
    """
    height, width = size
    return max(1, 2**22 // (height * width))


def checked_size(settings):
    """The size on a card, or an error.

    Args:
        settings: Dict of a card.

    Returns:
        `(height, width)`.

    Raises:
        PresetError: If it is none.
    """
    size = settings["image_size"]
    if (
        not isinstance(size, list)
        or len(size) != 2
        or not all(type(side) is int and 0 < side < 2**15 for side in size)
    ):
        raise PresetError(
            "`image_size` must be a height and a width in pixels. "
            f"Received: {shown(size)}"
        )
    return tuple(size)


def likeliest(shares, size):
    """The likeliest class of each pixel, after shares are resized.

    Args:
        shares: Floats `(h, w, classes)`.
        size: `(height, width)`, of what is returned.

    Returns:
        uint8 array `(height, width)`.
    """
    best = np.zeros(size, "uint8")
    most = np.full(size, -np.inf, "float32")
    for place in range(shares.shape[-1]):  # one by one: all may be too large
        found = fit_pixels(shares[None, ..., place, None], size, 1)[0, ..., 0]
        better = found > most
        best[better], most[better] = place, found[better]
    return best


def check_finite(shares, place):
    """Raises where what a network says of an image is no number."""
    if not np.isfinite(shares).all():
        raise ValueError(
            "Probabilities must be finite numbers; the model's weights are "
            "not, or overflow on this input. Received: "
            f"NaN or infinity among the probabilities at place {place}"
        )


def check_known(known):
    """Raises where no mask has a pixel that is labelled, by booleans `(N,)`."""
    if not known.any():
        raise ValueError(
            "To be measured on, masks must have a pixel whose class is known. "
            f"Received: {len(known):,} masks without any"
        )


def data_url(image):
    """A `PIL.Image` as a PNG in a `data:` URL."""
    import base64

    file = io.BytesIO()
    image.save(file, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def percent(share):
    """A share in words; what is there is never told to be nothing."""
    return "< 0.1 %" if 0 < share < 5e-4 else f"{100 * share:.1f} %"


def _cross_entropy(mask, logits):
    """The mean over known pixels; 0 where there is none."""
    from scipy.special import log_softmax

    known = mask != UNLABELLED
    if not known.any():
        return 0.0
    logs = log_softmax(logits[known].astype("float64"), axis=-1)
    return -np.take_along_axis(logs, mask[known][:, None], axis=-1).mean()


def _mean_iou(sums):
    """From tables `(..., classes * classes)`, rows being the true classes."""
    count = round(sums.shape[-1] ** 0.5)
    table = sums.reshape(*sums.shape[:-1], count, count)
    both = np.diagonal(table, axis1=-2, axis2=-1)
    either = table.sum(axis=-1) + table.sum(axis=-2) - both
    found = np.where(either > 0, both / np.maximum(either, 1), 0)
    return found.sum(axis=-1) / (either > 0).sum(axis=-1)


def _accuracy(sums):
    count = round(sums.shape[-1] ** 0.5)
    return sums[..., :: count + 1].sum(axis=-1) / sums.sum(axis=-1)
