"""Self-critical training: captions that score better than the model's own.

After teacher forcing a captioner is trained on what it is measured by (Rennie
et al. 2017). For each image a caption `s` is drawn from the model's
distribution, and `g` is said word by word, the likeliest each time. With `r`
the CIDEr-D against the image's references, the loss of an image is

    (r(s) - r(g)) * -log p(s)

whose gradient is, on average, that of minus the expected reward: drawn captions
become more probable where they score better than what would be answered, and
less where they score worse. It is teacher forcing on the captions drawn, with
`r(s) - r(g)` as their weights.

The end counts as a word of its own in the reward, as in the paper (appendix E):
without it fragments such as "with a" at the end of a caption raise CIDEr.

Whatever the network does in training only has no part in it: dropout is off,
and batch normalisation uses its moving statistics and leaves them as they are
(its scale and its shift are trained). So captions come from the very
distribution whose logarithm is differentiated, and it is that of the answers.

Captions drawn earn more afterwards; those answered need not. On scenes, with
the rates and batches that were tried (one seed), a soft captioner stopped
after 6 epochs answered with a CIDEr-D of 7.4 before and 7.1 after, where 6
more epochs of teacher forcing gave 7.9; the preset of 16 epochs stayed at 9.5.
So start from a model that has learned all it can, and decide by a validation
part.

Departures: the reward is CIDEr-D as `zoo.caption_metrics` computes it, rarity
being that of the captions trained on, and one caption is drawn for each image.

Reference: Rennie et al., "Self-critical Sequence Training for Image
Captioning", CVPR 2017, https://arxiv.org/abs/1612.00563.
"""

import keras
import numpy as np

from zoo.answering import one_or_all
from zoo.caption_metrics import cider_scores, document_frequencies
from zoo.data.batches import Batches
from zoo.data.said_words import END, SPECIAL, START, join_words
from zoo.decoding import beam_search, sample
from zoo.own_loss import NetworkWithOwnLoss

# Words that no caption has: its end, and what the model must not say.
ENDED, NO_WORD = "\N{SYMBOL FOR END OF TEXT}", "\N{SYMBOL FOR NULL}"


class SelfCritical(keras.Model):
    """A captioner that learns from the captions it says itself.

    Its weights are those of the task's network. `fit` takes what
    `zoo.training.fit` gives to `keras.Model.fit`, and one step after the other:
    Keras would read batches ahead, and draw captions by weights that are old.

    Args:
        task: A `zoo.task.Task` whose output is words.
        data: What `select` of its output gave, two images at least: they say
            which phrases are rare.
        seed: Integer of at least 0. Captions drawn are a function of it, the
            epoch and the batch's place.

    Raises:
        ValueError: If the task's output is no words, its network has a loss of
            its own, or there is but one image, against which no phrase is rare.
    """

    def __init__(self, task, data, seed=0):
        check_self_critical(task)
        if len(data) < 2:
            raise ValueError(
                "Self-critical training needs two images at least: with one "
                "no phrase is rare, and every CIDEr-D is 0. "
                f"Received: {len(data)} image in {data.name!r}"
            )
        # Of the network's policy: half precision needs its loss scaled.
        super().__init__(
            name="self_critical", dtype=task.model.dtype_policy, autocast=False
        )
        self.network = task.model
        self.built = True  # nothing is left to build
        # Not tracked by Keras: no weights, and a counter that must stay one.
        vars(self)["saying"] = _saying(task)
        vars(self)["said"] = task.output.said
        vars(self)["seed"] = seed
        vars(self)["frequencies"] = document_frequencies(_ended(data.captions))

    def call(self, inputs, training=None):
        return self.network(inputs, training=False)

    def rewards(self, texts, captions):
        """CIDEr-D with the end as a word.

        Args:
            texts: Integers `(B, T)`, as `zoo.data.said_words` has them.
            captions: List of lists of strings, the references of each.

        Returns:
            float64 array `(B,)`, 0 to 10.
        """
        return cider_scores(
            [self._marked(ids) for ids in texts],
            _ended(captions),
            self.frequencies,
        )

    def _marked(self, ids):
        words = self.said.words(ids)
        words = [NO_WORD if word in SPECIAL else word for word in words]
        return join_words([*words, ENDED] if END in ids else words)

    def heard(self, inputs, captions, seed):
        """Captions drawn for a batch, and what they and the likeliest earn.

        Args:
            inputs: Dict of arrays, what the task's input gives.
            captions: List of lists of strings, the references of each.
            seed: Tuple of integers of at least 0.

        Returns:
            `(drawn, rewards, baseline)`: int32 `(B, T)`, and float64 `(B,)`
            of the captions drawn and of the likeliest.

        Raises:
            ValueError: If the network's probabilities are no numbers.
        """
        layer = self.saying.get_layer("saying")
        state = np.random.SeedSequence(seed).generate_state(2, "uint32")
        layer.seeds.state.assign(state >> 1)  # PyTorch's are of 31 bits
        said = self.saying.predict_on_batch(inputs)
        if not np.isfinite(said["score"]).all():
            raise ValueError(
                "Probabilities of captions must be numbers, and the weights "
                "are not, or overflow; a training that diverged needs a lower "
                f"`learning_rate`. Received: score={said['score']}"
            )
        return (
            said["drawn"],
            self.rewards(said["drawn"], captions),
            self.rewards(said["likeliest"], captions),
        )

    def batches(self, task, data, plan, augment=(), seed=0, shuffle=False):
        """Images by the batch, each once in an epoch.

        Args:
            task: A `zoo.task.Task`.
            data: As `Task.read` gives them.
            plan: `zoo.plan.Plan`.
            augment: As of the plan, for images to learn from.
            seed: Integer.
            shuffle: Boolean.

        Returns:
            `zoo.data.batches.Batches` of a dict of arrays, and the references.
        """
        data = task.output.select(data)
        references = np.empty(len(data), dtype=object)
        references[:] = data.captions
        return Batches(
            len(data),
            task.input.reader(data, augment, seed),
            references,
            None,
            plan.batch_size,
            shuffle,
            seed,
        )

    def fit(
        self,
        batches,
        validation_data=None,
        epochs=1,
        initial_epoch=0,
        callbacks=(),
        shuffle=False,
        verbose=1,
    ):
        """Trains, and reports rewards.

        Args:
            batches: As `batches` gives them.
            validation_data: The same, or `None`.
            epochs: As of `keras.Model.fit`, as all that follow.
            initial_epoch: Integer.
            callbacks: List.
            shuffle: `False`: batches come in their order.
            verbose: Integer.

        Returns:
            `keras.callbacks.History`, with `loss`, minus the mean reward of
            the captions drawn, and `greedy_reward`, that of the likeliest;
            `val_loss` and `val_greedy_reward`.
        """
        callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=len(batches),
        )
        self.stop_training = False
        callbacks.on_train_begin()
        logs = {}
        for epoch in range(initial_epoch, epochs):
            callbacks.on_epoch_begin(epoch)
            seen = []
            for place in range(len(batches)):
                callbacks.on_train_batch_begin(place)
                inputs, captions = batches[place]
                seen.append(self.step(inputs, captions, (epoch, place)))
                logs = _logs(seen)
                callbacks.on_train_batch_end(place, logs)
            if validation_data is not None:
                found = self.validate(validation_data)
                logs |= {f"val_{name}": x for name, x in found.items()}
            callbacks.on_epoch_end(epoch, logs)
            if self.stop_training:
                break
        callbacks.on_train_end(logs)
        return self.history

    def step(self, inputs, captions, place):
        """Draws captions, and takes one step of the optimizer.

        Args:
            inputs: As of `heard`.
            captions: As of `heard`.
            place: Tuple of integers, the epoch and the batch's place.

        Returns:
            `(rewards, baseline)`, as of `heard`.
        """
        drawn, *earned = self.heard(inputs, captions, (self.seed, 0, *place))
        before = np.pad(drawn[:, :-1], ((0, 0), (1, 0)), constant_values=START)
        self.train_on_batch(
            {**inputs, "target_ids": before},
            drawn,
            sample_weight=(earned[0] - earned[1]).astype("float32"),
        )
        return earned

    def validate(self, batches):
        """The mean rewards over all batches, the same draw at each call.

        Args:
            batches: As `batches` gives them.

        Returns:
            Dict with `loss` and `greedy_reward`, as of `fit`.
        """
        seen = []
        for place in range(len(batches)):
            inputs, captions = batches[place]
            seen.append(
                self.heard(inputs, captions, (self.seed, 1, 0, place))[1:]
            )
        return _logs(seen)


def check_self_critical(task):
    """Raises unless a task can be trained on its own captions.

    Args:
        task: A `zoo.task.Task`.

    Raises:
        ValueError: If its output is no words, or its network has a loss of its
            own.
    """
    if not task.output.decoding:
        raise ValueError(
            "`self_critical` is for tasks that answer with words. "
            f"Received: self_critical=True, task={task.name!r}"
        )
    if isinstance(task.model, NetworkWithOwnLoss):
        raise ValueError(
            "`self_critical` needs a network that learns from its words alone: "
            "the terms that this one adds to its loss, those of hard attention "
            "or a regulariser, would be left out, and hard attention would no "
            "longer learn where to look. Received: self_critical=True, "
            f"builder_args={task.card['builder_args']}"
        )


def _logs(seen):
    drawn, likeliest = np.concatenate(seen, axis=1)
    return {
        "loss": -float(drawn.mean()),
        "greedy_reward": float(likeliest.mean()),
    }


def _ended(captions):
    return [[f"{text} {ENDED}" for text in texts] for texts in captions]


def _saying(task):
    """A model from the input's tensors to captions, drawn and likeliest."""
    inputs = {
        name: keras.Input(shape, dtype=dtype, name=name)
        for name, (shape, dtype) in task.input.tensors().items()
    }
    saying = Saying(task.model, task.output.decoding)
    return keras.Model(inputs, saying(inputs))


class Saying(keras.layers.Layer):
    """What a network may say, and what it would say.

    Args:
        network: `keras.Model` with an `encoder` and a `decoder`.
        decoding: Dict, as of an output of words.

    Call arguments:
        inputs: Dict of tensors, as an input of `zoo.inputs` names them.

    Returns:
        Dict of `drawn` and `likeliest`, int32 `(B, T)`, and `score`, float32
        `(B,)`, of those drawn.
    """

    def __init__(self, network, decoding):
        super().__init__(name="saying", dtype="float32", autocast=False)
        self.network = network
        self.decoding = decoding
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, inputs):
        encoder, decoder = map(self.network.get_layer, ("encoder", "decoder"))
        memory = encoder(one_or_all(inputs), training=False)
        asked = {
            name: self.decoding[name] for name in ("start", "length", "end")
        }
        # Nothing is forbidden: it is the network's softmax that learns.
        drawn, _ = sample(decoder, memory, **asked, seed=self.seeds)
        likeliest, _ = beam_search(
            decoder,
            memory,
            **asked,
            forbidden=self.decoding["forbidden"],
            with_maps=False,
        )
        return {
            "drawn": drawn["token_ids"],
            "likeliest": likeliest["token_ids"],
            "score": drawn["score"],
        }
