"""Losses and metrics that Keras does not have: of labels, words and masks."""

import keras
from keras import ops

from zoo.data.masks import UNLABELLED
from zoo.data.said_words import END, START


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels, whose share is spread a little.

    Keras smooths one-hot labels only.

    Args:
        label_smoothing: Float in [0, 1). Share spread over all classes.
        **kwargs: Keras's own.
    """

    def __init__(self, label_smoothing, **kwargs):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        one_hot = ops.one_hot(
            ops.cast(ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1]
        )
        return keras.losses.categorical_crossentropy(
            one_hot,
            y_pred,
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
        }


def counted(words):
    """Which words count: those up to the first end, which counts too.

    Args:
        words: Integers `(B, T)`, as `Words.teach` gives them.

    Returns:
        Boolean `(B, T)`.
    """
    ended = ops.cast(ops.equal(words, END), "int32")
    return ops.equal(ops.cumsum(ended, axis=-1) - ended, 0)


def sentence_crossentropy(words, logits, label_smoothing=0.0):
    """`-log p` of each text: the sum over its words, the end included.

    Args:
        words: Integers `(B, T)`.
        logits: `(B, T, V)`.
        label_smoothing: Float in [0, 1). Share spread over all words but the
            start, which is never said. Nothing is spread behind the end.

    Returns:
        Float32 `(B,)`.
    """
    words = ops.cast(words, "int32")
    logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    right = ops.take_along_axis(logs, words[..., None], axis=-1)[..., 0]
    if label_smoothing:
        said = ops.sum(logs, axis=-1) - logs[..., START]
        spread = said / (logs.shape[-1] - 1)
        right = (1 - label_smoothing) * right + label_smoothing * spread
    return -ops.sum(ops.where(counted(words), right, 0.0), axis=-1)


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class SentenceCrossentropy(keras.losses.Loss):
    """The mean over texts of `-log p(text)`, `sentence_crossentropy`.

    Args:
        label_smoothing: Float in [0, 1). Share spread over all words.
        **kwargs: Keras's own.
    """

    def __init__(self, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        return sentence_crossentropy(y_true, y_pred, self.label_smoothing)

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
        }


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class WordAccuracy(keras.metrics.Mean):
    """The share of words told right, each after the right words before it.

    Args:
        name: String.
        **kwargs: Keras's own.
    """

    def __init__(self, name="word_accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        words = ops.cast(y_true, "int32")
        right = ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), words)
        return super().update_state(
            ops.cast(right, "float32"), ops.cast(counted(words), "float32")
        )


def _by_known(losses, known):
    """Losses of pixels, whose mean is the mean over images of known ones'."""
    known = ops.cast(known, losses.dtype)
    counts = ops.sum(known, axis=(1, 2), keepdims=True)
    pixels = losses.shape[1] * losses.shape[2]
    return losses * known * (pixels / ops.maximum(counts, 1.0))


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class MaskCrossentropy(keras.losses.Loss):
    """Cross-entropy of a class for each pixel: `(B, H, W)`.

    The mean over images of the mean over their pixels whose class is known;
    255 stands for what is not. An image without any costs nothing.

    Args:
        label_smoothing: Float in [0, 1). Share spread over all classes.
        **kwargs: Keras's own.
    """

    def __init__(self, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        masks = ops.cast(y_true, "int32")
        known = ops.not_equal(masks, UNLABELLED)
        logs = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        # What is not known is looked up as class 0, and then left out.
        places = ops.where(known, masks, 0)[..., None]
        right = ops.take_along_axis(logs, places, axis=-1)[..., 0]
        if self.label_smoothing:
            spread = ops.mean(logs, axis=-1)
            right = right * (1 - self.label_smoothing)
            right = right + self.label_smoothing * spread
        return _by_known(-right, known)

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
        }


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class SaliencyCrossentropy(keras.losses.Loss):
    """Binary cross-entropy of each pixel, of logits `(B, H, W, 1)`.

    As `MaskCrossentropy`, the mask being 1 on what stands out and else 0.

    Args:
        label_smoothing: Float in [0, 1). By how much both ends come nearer to
            one half.
        **kwargs: Keras's own.
    """

    def __init__(self, label_smoothing=0.0, **kwargs):
        super().__init__(**kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        masks = ops.cast(y_true, "int32")
        known = ops.not_equal(masks, UNLABELLED)
        logits = ops.cast(y_pred, "float32")[..., 0]
        target = ops.cast(ops.where(known, masks, 0), "float32")
        target = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        losses = ops.softplus(logits) - target * logits
        return _by_known(losses, known)

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
        }


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class MaskIoU(keras.metrics.Metric):
    """Mean IoU of classes that are there or said; 255 counts nowhere.

    Keras's own `MeanIoU` counts in integers of 64 bits, which JAX warns of.

    Args:
        count: Positive integer. How many classes there are.
        name: String.
        **kwargs: Keras's own.
    """

    def __init__(self, count, name="mean_iou", **kwargs):
        super().__init__(name=name, **kwargs)
        self.count = count
        self.table = self.add_variable((count, count), "zeros", name="table")

    def update_state(self, y_true, y_pred, sample_weight=None):
        masks = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        said = ops.reshape(ops.argmax(y_pred, axis=-1), (-1,))
        known = masks < self.count
        masks = ops.one_hot(
            ops.where(known, masks, 0), self.count, dtype="float32"
        )
        masks = masks * ops.cast(known, "float32")[:, None]
        said = ops.one_hot(said, self.count, dtype="float32")
        found = ops.matmul(ops.transpose(masks), said)
        self.table.assign(self.table + ops.cast(found, self.table.dtype))

    def result(self):
        both = ops.diagonal(self.table)
        either = ops.sum(self.table, 0) + ops.sum(self.table, 1) - both
        there = ops.cast(either > 0, both.dtype)
        shares = both / ops.maximum(either, 1.0)
        return ops.sum(shares) / ops.maximum(ops.sum(there), 1.0)

    def get_config(self):
        return {**super().get_config(), "count": self.count}
