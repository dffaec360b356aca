"""A number as the output of a task."""

import numpy as np

from zoo.cards import PresetError, is_finite, shown
from zoo.data.table_data import fits_32_bits, spread
from zoo.lazy import keras
from zoo.metrics import check_loss
from zoo.scores import Score

FINE = 0.01  # of a deviation, what an answer may be rounded by


class Number:
    """A number, such as hours or a price.

    An answer is a dict with the `value`, in the unit of the data; then what the
    input notes. The network says how many standard deviations of the training
    data it is above their mean.

    Args:
        mean: Float.
        deviation: Positive float.
    """

    roles = ("number",)
    choices = {}
    heads = ("logits",)
    decoding = None

    def __init__(self, mean=0.0, deviation=1.0):
        self.mean = mean
        self.deviation = deviation

    @classmethod
    def learn(cls, data, recipe):
        mean, deviation = spread(data.values)
        if not deviation:
            raise ValueError(
                "A number that is to be learned must not be the same in every "
                f"example. Received: {data.values[0]!r} in all"
            )
        if not fits_32_bits(mean, deviation, FINE):
            raise ValueError(
                "A number that is to be answered must be told in 32 bits, "
                "fine beside its deviation; subtract a constant, or take "
                f"another unit. Received: {np.min(data.values)} to "
                f"{np.max(data.values)}"
            )
        return cls(mean, deviation)

    @classmethod
    def from_card(cls, settings, assets):
        number = assets["number"]
        if (
            not isinstance(number, dict)
            or set(number) != {"mean", "deviation"}
            or not all(map(is_finite, number.values()))
            or number["deviation"] <= 0
        ):
            raise PresetError(
                "`number.json` must have a mean and a positive deviation. "
                f"Received: {shown(number)}"
            )
        return cls(**number)

    def settings(self):
        return {}

    def assets(self):
        return {"number": {"mean": self.mean, "deviation": self.deviation}}

    def sizes(self):
        return {"num_classes": 1}

    # Learning.

    def like(self, data, num_classes=None):
        return self

    def kept(self, other):
        same = (self.mean, self.deviation) == (other.mean, other.deviation)
        return self.heads if same else ()

    def select(self, data):
        return data

    def teach(self, data, class_weight=None):
        standard = (data.values - self.mean) / self.deviation
        return standard.astype("float32")[:, None], None

    def told(self, data):
        return np.arange(len(data)), {}

    def golden(self):
        return {}

    def loss(self, label_smoothing=0.0):
        return keras.losses.MeanSquaredError()

    def metrics(self):
        return [keras.metrics.RootMeanSquaredError(name="rmse")]

    # Answering.

    def final(self, said):
        said = keras.ops.cast(said[:, 0], "float32")
        return {"value": said * self.deviation + self.mean}

    def answers(self, tensors, raws, notes):
        values = tensors["value"]
        if not np.isfinite(values).all():
            place = int(np.argmin(np.isfinite(values)))
            raise ValueError(
                "An answer must be a finite number; the model's weights are "
                "not, or overflow on this input. "
                f"Received: value={values[place]} at place {place}"
            )
        return [
            {"value": float(value), **note}
            for value, note in zip(values, notes, strict=True)
        ]

    def measure(self, tensors, data):
        """`rmse`, `mae`, `r2`, and `loss`, the mean of squared deviations.

        Raises:
            ValueError: If the loss is not finite.
        """
        from sklearn import metrics

        groups = getattr(data, "together", None)
        said = tensors["value"].astype("float64")
        error = said - data.values
        loss = Score.mean((error / self.deviation) ** 2, groups)
        check_loss(loss)
        apart = data.values - np.mean(data.values)
        squared = np.stack([error**2, np.ones(len(data))], axis=1)
        found = {
            "rmse": Score(
                np.sqrt(np.mean(error**2)),
                squared,
                lambda sums: np.sqrt(sums[..., 0] / sums[..., 1]),
                groups,
                baseline=float(np.sqrt(np.mean(apart**2))),
            ),
            "mae": Score.mean(
                np.abs(error), groups, baseline=float(np.mean(np.abs(apart)))
            ),
        }
        if len(data) > 1:  # of one example it means nothing
            found["r2"] = Score(
                metrics.r2_score(data.values, said),
                np.column_stack([squared, apart**2, apart]),
                _explained,
                groups,
                baseline=0.0,
            )
        return {**found, "loss": loss}

    def count(self, data):
        return len(data)

    classes = {}

    def judged(self, tensors, data):
        return {}

    def unlike(self, other):
        return None

    # Served.

    def tensorflow(self, folder, name="number"):
        import tensorflow as tf

        class Saying(tf.Module):
            def __call__(self, tensors):
                return {"value": tensors["value"]}

        return Saying()

    def served(self, tensors):
        return {"value": tensors["value"]}

    def files(self):
        return {}

    # Shown.

    def cells(self, answer):
        return [dict(answer)]

    def tables(self, noun, shown, answers):
        rows = [
            (text, f"{answer['value']:.4g}")
            for text, answer in zip(shown, answers)
        ]
        return [(None, (noun, "answer"), rows)]


def _explained(sums):
    """R squared, from sums of squared errors, ones, squares and numbers."""
    errors, count, squares, numbers = np.moveaxis(sums, -1, 0)
    return 1 - errors / (squares - numbers**2 / count)
