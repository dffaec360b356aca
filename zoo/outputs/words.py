"""Words as the output of a task: a caption, a translation."""

import warnings

import numpy as np

from zoo.caption_metrics import caption_metrics
from zoo.cards import check_strings
from zoo.data.said_words import END, SPECIAL, START, SaidWords
from zoo.metrics import check_loss
from zoo.scores import Score

MOST_BEAMS = 1000
KNOWN = 0.99  # share of words by which a vocabulary is good enough to stay


class Words:
    """Words, said one after the other.

    The network has two layers: `encoder`, from what comes in to a memory, and
    `decoder`, which says the next word by the memory and the words before, as
    `zoo.decoding.beam_search` takes it. It learns with the right words before
    (teacher forcing); to answer it hears its own.

    An answer is a dict: the `caption`, its `words`, and its `score`, the sum of
    the logarithms of their probabilities, the end included, divided by the
    length penalty; then what the input notes. A subclass says by `noun` what
    else is said, of what (`of`), in which kind of words, and by `compared` how
    good it is.

    Args:
        vocabulary: List of distinct words.
        length: Integer of at least 2. The most words, the end included.
        beams: Integer from 1 to 1,000. Captions kept while searching; 1 takes
            the most probable word each time.
        length_penalty: Float of at least 0, as of `beam_search`.
    """

    noun, of, parts = "caption", "image", "words"
    kind = SaidWords  # takes texts apart, and puts them together
    roles = ("words",)
    heads = ("decoder",)
    choices = {
        "target_vocabulary_size": ("words", "vocabulary_size"),
        "target_length": ("words", "length"),
        "beams": ("words", "beams"),
        "length_penalty": ("words", "length_penalty"),
    }

    def __init__(self, vocabulary, length, beams=1, length_penalty=0.0):
        self.said = self.kind(vocabulary, length)
        if (
            isinstance(beams, bool)
            or not isinstance(beams, int)
            or not 1 <= beams <= MOST_BEAMS
        ):
            raise ValueError(
                "`beams` must be a positive integer, the captions kept while "
                f"searching, {MOST_BEAMS} at most. Received: beams={beams!r}"
            )
        if (
            isinstance(length_penalty, bool)
            or not isinstance(length_penalty, (int, float))
            or not 0 <= length_penalty < float("inf")
        ):
            raise ValueError(
                "`length_penalty` must be a finite number of at least 0. "
                f"Received: length_penalty={length_penalty!r}"
            )
        self.beams = beams
        self.length_penalty = length_penalty

    @classmethod
    def learn(cls, data, recipe):
        settings = dict(recipe.get("words", {}))
        sizes = {
            name: settings.pop(name)
            for name in ("vocabulary_size", "length")
            if name in settings
        }
        for name in settings:
            if name not in ("beams", "length_penalty"):
                raise ValueError(
                    "`words` of a recipe must be among vocabulary_size, "
                    f"length, beams and length_penalty. Received: {name!r}"
                )
        sizes |= cls.shared(data, recipe)
        said = cls.kind.learn(_all(data), **sizes)
        return cls(said.vocabulary, said.length, **settings)

    @staticmethod
    def shared(data, recipe):
        """What else the vocabulary is learned by, arguments of `kind.learn`."""
        return {}

    @classmethod
    def from_card(cls, settings, assets):
        (role,) = cls.roles
        return cls(check_strings(assets[role], role), **settings)

    def settings(self):
        return {
            "length": self.said.length,
            "beams": self.beams,
            "length_penalty": self.length_penalty,
        }

    def assets(self):
        (role,) = self.roles
        return {role: self.said.vocabulary}

    def sizes(self):
        return {
            "target_vocabulary_size": self.said.vocabulary_size,
            "target_length": self.said.length,
        }

    @property
    def decoding(self):
        """How words are searched, the arguments of `beam_search`."""
        return {
            "start": START,
            "end": END,
            "length": self.said.length,
            "beams": self.beams,
            "length_penalty": self.length_penalty,
            "forbidden": self.said.forbidden,
        }

    # Learning.

    def like(self, data, num_classes=None):
        """The words of a copy that learns from `data`, the same if they do.

        Raises:
            ValueError: If `num_classes` is given: words are no classes.
        """
        if num_classes is not None:
            raise ValueError(
                "`num_classes` is for labels; words come from the "
                f"{self.noun}s. Received: num_classes={num_classes}"
            )
        if self.said.unknown(_all(data)) <= 1 - KNOWN:
            return self
        learned = self.kind.learn(_all(data))
        return type(self)(
            learned.vocabulary,
            max(learned.length, self.said.length),
            self.beams,
            self.length_penalty,
        )

    def kept(self, other):
        """Names of the heads whose weights go over to a copy for `other`."""
        same = self.said.vocabulary == other.said.vocabulary
        return self.heads if same else ()

    def select(self, data):
        """The data, which must have a text to be said of each at least.

        Raises:
            ValueError: If they do not, or there is none.
        """
        counts = [len(each) for each in data.captions]
        if not counts or not all(counts):
            raise ValueError(
                f"There must be one {self.of} at least, and a {self.noun} of "
                f"each. Received: {len(counts)} {self.of}s in {data.name!r}"
                + (f", none at place {counts.index(0)}" if counts else "")
            )
        texts = _all(data)
        unknown, cut = self.said.unknown(texts), self.said.cut(texts)
        if unknown > 1 - KNOWN:
            warnings.warn(
                f"{unknown:.1%} of the words of {data.name!r} are not in the "
                "vocabulary of the model, which cannot say them",
                stacklevel=3,
            )
        if cut:
            warnings.warn(
                f"{cut} of the {len(texts)} {self.noun}s of {data.name!r} are "
                f"longer than the {self.said.length - 1} {self.parts} that the "
                "model says, and are cut",
                stacklevel=3,
            )
        return data

    def teach(self, data, class_weight=None):
        """The words to learn, int32 `(captions, length)`, and no weights.

        Raises:
            ValueError: If `class_weight` is given.
        """
        if class_weight is not None:
            raise ValueError(
                "`class_weight` is for labels. "
                f"Received: class_weight={class_weight!r}"
            )
        return self.said(_all(data)), None

    def told(self, data):
        """What each caption to learn belongs to, and what is told with it.

        Args:
            data: What `select` gave.

        Returns:
            `(places, arrays)`: the place of each caption's image in the data,
            and a dict of `target_ids`, int32 `(captions, length)`: the words
            before each word.
        """
        counts = [len(each) for each in data.captions]
        ids = _before(self.said(_all(data)))
        return np.repeat(np.arange(len(counts)), counts), {"target_ids": ids}

    def lengths(self, words):
        """How many of the words to learn count: `(N,)` of `(N, length)`."""
        said = np.count_nonzero(words != END, axis=1)
        return np.minimum(said + 1, words.shape[1])

    def golden(self):
        """Words at random, the second caption being short."""
        generator = np.random.default_rng(0)
        shape = 2, self.said.length
        ids = generator.integers(
            len(SPECIAL), self.said.vocabulary_size, shape
        ).astype("int32")
        ids[1, self.said.length // 2 :] = END
        return {"target_ids": _before(ids)}

    def loss(self, label_smoothing=0.0):
        from zoo.losses import SentenceCrossentropy

        return SentenceCrossentropy(label_smoothing)

    def metrics(self):
        from zoo.losses import WordAccuracy

        return [WordAccuracy()]

    # Answering.

    def final(self, said):
        return said

    def answers(self, tensors, raws, notes):
        answers = []
        scores = np.asarray(tensors["score"], "float64")
        for ids, score, note in zip(
            tensors["token_ids"], scores, notes, strict=True
        ):
            if not np.isfinite(score):
                raise ValueError(
                    "Scores must be finite numbers; the model's weights are "
                    "not, or overflow on this input. "
                    f"Received: score={score}"
                )
            answers.append(
                {
                    self.noun: self.said.text(ids),
                    "words": self.said.words(ids),
                    "score": float(score),
                    **note,
                }
            )
        return answers

    def measure(self, tensors, data):
        """The metrics of captions, and `loss`, over selected data.

        Args:
            tensors: The final tensors, and `losses`, `(captions,)`: the
                cross-entropy of each caption that was to be said.
            data: What `select` gave.

        Raises:
            ValueError: If the loss is not finite.
        """
        counts = [len(each) for each in data.captions]
        images = np.repeat(np.arange(len(counts)), counts)
        loss = Score.mean(tensors["losses"], images)
        check_loss(loss)
        captions = [self.said.text(ids) for ids in tensors["token_ids"]]
        return {**self.compared(captions, data), "loss": loss}

    def compared(self, captions, data):
        """The metrics of what was said, against what was to be said."""
        return caption_metrics(captions, data.captions)

    def count(self, data):
        return len(data)

    classes = {}

    def judged(self, tensors, data):
        return {}

    def unlike(self, other):
        return None

    # Served.

    def tensorflow(self, folder, name="words"):
        """What a SavedModel answers, a `tf.Module` of the final tensors.

        Args:
            folder: `pathlib.Path`, which must last until all is saved. A file
                of words in it becomes the model's asset.
            name: String. What the file is called.

        Returns:
            `tf.Module`, from a dict of final tensors to a dict of named ones.
        """
        import tensorflow as tf

        said, noun = self.said, self.noun

        class Saying(tf.Module):
            def __init__(self):
                self.join = said.joining(folder / f"{name}.txt")

            def __call__(self, tensors):
                return {
                    noun: self.join(tensors["token_ids"]),
                    "score": tensors["score"],
                }

        return Saying()

    def served(self, tensors):
        return {
            self.noun: [self.said.text(ids) for ids in tensors["token_ids"]],
            "score": tensors["score"],
        }

    def files(self):
        (role,) = self.roles
        words = self.said.lines()
        return {f"{role}.txt": "".join(f"{word}\n" for word in words)}

    # Shown.

    def line(self, answer):
        """The text of an answer."""
        return answer[self.noun]

    def cells(self, answer):
        return [{k: v for k, v in answer.items() if k != "words"}]

    def tables(self, noun, shown, answers):
        rows = [
            (text, answer[self.noun], f"{answer['score']:.2f}")
            for text, answer in zip(shown, answers)
        ]
        return [(None, (noun, self.noun, "score"), rows)]


def _all(data):
    return [text for texts in data.captions for text in texts]


def _before(ids):
    """The word before each: the start, then all but the last."""
    return np.pad(ids[:, :-1], ((0, 0), (1, 0)), constant_values=START)
