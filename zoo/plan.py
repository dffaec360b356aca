"""The plan of a training: its options, each checked before any work."""

import dataclasses
import difflib
import inspect
import math
import numbers

from zoo.cards import DTYPES, RANGES
from zoo.data.images import AUGMENTATION
from zoo.training import OPTIMIZERS, SCHEDULES

LEAST_EPOCHS = 5
MOST_EPOCHS = 100  # of data that are read more often for being small
RECIPES = ("gradual",)


@dataclasses.dataclass(frozen=True)
class Plan:
    """The options of a training.

    Args:
        epochs: Positive integer; or `None`: 5, and small data more often, so
            that there are about 100 steps (`enough_epochs`).
        batch_size: Positive integer.
        optimizer: `"adamw"` or `"sgd"`.
        learning_rate: Positive float, the highest of the schedule; or `None`:
            it follows from what learns, by `zoo.layer_groups.learning_rate`.
        schedule: `"one_cycle"`, `"cosine"`, `"inverse_sqrt"` or `"constant"`.
        weight_decay: Float of at least 0.
        augment: Names in `zoo.data.images.AUGMENTATION`.
        label_smoothing: Float in [0, 1).
        class_weight: Dict from class to weight, `"balanced"` or `None`. A class
            is its name, or its place in the class names of the data.
        early_stopping: Positive integer, or `None`.
        freeze: String, list of strings, or `None`. What it names computes in
            training as at inference.
        layer_decay: Float in (0, 1].
        seed: Integer in [0, 2**31).
        dtype: Name of a dtype policy, or `None`.
        self_critical: Boolean. Whether captions that the model says itself are
            rewarded by CIDEr-D, as `zoo.self_critical` does, in place of being
            told the right ones. It is for a captioner that is trained already.
        recipe: `"gradual"`, for a network with a trained backbone of
            `keras.applications`: in the first quarter of the epochs the
            backbone's own layers compute as at inference, and what is new
            learns at ten times `learning_rate`, such as heads and the gates
            inside the backbone; then all learns, by the same schedule anew.
            `None`: all learns from the start.
        jit_compile: Boolean or `"auto"`.

    Raises:
        ValueError: If a value is none of these, or two do not go together.
    """

    epochs: int | None = None
    batch_size: int = 32
    optimizer: str = "adamw"
    learning_rate: float | None = None
    schedule: str = "one_cycle"
    weight_decay: float = 5e-3
    augment: tuple = ()
    label_smoothing: float = 0.0
    class_weight: dict | str | None = None
    early_stopping: int | None = None
    freeze: tuple | str | None = None
    layer_decay: float = 1.0
    seed: int = 0
    dtype: str | None = None
    self_critical: bool = False
    recipe: str | None = None
    jit_compile: bool | str = "auto"

    def __post_init__(self):
        if self.epochs is not None:
            self._integer("epochs", 1)
        self._integer("batch_size", 1)
        if self.early_stopping is not None:
            self._integer("early_stopping", 1)
        self._integer("seed", 0, 2**31 - 1)
        if self.learning_rate is not None:
            self._number("learning_rate", lambda x: x > 0, "positive")
        self._number("weight_decay", lambda x: x >= 0, "at least 0")
        self._number(
            "label_smoothing", lambda x: 0 <= x < 1, "a share in [0, 1)"
        )
        self._number(
            "layer_decay",
            lambda x: 0 < x <= 1,
            "in (0, 1]: the learning rate is multiplied by it for each layer "
            "group further from the head",
        )
        self._one_of("optimizer", OPTIMIZERS)
        self._one_of("schedule", SCHEDULES)
        if self.dtype is not None:
            self._one_of("dtype", DTYPES)
        self._words("augment", AUGMENTATION)
        if self.freeze is not None and not isinstance(self.freeze, str):
            self._words("freeze")
        _check_weights(self.class_weight)
        if self.jit_compile not in (True, False, "auto"):
            raise _refused(
                "jit_compile", 'True, False or "auto"', self.jit_compile
            )
        if not isinstance(self.self_critical, bool):
            raise _refused("self_critical", "True or False", self.self_critical)
        if self.self_critical and (
            self.label_smoothing or self.class_weight is not None
        ):
            raise ValueError(
                "`self_critical` weighs captions by their rewards, and takes "
                "neither `label_smoothing` nor `class_weight`. Received: "
                f"label_smoothing={self.label_smoothing}, "
                f"class_weight={self.class_weight!r}"
            )
        if self.recipe is not None:
            self._one_of("recipe", RECIPES)
            if self.freeze is not None or self.epochs == 1:
                raise ValueError(
                    'With `recipe="gradual"` first what is new learns and then '
                    "all, so it takes 2 `epochs` at least and no `freeze`. "
                    f"Received: epochs={self.epochs}, freeze={self.freeze!r}"
                )
        if self.layer_decay < 1 and self.optimizer != "adamw":
            raise ValueError(
                '`layer_decay` below 1 needs `optimizer="adamw"`. Received: '
                f"layer_decay={self.layer_decay}, optimizer={self.optimizer!r}"
            )

    def named(self, names):
        """The plan whose weighted classes are given by their names.

        Args:
            names: List of strings, the classes of the data in their order.

        Returns:
            `Plan`.

        Raises:
            ValueError: If `class_weight` has another class, or one twice.
        """
        if not isinstance(self.class_weight, dict):
            return self
        found = {}
        for key, weight in self.class_weight.items():
            is_place = _is_integer(key) and 0 <= key < len(names)
            name = names[key] if is_place else key
            if name not in names or name in found:
                raise ValueError(
                    "Each key of `class_weight` must be another class of the "
                    f"data, by its name or its place in {list(names)}. "
                    f"Received: class_weight={self.class_weight!r}"
                )
            found[name] = float(weight)
        return dataclasses.replace(self, class_weight=found)

    @property
    def first_epochs(self):
        """How many epochs the backbone is frozen for; `epochs` are known."""
        return 0 if self.recipe is None else max(1, self.epochs // 4)

    def record(self):
        """The plan as a card keeps it, a dict of JSON values.

        It is for the record: the training reads the plan itself.
        """
        return {
            name: _plain(value)
            for name, value in dataclasses.asdict(self).items()
            if name != "jit_compile"
        }

    def _integer(self, name, lowest, highest=None):
        value = getattr(self, name)
        if not _is_integer(value) or not (
            lowest <= value and (highest is None or value <= highest)
        ):
            what = "a positive integer" if lowest == 1 else "an integer"
            if highest is not None:
                what = f"{what} from {lowest} to {highest}"
            raise _refused(name, what, value)
        object.__setattr__(self, name, int(value))  # NumPy's, too

    def _number(self, name, fits, what):
        value = getattr(self, name)
        if not _is_number(value) or not fits(value):
            raise _refused(name, f"a finite number, {what}", value)
        object.__setattr__(self, name, float(value))

    def _one_of(self, name, known):
        value = getattr(self, name)
        if not isinstance(value, str) or value not in known:
            raise _refused(name, f"one of {tuple(known)}", value, known)

    def _words(self, name, known=None):
        value = getattr(self, name)
        if not isinstance(value, list | tuple) or not all(
            isinstance(word, str) and (known is None or word in known)
            for word in value
        ):
            what = "names of layers" if known is None else f"among {[*known]}"
            raise _refused(name, f"a list of strings, {what}", value)
        object.__setattr__(self, name, tuple(value))


def takes_a_plan(method, of_recipe=False):
    """Shows the options of `Plan` in a method's signature.

    Args:
        method: A function that hands its `**plan` to `Plan`.
        of_recipe: Boolean. Whether options that are not given are a recipe's,
            and not the defaults of `Plan`; they are shown as `None`.

    Returns:
        The function, which says what it takes to `help` and to editors.
    """
    signature = inspect.signature(method)
    own = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind != parameter.VAR_KEYWORD
    ]
    options = [
        parameter.replace(
            kind=parameter.KEYWORD_ONLY,
            default=None if of_recipe else parameter.default,
        )
        for name, parameter in inspect.signature(Plan).parameters.items()
        if name != "jit_compile"
    ]
    method.__signature__ = signature.replace(parameters=[*own, *options])
    return method


def made(options):
    """The plan of some options.

    Args:
        options: Dict, arguments of `Plan`.

    Returns:
        `Plan`.

    Raises:
        TypeError: If there is no such option; near ones are listed.
        ValueError: As `Plan`.
    """
    known = list(inspect.signature(Plan).parameters)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
            raise TypeError(
                f"A training has no option {name!r}"
                + (f"; near: {near}" if near else f"; it has {known}")
            )
    return Plan(**options)


def checked_validation(validation):
    """What to validate on, once it is known to be no meaningless number.

    Args:
        validation: As in `zoo.task.Task.finetune`.

    Returns:
        A float in (0, 1), a share of the data; or `validation` as it is.

    Raises:
        ValueError: If it is a number outside (0, 1), or a boolean.
    """
    if not isinstance(validation, (bool, numbers.Number)):
        return validation
    if not _is_number(validation) or not 0 < validation < 1:
        raise _refused(
            "validation",
            "a share of the data, above 0 and below 1, or other data",
            validation,
        )
    return float(validation)


def enough_epochs(count, batch_size, least=LEAST_EPOCHS, steps=100):
    """How often data are read where nobody says it: small data more often.

    Args:
        count: Positive integer. How many examples there are.
        batch_size: Positive integer.
        least: Positive integer. Epochs at least.
        steps: Positive integer. Steps that there are about, if that takes no
            more than `MOST_EPOCHS`.

    Returns:
        Positive integer.
    """
    batches = -(-count // batch_size)
    return max(least, min(-(-steps // batches), MOST_EPOCHS))


def check_num_classes(num_classes):
    """Raises unless it is `None` or a number of classes.

    Args:
        num_classes: As in `zoo.task.Task.finetune`.

    Raises:
        ValueError: If it is anything but an integer of at least 2.
    """
    if num_classes is not None and (
        not _is_integer(num_classes) or num_classes < 2
    ):
        raise _refused(
            "num_classes", "an integer of at least 2, or None", num_classes
        )


VOCABULARIES = ("extend", "keep", "new")


def check_vocabulary(vocabulary):
    """Raises unless it is `None` or says what becomes of a vocabulary.

    Args:
        vocabulary: As in `zoo.task.Task.finetune`.

    Raises:
        ValueError: If it is none of these.
    """
    if vocabulary is not None and (
        not isinstance(vocabulary, str) or vocabulary not in VOCABULARIES
    ):
        raise _refused(
            "vocabulary",
            f"one of {VOCABULARIES}, or None, which follows from the data",
            vocabulary,
            VOCABULARIES,
        )


def checked_image_size(image_size):
    """The size that images are read at, once it is known to be one.

    Args:
        image_size: As in `zoo.task.Task.finetune`.

    Returns:
        `(height, width)`, integers; or `None`, if it is `None`.

    Raises:
        ValueError: If it is anything else, or a side is out of its range.
    """
    if image_size is None:
        return None
    sides = image_size
    if _is_integer(sides):
        sides = (sides, sides)
    lowest, highest = RANGES["input_shape"]
    if (
        not isinstance(sides, (list, tuple))
        or len(sides) != 2
        or not all(_is_integer(x) and lowest <= x <= highest for x in sides)
    ):
        raise _refused(
            "image_size",
            f"(height, width), integers from {lowest} to {highest}, one such "
            "integer for a square, or None, the size of before",
            image_size,
        )
    return tuple(map(int, sides))


def _check_weights(class_weight):
    if class_weight is None or (
        isinstance(class_weight, str) and class_weight == "balanced"
    ):
        return
    if not isinstance(class_weight, dict):
        raise _refused(
            "class_weight",
            'a dict from class to weight, "balanced" or None',
            class_weight,
        )
    for key, weight in class_weight.items():
        if not isinstance(key, str) and not _is_integer(key):
            raise _refused(
                "class_weight",
                "a dict whose keys are classes, by name or by place",
                class_weight,
            )
        if not _is_number(weight) or weight < 0:
            raise _refused(
                "class_weight",
                "a dict whose values are finite numbers of at least 0",
                class_weight,
            )


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value):
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


def _refused(name, what, value, known=()):
    text = value if isinstance(value, str) else ""
    near = difflib.get_close_matches(text, known, n=2, cutoff=0.6)
    return ValueError(
        f"`{name}` must be {what}. Received: {name}={value!r}"
        + (f"; near: {near}" if near else "")
    )
