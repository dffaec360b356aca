"""Task: raw in, answer out. What every kind of trained model can do."""

import os
import pathlib
import platform
import warnings
from importlib import metadata

import keras
import numpy as np
from keras import ops

import keras_attention
from keras_attention.looking import attention_model
from zoo import presets, training
from zoo.data import sources
from zoo.plan import Plan, check_num_classes, checked_validation


class Task:
    """A trained model with all that it needs to answer.

    A kind of task fills in the hooks: `preprocess` (raw to arrays), `answer`
    (arrays to what a person wants), `loss`, `metrics`, `read` and `batches`
    (data), `picture` (where it looked), `signatures` (export), and may replace
    `graph` (the model's output to final tensors, written once for prediction,
    looking and export).

    Args:
        model: `keras.Model`, logits out.
        card: Dict, the model's card (`saved_models/README.md` has its keys).
        assets: Dict from role to what the answer needs, `"labels"` a list of
            strings.
    """

    name = None
    noun = None  # what one raw input is called
    asked = None  # how the command `zoo` is given one
    formats = ("saved_model", "litert")
    builders = {}  # name of a network -> function that builds it
    roles = ("labels",)  # of the assets, each a list of strings

    def __init__(self, model, card, assets):
        self.model = model
        self.card = card
        self.assets = assets
        self._graphs = {}

    @classmethod
    def untrained(cls, recipe, labels, dtype=None, **assets):
        """Builds the model of a recipe, its weights drawn at random.

        Args:
            recipe: Dict with `builder`, a name, `builder_args`, and what else
                the kind of task reads there.
            labels: List of strings, the classes.
            dtype: Name of a dtype policy, `None` for Keras's global one.
            **assets: What else `assets_from` gave, by role.

        Returns:
            A task.
        """
        assets = {"labels": list(labels), **assets}
        builder_args = cls.builder_args(recipe, assets)
        card = {
            "task": cls.name,
            "builder": recipe["builder"],
            "builder_args": builder_args,
            "preprocessing": cls.preprocessing(recipe, assets),
        }
        with training.dtype_policy(dtype):
            model = cls.builders[recipe["builder"]](**builder_args)
        return cls(model, card, assets)

    # Raw in, answer out.

    def predict(self, raw, batch_size=32):
        """Answers.

        Args:
            raw: One raw input, or a list or batch of them.
            batch_size: Positive integer. How many are computed at once.

        Returns:
            A dict for one, a list of dicts for several.
        """
        several, raws = self.several(raw)
        answers = self.answers(raws, False, batch_size)
        return answers if several else answers[0]

    def look(self, raw, batch_size=32):
        """Answers, and says where the model looked.

        Args:
            raw: One raw input, or a list or batch of them.
            batch_size: Positive integer. How many are computed at once.

        Returns:
            As `predict`, each dict with `"attention"` as well: a dict from
            `"layer"`, or `"layer/part"`, to the weights for this input, as
            `keras_attention.attention_maps` gives them.

        Raises:
            ValueError: If the model has no attention layer.
        """
        self.check_attention()
        several, raws = self.several(raw)
        answers = self.answers(raws, True, batch_size)
        return answers if several else answers[0]

    def check_attention(self):
        """Raises ValueError unless the model has attention to look at."""
        try:
            self._graph(True)
        except ValueError as error:
            raise ValueError(
                "`look` needs a model with an attention layer whose weights "
                "can be shown, unlike a plain network or `abcnn` with "
                'variant="bcnn"; `predict` works without one. '
                f"Received: name={self.card.get('name')!r}, "
                f"builder={self.card['builder']!r}"
            ) from error

    def answers(self, raws, attention, batch_size):
        """A list of answers, with `"attention"` if that is asked for."""
        if len(raws) == 0:
            return []
        outputs = self._run(raws, attention, batch_size)
        answers = self.answer(outputs)
        if attention:
            for index, answer in enumerate(answers):
                answer["attention"] = {
                    name: maps[index]
                    for name, maps in outputs.items()
                    if name not in ("logits", "probabilities")
                }
        return answers

    def graph(self, inputs, attention=False):
        """The model's outputs as final tensors, in `keras.ops`.

        Args:
            inputs: What the model reads.
            attention: Boolean. Whether to give the attention maps too.

        Returns:
            Dict from name to tensor: `"logits"`, `"probabilities"`, and the
            maps by their layers' names.
        """
        if attention:
            looking = attention_model(self.model, return_outputs=True)
            logits, maps = looking(inputs)
        else:
            logits, maps = self.model(inputs, training=False), {}
        return {
            "logits": logits,
            "probabilities": ops.softmax(logits),
            **maps,
        }

    def _run(self, raws, attention, batch_size):
        graph = self._graph(attention)
        inputs = self.preprocess(raws)
        # One by one, since `predict` casts what it is given to `floatx`.
        parts = [
            graph.predict_on_batch(
                _rows(inputs, slice(start, start + batch_size))
            )
            for start in range(0, len(raws), batch_size)
        ]
        return {
            name: np.concatenate([part[name] for part in parts])
            for name in parts[0]
        }

    def _graph(self, attention):
        if attention not in self._graphs:
            inputs = self.model.input
            self._graphs[attention] = keras.Model(
                inputs, self.graph(inputs, attention)
            )
        return self._graphs[attention]

    # Learning and measuring.

    def evaluate(self, data=None, batch_size=250, verbose=0):
        """Measures the model.

        Args:
            data: What `read` takes; `None` is the test part of the data that
                the model was trained on, by the card.
            batch_size: Positive integer.
            verbose: As in `keras.Model.evaluate`.

        Returns:
            Dict from metric to float, the card's first.

        Raises:
            ValueError: If the loss is not finite.
        """
        data = self.to_measure(data)
        # Compiled apart, so that the user's own `compile` stays as it is.
        scorer = keras.Model(self.model.input, self.model.output)
        scorer.compile(
            loss=self.loss(), metrics=self.metrics(), jit_compile=False
        )
        batches = self.batches(data, batch_size)
        results = scorer.evaluate(batches, verbose=verbose, return_dict=True)
        loss = results.pop("loss")
        check_loss(loss)
        return {name: float(value) for name, value in results.items()} | {
            "loss": float(loss)
        }

    def to_measure(self, data=None):
        """The data to measure on, with a warning if the card's own changed.

        Args:
            data: As in `evaluate`.

        Returns:
            As `read`.
        """
        if data is not None:
            return self.read(data)
        test = self.own_test()
        stated = self.card["data"].get("test_sha256")
        if stated is not None and (found := test.sha256()) != stated:
            warnings.warn(
                "The test data are not those of the card, so the metrics need "
                "not agree with it: their SHA-256 is another. Received: "
                f"{found} of {test.name!r}, card's test_sha256={stated}",
                stacklevel=3,
            )
        return test

    def own_test(self):
        """The test part of the data that the model was trained on, by the card.

        Returns:
            As `read`. Their `sha256` says whether they are still the same.

        Raises:
            FileNotFoundError: If nothing is at the place on the card.
            ValueError: If what is there, or of that name, cannot be read.
        """
        card = self.card["data"]
        name, place = card.get("name"), card.get("place")
        rule = (
            "Without `data`, those that the model was trained on must be at "
            f"hand {'by the name' if place is None else 'at the place'} on its "
            "card; pass them as `data`. Received: "
        )
        source = sources.Known(name)
        if place is not None:
            source = pathlib.Path(os.path.expanduser(place))
            if not os.path.exists(source):
                raise FileNotFoundError(
                    f"{rule}place={place!r}, no such file or folder"
                )
        try:
            return self.read(source)
        except (ValueError, OSError) as error:
            raise ValueError(
                f"{rule}card's data={place or name!r}: {error}"
            ) from error

    def measure(self, test):
        """Evaluates, and notes on the card what was reached on which data.

        Args:
            test: Data as `read` gives them.

        Returns:
            As `evaluate`.
        """
        results = self.evaluate(test)
        self.card["data"].update(
            test_split=test.split, test_sha256=test.sha256()
        )
        if test.place is not None:
            self.card["data"]["place"] = test.place
        self.card["metrics"] = {
            metric: {
                "value": value,
                "seeds": [self.card["recipe"]["training"]["seed"]],
                "std": None,
                "n": len(test) if metric == "loss" else self.count(test),
            }
            for metric, value in results.items()
        }
        return results

    def finetune(
        self,
        data,
        num_classes=None,
        freeze=None,
        layer_decay=1.0,
        validation=None,
        epochs=5,
        batch_size=32,
        optimizer="adamw",
        learning_rate=1e-3,
        schedule="one_cycle",
        weight_decay=5e-3,
        augment=(),
        label_smoothing=0.0,
        class_weight=None,
        early_stopping=None,
        folder=None,
        resume=True,
        tensorboard=False,
        seed=0,
        dtype=None,
        verbose=None,
    ):
        """Trains a copy on other data.

        Args:
            data: What `read` takes.
            num_classes: Positive integer. The classes of the copy; by default
                those of the data.
            freeze: What keeps its weights: `None` nothing; `"backbone"` all
                but the head; or a list of beginnings of layers' names, such as
                `["stem", "stage_1"]`.
            layer_decay: Float in (0, 1]. The learning rate is multiplied by it
                for each group of layers (stem, stages, head) further from the
                head.
            validation: What `read` takes; or a float, the share of `data` that
                is set aside; or `None`.
            epochs: Positive integer.
            batch_size: Positive integer.
            optimizer: As in `zoo.training.fit`; `"adamw"` where `layer_decay`
                is below one.
            learning_rate: Positive float, the highest of the schedule.
            schedule: As in `zoo.training.fit`.
            weight_decay: As there.
            augment: Names in `zoo.data.images.AUGMENTATION`; for images only.
            label_smoothing: Float in [0, 1).
            class_weight: Dict from class to weight, `"balanced"`, or `None`. A
                class is its name, or an integer, its place in the class names
                of `data`. Classes that are not listed weigh 1.
            early_stopping: As in `zoo.training.fit`.
            folder: Where checkpoints go; `None` keeps none.
            resume: Boolean. Whether to go on from the folder's checkpoint,
                which must be of the same model, data and arguments.
            tensorboard: Boolean. Whether to write events for TensorBoard to
                the folder.
            seed: Integer in [0, 2**31). Of the new head, the order and the
                augmentation.
            dtype: Name of a dtype policy, such as `"mixed_bfloat16"`; `None`
                for Keras's global one.
            verbose: As in `zoo.training.fit`.

        Returns:
            A new task; this one stays as it was.

        Raises:
            ValueError: If an argument is none of the above, `freeze` leaves
                nothing to learn or names no layer, or the classes do not fit.
            ImportError: If `tensorboard` is asked for and not installed.
            OSError: If `folder` cannot be written.
        """
        plan = Plan(
            epochs=epochs,
            batch_size=batch_size,
            optimizer=optimizer,
            learning_rate=learning_rate,
            schedule=schedule,
            weight_decay=weight_decay,
            augment=augment,
            label_smoothing=label_smoothing,
            class_weight=class_weight,
            early_stopping=early_stopping,
            freeze=freeze,
            layer_decay=layer_decay,
            seed=seed,
            dtype=dtype,
        )
        check_num_classes(num_classes)
        validation = checked_validation(validation)
        training.check_tensorboard(tensorboard, folder)
        if folder is not None:
            training.check_folder(folder, self.model)
        keras.utils.set_random_seed(plan.seed)
        data = self.read(data, "train")
        plan = plan.named(data.label_names)
        if isinstance(validation, float):
            data, validation = data.divide(validation, plan.seed)
        elif validation is not None:
            validation = self.read(validation, "test")

        copy = self.rebuilt(self.new_labels(data, num_classes), plan.dtype)
        copy._freeze(plan.freeze)
        recipe = {
            "data": data.name,
            "from": self.card.get("name"),
            "training": plan.record(),
        }
        copy.fit(
            data,
            recipe,
            validation,
            plan,
            folder=folder,
            resume=resume,
            tensorboard=tensorboard,
            verbose=verbose,
        )
        return copy

    def fit(self, data, recipe, validation=None, plan=None, **options):
        """Trains the model itself, and notes the recipe on the card.

        Args:
            data: What `batches` takes.
            recipe: Dict for the card, with `"training"`, a dict of the
                arguments of `zoo.plan.Plan`; classes in it by name.
            validation: What `batches` takes, or `None`.
            plan: `zoo.plan.Plan`, what is done; by default the recipe's.
            **options: `folder`, `resume`, `tensorboard`, `verbose`, as in
                `zoo.training.fit`.

        Returns:
            The log, as `zoo.training.fit` gives it.
        """
        plan = (plan or Plan(**recipe["training"])).named(data.label_names)
        batches = self.batches(
            data,
            plan.batch_size,
            plan.augment,
            shuffle=True,
            seed=plan.seed,
        )
        log = training.fit(
            self.model,
            batches,
            None
            if validation is None
            else self.batches(validation, plan.batch_size),
            loss=self.loss(plan.label_smoothing),
            metrics=self.metrics(),
            epochs=plan.epochs,
            optimizer=plan.optimizer,
            learning_rate=plan.learning_rate,
            schedule=plan.schedule,
            weight_decay=plan.weight_decay,
            multipliers=self._multipliers(plan.layer_decay),
            class_weight=self._class_weight(plan, batches),
            early_stopping=plan.early_stopping,
            jit_compile=plan.jit_compile,
            recipe={
                **recipe,
                **self._digests(data, validation, options.get("folder")),
            },
            **options,
        )
        self.card["recipe"] = {**recipe, "log": log}
        self.card["data"] = self.describe(data)
        self.card["metrics"] = {}
        return log

    def _class_weight(self, plan, batches):
        """Place in the model's own classes -> weight; `None` for all alike."""
        if plan.class_weight == "balanced":
            return training.balanced_class_weight(batches.data.labels)
        if plan.class_weight is None:
            return None
        places = {name: i for i, name in enumerate(self.assets["labels"])}
        return {
            places[name]: weight for name, weight in plan.class_weight.items()
        }

    def _digests(self, data, validation, folder):
        """What a checkpoint goes on with only, beside its recipe."""
        if folder is None:  # there will be none, and digests take time
            return {}
        return {
            "data_sha256": data.sha256(),
            "validation_sha256": None
            if validation is None
            else validation.sha256(),
            "start_sha256": training.weights_digest(self.model),
            "classes": self.assets["labels"],
        }

    def rebuilt(self, labels, dtype=None):
        """A copy for other classes: the same weights, a new head if need be.

        Args:
            labels: List of strings, the classes.
            dtype: Name of a dtype policy, `None` for Keras's global one.

        Returns:
            A task of the same kind, with no weight in common.
        """
        builder_args = {
            **self.card["builder_args"],
            "num_classes": len(labels),
        }
        with training.dtype_policy(dtype):
            model = self.builders[self.card["builder"]](**builder_args)
        keep_head = labels == self.assets["labels"]
        for layer, old in zip(model.layers, self.model.layers, strict=True):
            if keep_head or layer is not model.layers[-1]:
                layer.set_weights(old.get_weights())
        card = {
            key: value
            for key, value in self.card.items()
            if key not in ("name", "metrics", "sha256", "exports")
        }
        card["builder_args"] = builder_args
        return type(self)(model, card, {**self.assets, "labels": list(labels)})

    def _freeze(self, freeze):
        if freeze is None:
            return
        layers = self.model.layers
        if freeze == "backbone":
            chosen = layers[:-1]
        else:
            beginnings = (freeze,) if isinstance(freeze, str) else tuple(freeze)
            chosen = [la for la in layers if la.name.startswith(beginnings)]
        for layer in chosen:
            layer.trainable = False
        if not chosen or not self.model.trainable_variables:
            names = sorted({_group(layer.name) for layer in layers})
            raise ValueError(
                '`freeze` must be None, "backbone", or beginnings of layers\' '
                "names that leave something to learn; the groups are "
                f"{names}. Received: freeze={freeze!r}"
            )

    def _multipliers(self, layer_decay):
        if layer_decay == 1:
            return {}
        groups = {}
        for layer in self.model.layers:
            if layer.trainable_variables:
                groups.setdefault(_group(layer.name), []).append(layer)
        top = len(groups) - 1
        return {
            variable.path: layer_decay ** (top - depth)
            for depth, layers in enumerate(groups.values())
            for layer in layers
            for variable in layer.trainable_variables
        }

    # Kept and served.

    def save(self, folder):
        """Writes the model, its assets and its card.

        Args:
            folder: Path. A model that is there is replaced, at once, at the
                end; other files beside it stay.

        Returns:
            The `pathlib.Path` of the folder; `zoo.load` takes it.

        Raises:
            ValueError: If the folder holds anything but a model, or the
                network is not one that `zoo.load` can build again.
        """
        return presets.save(self, folder)

    def export(self, folder, formats=None):
        """Exports the model, and verifies that it gives the same answers.

        Args:
            folder: Path. Each format gets its place in it.
            formats: Names among `"saved_model"` and `"litert"`; both if None.

        Returns:
            Dict from format to what was written and measured, noted on the
            card too.

        Raises:
            ValueError: If a format is unknown.
            ImportError: If the tools of a format are not installed.
        """
        from zoo import export

        reports = export.export(self, folder, formats or self.formats)
        self.card["exports"] = {
            name: {key: value for key, value in report.items() if key != "path"}
            for name, report in reports.items()
        }
        return reports

    # Hooks.

    def preprocess(self, raws):
        """Raw inputs to the array that the model reads."""
        raise NotImplementedError

    def answer(self, outputs):
        """Converts `graph`'s arrays to answer dicts."""
        raise NotImplementedError

    def loss(self, label_smoothing=0.0):
        """The Keras loss that training lowers."""
        raise NotImplementedError

    def metrics(self):
        """List of Keras metrics, the card's first."""
        raise NotImplementedError

    def several(self, raw):
        """Returns `(is_batch, raw_inputs)`."""
        several = isinstance(raw, (list, tuple))
        return several, raw if several else [raw]

    def from_shell(self, words):
        """The raw inputs that arguments of the command `zoo` stand for."""
        return list(words)

    def from_question(self, question, candidates):
        """The raw inputs for a question and the path of its candidates."""
        raise ValueError(
            "Candidates are ranked by models of the task answer_selection. "
            f"Received: question={question!r}, a model of {self.name}"
        )

    @classmethod
    def assets_from(cls, data, recipe):
        """What a new model takes from its training data, by role."""
        return {"labels": list(data.label_names)}

    @classmethod
    def builder_args(cls, recipe, assets):
        """The builder's arguments: the recipe's, and what the assets say."""
        return {**recipe["builder_args"], "num_classes": len(assets["labels"])}

    @classmethod
    def preprocessing(cls, recipe, assets):
        """What the card says of `preprocess`, for a model built so."""
        raise NotImplementedError

    @classmethod
    def read(cls, data, split="test"):
        """Loads data from a name, path or arrays."""
        raise NotImplementedError

    def new_labels(self, data, num_classes=None):
        """The classes of a copy that learns from `data`."""
        raise NotImplementedError

    def batches(self, data, batch_size, augment=(), shuffle=False, seed=0):
        """What `keras.Model.fit` reads."""
        raise NotImplementedError

    def count(self, data):
        """How many raw inputs of `data` the metrics are over."""
        return len(data)

    def describe(self, data):
        """What the card says of the data that was learned from."""
        raise NotImplementedError

    def golden_inputs(self):
        """Two seeded inputs of the model, which anyone may keep and show."""
        raise NotImplementedError

    def picture(self, raws, answers):
        """A `matplotlib.figure.Figure` of what `look` answered."""
        raise NotImplementedError

    def page(self, answers):
        """The same for the terminal, as rich prints it, or `None`."""
        return None

    def signatures(self):
        """What an export answers: see `zoo.export`."""
        raise NotImplementedError


def _rows(arrays, rows):
    """Some rows of an array, or of each of a dict of arrays."""
    return keras.tree.map_structure(lambda array: array[rows], arrays)


def check_loss(loss):
    """Raises unless a measured loss is a finite number.

    Args:
        loss: Float.

    Raises:
        ValueError: If it is not. Answers that are no numbers count as the
            first class, so no metric means anything then.
    """
    if not np.isfinite(loss):
        raise ValueError(
            "The loss must be a finite number, or the metrics are not of "
            "answers: the model's weights are not finite, or overflow; a "
            "training that diverged needs a lower `learning_rate`. "
            f"Received: loss={loss}"
        )


def count_parameters(model):
    """Numbers of the model, learned and in all, for its card."""

    def count(variables):
        return int(sum(np.prod(variable.shape) for variable in variables))

    return {
        "trainable": count(model.trainable_variables),
        "total": count(model.weights),
    }


def versions():
    """What a card says of the software that made it."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "keras_attention": keras_attention.__version__,
        "numpy": metadata.version("numpy"),
    }


def _group(layer_name):
    """`stage_1_block_2_conv` is of `stage_1`; `stem_conv` of `stem`."""
    words = layer_name.split("_")
    long = len(words) > 1 and words[1].isdigit()
    return "_".join(words[: 2 if long else 1])
