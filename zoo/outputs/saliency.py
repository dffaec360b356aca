"""How much each pixel stands out, as the output of a task."""

import numpy as np

from zoo.data.mask_files import image_size
from zoo.data.masks import UNLABELLED
from zoo.data.resizing import fit_pixels
from zoo.lazy import keras
from zoo.metrics import check_loss
from zoo.outputs.mask import (
    check_finite,
    check_known,
    checked_size,
    data_url,
    each_mask_of,
    masks_of,
    most_at_once,
    percent,
)
from zoo.saliency_metrics import THRESHOLDS, f_measures, structure_measure
from zoo.scores import Score


class Saliency:
    """The probability of each pixel that it belongs to what stands out.

    An answer is a dict: `saliency`, a float32 array `(H, W)` of the image's own
    size, in [0, 1]; and `share`, that of the pixels which are likelier salient
    than not; then what the input notes. `image` makes a gray picture of it.

    The network says it at the size of the images that it reads, where it learns
    and is measured too.

    Args:
        size: `(height, width)` of the images that the network reads.
    """

    roles = ()
    choices = {}
    heads = ("logits",)
    decoding = None

    def __init__(self, size):
        height, width = size
        self.size = height, width

    @classmethod
    def learn(cls, data, recipe, size):
        return cls(size)

    @classmethod
    def from_card(cls, settings, assets):
        return cls(checked_size(settings))

    def settings(self):
        return {"image_size": list(self.size)}

    def assets(self):
        return {}

    def sizes(self):
        return {}

    def resized(self, size):
        """The same output, of a network that reads images of another size."""
        return type(self)(size)

    # Learning.

    def like(self, data, num_classes=None):
        if num_classes not in (None, 2):
            raise ValueError(
                "What stands out is one of two. "
                f"Received: num_classes={num_classes}"
            )
        return self

    def kept(self, other):
        return self.heads

    def select(self, data):
        """The data, whose masks must have two classes, the second salient.

        Raises:
            ValueError: If they have more.
        """
        if len(data.label_names) != 2:
            raise ValueError(
                "Masks of what stands out must have two classes, the second "
                "of which does; for more take the task segmentation. "
                f"Received: {list(data.label_names)}"
            )
        return data

    def teach(self, data, class_weight=None):
        """What a network learns from selected data.

        Args:
            data: What `select` gave.
            class_weight: As in `zoo.outputs.label.Label.teach`, of pixels, by
                the names of the data.

        Returns:
            `(masks, weights)`: uint8 `(N, height, width)`, 1 on what stands
            out, 255 where nothing is known; and floats alike, or `None`.
        """
        masks = self.masks(data)
        if class_weight is None:
            return masks, None
        weights = np.zeros(UNLABELLED + 1, "float32")
        if class_weight == "balanced":
            counts = np.bincount(masks.reshape(-1), minlength=2)[:2]
            there = (counts > 0).sum()
            weights[:2] = counts.sum() / (there * np.maximum(counts, 1))
        else:
            names = list(data.label_names)
            weights[:2] = [class_weight.get(name, 1) for name in names]
        return masks, weights[masks]

    def masks(self, data):
        """The masks at the network's size, uint8 `(N, height, width)`."""
        return masks_of(data, self.size, 2)

    def told(self, data):
        return np.arange(len(data)), {}

    def golden(self):
        return {}

    def loss(self, label_smoothing=0.0):
        from zoo.losses import SaliencyCrossentropy

        return SaliencyCrossentropy(label_smoothing)

    def metrics(self):
        return []

    # Answering.

    def final(self, said):
        return {"logits": said, "probabilities": keras.ops.sigmoid(said)}

    def answers(self, tensors, raws, notes):
        answers = []
        for place, (shares, raw, note) in enumerate(
            zip(tensors["probabilities"], raws, notes, strict=True)
        ):
            check_finite(shares, place)
            found = fit_pixels(shares[None], image_size(raw), 1)[0, ..., 0]
            # Sums of shares that are one can be a little more.
            found = np.clip(found, 0, 1)
            answers.append(
                {
                    "saliency": found,
                    "share": float((found > 0.5).mean()),
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
            Dict of arrays `(N,)`, zeros where nothing is known of an image:
            `known`, whether there is; `salient`, the share of the pixels that
            are; `error`, the mean absolute difference; `structure`; `loss`, the
            mean cross-entropy; and `curve`, `(N, thresholds)`, the F-measures.
        """
        found = [
            _told(mask, said.astype("float64"), share)
            for mask, said, share in zip(
                self.masks(data),
                tensors["logits"][..., 0],
                tensors["probabilities"][..., 0],
            )
        ]
        return {name: np.array([x[name] for x in found]) for name in found[0]}

    def measure(self, tensors, data):
        """`max_f`, `mae`, `s_measure` and `loss`, over selected data.

        `tensors` are those that `condense` gives.

        `max_f` is the largest mean over images of the F-measure (beta squared
        0.3), over the thresholds; `mae` the mean absolute difference; each
        image counts alike. Pixels whose class is not known are left out, and in
        `s_measure`, which needs whole masks, count as not salient. An image of
        which nothing is known counts in `loss` alone, as in training: by zero.

        Raises:
            ValueError: If what was said is not finite, or no pixel is known.
        """
        groups = getattr(data, "together", None)
        told = tensors["known"]
        check_known(told)
        of_told = None if groups is None else groups[told]
        loss = Score.mean(tensors["loss"], groups)
        check_loss(loss)
        each = {name: values[told] for name, values in tensors.items()}
        ones = np.ones((told.sum(), 1))
        curves = np.concatenate([each["curve"], ones], axis=1)
        return {
            "max_f": Score(
                _largest(curves.sum(axis=0)), curves, _largest, of_told
            ),
            "mae": Score.mean(
                each["error"], of_told, baseline=float(each["salient"].mean())
            ),
            "s_measure": Score.mean(each["structure"], of_told),
            "loss": loss,
        }

    def count(self, data):
        """How many images there are of which a pixel is known."""
        masks = each_mask_of(data, self.size, 2)
        return sum(bool((mask != UNLABELLED).any()) for mask in masks)

    classes = {}

    def judged(self, tensors, data):
        return {}

    def unlike(self, other):
        if self.size != other.size:
            return f"masks of {self.size} and of {other.size} pixels"
        return None

    # Served.

    def tensorflow(self, folder, name="saliency"):
        import tensorflow as tf

        class Saying(tf.Module):
            def __call__(self, tensors):
                return {"probabilities": tensors["probabilities"]}

        return Saying()

    def served(self, tensors):
        return {"probabilities": tensors["probabilities"]}

    def files(self):
        return {}

    # Shown.

    def image(self, answer):
        """The map of an answer as a gray picture: white stands out.

        Args:
            answer: Dict, as `answers` gives it.

        Returns:
            `PIL.Image`, of 8 bits.
        """
        from PIL import Image

        return Image.fromarray(np.round(255 * answer["saliency"]).astype("u1"))

    def plain(self, answer):
        """An answer as JSON holds it: the map as a gray PNG, a `data:` URL."""
        return {**answer, "saliency": data_url(self.image(answer))}

    def cells(self, answer):
        found = dict(answer)
        height, width = found.pop("saliency").shape
        return [{"height": height, "width": width, **found}]

    def tables(self, noun, shown, answers):
        rows = [
            (text, f"{percent(answer['share'])} stands out")
            for text, answer in zip(shown, answers)
        ]
        return [(None, (noun, "answer"), rows)]


def _told(mask, logits, shares):
    """What `condense` keeps of one image."""
    known, salient = mask != UNLABELLED, mask == 1
    # What is no number is wrong where nothing is known, too.
    finite = np.isfinite(logits).all()
    found = {
        "known": bool(known.any()),
        "salient": 0.0,
        "error": 0.0,
        "structure": 0.0,
        "loss": 0.0 if finite else np.nan,
        "curve": np.zeros(THRESHOLDS),
    }
    if found["known"] and finite:
        target, said = salient[known], logits[known]
        found |= {
            "salient": target.mean(),
            "error": np.abs(shares[known] - target).mean(),
            "structure": structure_measure(shares, salient),
            "loss": (np.logaddexp(0, said) - target * said).mean(),
            "curve": f_measures(shares[known], target),
        }
    return found


def _largest(sums):
    """The largest of means, from sums and, last, how many were summed up."""
    return (sums[..., :-1] / sums[..., -1:]).max(axis=-1)
