"""What tasks share that read words."""

import warnings

import keras

from zoo.classification import Classification

MOSTLY = 0.5  # from this share of unknown words on, a reader is warned
SAMPLE = 1000  # examples of a data set whose words are looked up


class Reading(Classification):
    """Reads words, and answers with a label.

    A kind of task says in `source` which module of `zoo.data` its data are
    from (with `Batches` and `LICENCES`), and makes `self.tokens`.

    The arguments are those of `zoo.task.Task`.
    """

    source = None
    roles = ("labels", "vocabulary")

    def preprocess(self, raws):
        return self.tokens(raws)

    def answers(self, raws, attention, batch_size):
        answers = super().answers(raws, attention, batch_size)
        for raw, answer in zip(raws, answers):
            answer["cut"] = self.tokens.cut(raw)
            answer["unknown"] = self.tokens.unknown(raw)
        mostly = [
            raw
            for raw, answer in zip(raws, answers)
            if keras.tree.flatten(answer["unknown"])
            and self._unknown_share([raw]) > MOSTLY
        ]
        if mostly:
            self._warn(
                mostly,
                f"{len(mostly)} of {len(raws)} inputs",
                "do not rely on the answers",
            )
        return answers

    def _unknown_share(self, raws):
        """Of all words that are read, the share not in the vocabulary."""
        known = [
            self.tokens.knows(word)
            for raw in raws
            for word in keras.tree.flatten(self.tokens.words(raw))
        ]
        return known.count(False) / max(1, len(known))

    def _warn(self, raws, subject, advice):
        share = 100 * self._unknown_share(raws)
        words = keras.tree.flatten([self.tokens.unknown(raw) for raw in raws])
        example = words[0] if len(words[0]) <= 30 else f"{words[0][:29]}…"
        warnings.warn(
            f"Most words of {subject} are not in the model's vocabulary "
            f"({share:.0f} %, such as {example!r}): {advice}.",
            stacklevel=2,
        )

    def batches(self, data, batch_size, augment=(), shuffle=False, seed=0):
        if augment:
            raise ValueError(
                "Text augmentation is not supported; leave `augment` empty. "
                f"Received: augment={list(augment)!r}"
            )
        raws = data.raws[:: 1 + len(data) // SAMPLE]
        if self._unknown_share(raws) > MOSTLY:
            self._warn(
                raws,
                f"the data {data.name!r} ({data.split})",
                "train a model on such texts, or check their language",
            )
        return self.source.Batches(
            self.in_own_classes(data), self.tokens, batch_size, shuffle, seed
        )

    def describe(self, data):
        licence = self.source.LICENCES.get(data.name)
        return {
            "name": data.name,
            "version": data.version,
            # A version has what is public; of the user's own nothing is known.
            "licence_class": data.version and licence,
            "train_split": data.split,
            **({} if data.place is None else {"place": data.place}),
        }

    def signed(self, raw, inputs):
        """The signatures for raw inputs by name, and what the model reads.

        Args:
            raw: Tuple of strings.
            inputs: Dict from name to a symbolic input.

        Returns:
            Dict, as `signatures` gives it.
        """
        tensors = {name: (x.shape[1:], "int32") for name, x in inputs.items()}
        signatures = {"raw": raw, "tensors": tensors}
        # LiteRT runs loops on one input at a time only.
        layers = self.model._flatten_layers()
        loops = any(isinstance(layer, keras.layers.RNN) for layer in layers)
        return {**signatures, "batch": 1} if loops else signatures
