"""What tasks share that read words."""

import keras

from zoo.classification import Classification


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

    def batches(self, data, batch_size, augment=(), shuffle=False, seed=0):
        if augment:
            raise ValueError(
                "Texts are learned from as they are, so `augment` must be "
                f"empty. Received: augment={list(augment)!r}"
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
