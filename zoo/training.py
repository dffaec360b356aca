"""One training loop for every task: schedule, resume, log.

Nothing in here knows a backend. Whatever draws at random is a function of the
seed, the epoch and the place, or a state that the checkpoint holds: a training
that was killed goes on as if it had not been.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import sys
import time
import zipfile

import keras
import numpy as np
from keras import ops

from zoo import layer_groups
from zoo.atomic import replacing
from zoo.writable import SMALL, check_writable

CHECKPOINT, LOG = "checkpoint.npz", "log.json"
OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("constant", "cosine", "inverse_sqrt", "one_cycle")
FIRST = 10  # times the learning rate, while what is new learns alone


def fit(
    model,
    batches,
    validation=None,
    *,
    loss,
    metrics=(),
    epochs=10,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="one_cycle",
    weight_decay=5e-3,
    multipliers=None,
    early_stopping=None,
    first_epochs=0,
    frozen_at_first=(),
    folder=None,
    resume=True,
    tensorboard=False,
    jit_compile="auto",
    recipe=None,
    verbose=None,
):
    """Trains a model, from the start or from where it was killed.

    Args:
        model: `keras.Model`, logits out.
        batches: What is learned from: a `keras.utils.PyDataset` that may have
            an attribute `epoch`, set at the start of each; or anything else
            that `keras.Model.fit` takes, with a known length.
        validation: The same, to measure on after each epoch, or `None`.
        loss: A Keras loss; or a dict of them, by the model's outputs.
        metrics: Keras metrics; or a dict of lists of them, the same way.
        epochs: Positive integer.
        optimizer: `"sgd"`, with Nesterov momentum of 0.9, or `"adamw"`.
        learning_rate: Positive float, the highest of the schedule.
        schedule: `"one_cycle"`, up over 30 % of the steps and down to nearly
            nothing by a cosine; `"cosine"`, up over 5 %; `"inverse_sqrt"`, the
            Transformer's, up over 10 % and down as one over the root of the
            steps; or `"constant"`.
        weight_decay: Float. Share of a weight lost in a step, times the
            learning rate. Biases and normalisations are spared.
        multipliers: Dict from path of a variable to the factor of its learning
            rate and decay; `"adamw"` only.
        early_stopping: Epochs without a better validation loss (training
            loss, without `validation`) before training stops and the best
            weights come back; `None` never stops.
        first_epochs: Integer of at least 0, below `epochs`. For so many of
            them `frozen_at_first` are frozen, at ten times the learning rate,
            and nothing stops early; then all learns, with a new optimizer.
        frozen_at_first: List of layers, none of which is in another.
        folder: Where the checkpoint, the log and TensorBoard's events go;
            `None` writes nothing.
        resume: Boolean. Whether to go on from the folder's checkpoint.
        tensorboard: Boolean. Whether to write events for TensorBoard.
        jit_compile: As in `keras.Model.compile`. On JAX `False` is `"auto"`:
            there Keras would compile nothing at all, and take many times
            as long.
        recipe: Dict, JSON values. A checkpoint goes on under the recipe that
            it began with only, to the letter.
        verbose: As in `keras.Model.fit`; `None` is a progress bar on a
            terminal, a line each epoch elsewhere. Unless it is 0, a training
            that goes on says so, and after which epoch; and one that is
            interrupted, where it will.

    Returns:
        List of a dict for each epoch: `epoch`, `seconds`, `learning_rate`, the
        loss and the metrics.

    Raises:
        ValueError: If a name is unknown, or the checkpoint is another model's
            or another recipe's.
        ImportError: If `tensorboard` is asked for and not installed.
    """
    check_tensorboard(tensorboard, folder)
    if verbose is None:
        verbose = 1 if sys.stdout.isatty() else 2
    run = _Run(batches, recipe or {})
    kept = 0  # epochs that are in the checkpoint
    if folder is not None:
        check_folder(folder, model)
        run.folder = pathlib.Path(os.path.realpath(folder))
        run.folder.mkdir(parents=True, exist_ok=True)
        kept = run.epochs_kept() if resume else 0

    def compiled(chosen):
        model.compile(
            chosen,
            loss=loss,
            metrics=metrics if isinstance(metrics, dict) else list(metrics),
            jit_compile=_compiled(jit_compile),
        )
        model.optimizer.build(model.trainable_variables)

    def learn(start, end, rate):
        rates = learning_rate_schedule(
            schedule, rate, (end - start) * len(batches)
        )
        ours, own = _optimizer(
            model, optimizer, rates, weight_decay, multipliers or {}
        )
        compiled(ours)
        callbacks = [run]
        if early_stopping is not None and end == epochs:
            run.stopper = _EarlyStopping(
                monitor="loss" if validation is None else "val_loss",
                patience=early_stopping,
                mode="min",
                restore_best_weights=True,
            )
            callbacks.insert(0, run.stopper)
        if tensorboard:
            callbacks.append(keras.callbacks.TensorBoard(run.folder / "events"))
        restored = kept > len(run.log)
        if restored:
            run.restore(model)
        to_do = not run.stopped and len(run.log) < end
        if restored and verbose:
            done = run.stopped or len(run.log) == epochs
            state = "finished already with" if done else "resuming after"
            print(f"{run.checkpoint}: {state} epoch {len(run.log)} of {epochs}")
        if to_do:
            model.fit(
                batches,
                validation_data=validation,
                epochs=end,
                initial_epoch=len(run.log),
                callbacks=callbacks,
                # Keras would shuffle the batches by Python's own generator,
                # which no checkpoint holds.
                shuffle=False,
                verbose=verbose,
            )
        elif run.stopper is not None:
            run.stopper.bring_back(model)
        if own is not None and end == epochs:
            state = [_array(each) for each in model.optimizer.variables]
            compiled(own)
            ready = model.optimizer.variables
            for variable, array in zip(ready, state, strict=True):
                variable.assign(array)

    try:
        # A checkpoint has the optimizer of its own part.
        if first_epochs and kept <= first_epochs:
            with layer_groups.frozen_meanwhile(frozen_at_first):
                learn(0, first_epochs, FIRST * learning_rate)
        learn(first_epochs, epochs, learning_rate)
    except KeyboardInterrupt:
        if run.folder is not None and run.log and verbose:
            print(
                f"\n{run.checkpoint}: interrupted; the same training goes "
                f"on after epoch {len(run.log)} of {epochs}"
            )
        raise
    return run.log


def check_folder(folder, model=None):
    """Raises unless checkpoints can be written to a folder.

    Args:
        folder: Path. It may be missing.
        model: `keras.Model` that will be trained, for the space it takes.

    Raises:
        ValueError: If a file in the way is not a training's.
        OSError: If the checkpoint or the log cannot be written.
    """
    checkpoint, log = (
        pathlib.Path(folder) / each for each in (CHECKPOINT, LOG)
    )
    if checkpoint.is_file():
        with _opened(checkpoint):
            pass
    elif log.is_file():
        raise ValueError(
            f"{LOG} is only replaced beside a {CHECKPOINT}, as a training "
            "wrote it; move it away or choose another folder. "
            f"Received: {log}"
        )
    # Weights, two moments and the best weights; an old one is whole meanwhile.
    size = SMALL if model is None else 32 * model.count_params()
    for file in (CHECKPOINT, LOG):
        check_writable(pathlib.Path(folder) / file, size)


def learning_rate_schedule(name, peak, steps):
    """The learning rate over a training.

    Args:
        name: One of `SCHEDULES`.
        peak: Positive float, the highest rate.
        steps: Positive integer, all steps of the training.

    Returns:
        A float, or a `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in SCHEDULES:
        raise ValueError(
            f"`schedule` must be one of {SCHEDULES}. "
            f"Received: schedule={name!r}"
        )
    if name == "constant":
        return peak
    if name == "inverse_sqrt":
        return InverseSquareRoot(peak, max(1, round(0.1 * steps)))
    start, warmup, end = (
        (peak / 25, 0.3, 1e-4) if name == "one_cycle" else (0.0, 0.05, 0.0)
    )
    warmup_steps = max(1, round(warmup * steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=start,
        decay_steps=max(1, steps - warmup_steps),
        alpha=end,
        warmup_target=peak,
        warmup_steps=warmup_steps,
    )


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """The Transformer's schedule: straight up, then ever more slowly down.

        peak * min(step / warmup, sqrt(warmup / step))

    Args:
        peak: Positive float, the highest rate; `(D * warmup) ** -0.5` in the
            paper.
        warmup: Positive integer, the step at which it is reached.

    Reference:
        Vaswani et al. Attention Is All You Need. NeurIPS 2017, section 5.3,
        equation 3. https://arxiv.org/abs/1706.03762
    """

    def __init__(self, peak, warmup):
        super().__init__()
        self.peak = peak
        self.warmup = warmup

    def __call__(self, step):
        step = ops.cast(step, "float32") + 1.0
        return self.peak * ops.minimum(
            step / self.warmup, ops.sqrt(self.warmup / step)
        )

    def get_config(self):
        return {"peak": self.peak, "warmup": self.warmup}


def weights_digest(model):
    """The SHA-256 of a model's weights, in hexadecimal.

    Args:
        model: `keras.Model`.

    Returns:
        String.
    """
    digest = hashlib.sha256()
    for variable in model.weights:
        digest.update(np.ascontiguousarray(_array(variable)).tobytes())
    return digest.hexdigest()


def check_tensorboard(tensorboard, folder):
    """Raises if events for TensorBoard are asked for and cannot be written.

    Args:
        tensorboard: Boolean. Whether they are asked for.
        folder: Where they go, or `None`.

    Raises:
        ValueError: If there is no folder.
        ImportError: If what writes them is not installed: Keras does so by
            TensorFlow and TensorBoard, whatever its backend.
    """
    if not tensorboard:
        return
    if folder is None:
        raise ValueError(
            "`tensorboard=True` needs `folder`, where the events go. "
            "Received: tensorboard=True, folder=None"
        )
    for module in ("tensorflow", "tensorboard"):
        if importlib.util.find_spec(module) is None:
            raise ImportError(
                f"Events for TensorBoard need {module}, which is not "
                'installed: pip install "keras-attention-zoo[tensorboard]"'
            )


class _DecayInStep:
    """Mixed into an optimizer: a variable decays in its own step.

    Keras decays all variables before, and asks the schedule for the rate again
    for each: half of the optimizer's operations that TensorFlow has to build.

    Args:
        multipliers: Dict from path of a variable to a factor on its learning
            rate and decay; 1 elsewhere.
        learning_rate: As in `keras.optimizers.AdamW`.
        weight_decay: Float. Share of a weight lost in a step, times the rate.
        **kwargs: Those of the optimizer.

    Raises:
        NotImplementedError: On PyTorch, where Keras updates all variables at
            once and asks for no step of one.
    """

    def __init__(
        self,
        multipliers=None,
        learning_rate=1e-3,
        weight_decay=4e-3,
        **kwargs,
    ):
        if keras.backend.backend() == "torch":
            raise NotImplementedError(
                "Learning rates by layer need a step for each variable, which "
                "Keras does not take on PyTorch. Use TensorFlow or JAX. "
                f"Received: backend={keras.backend.backend()}"
            )
        super().__init__(
            learning_rate=learning_rate, weight_decay=0.0, **kwargs
        )
        self.weight_decay = None
        self.multipliers = dict(multipliers or {})
        self.decay = weight_decay
        self.spared = set()

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        super().exclude_from_weight_decay(var_list, var_names)
        self.spared |= {variable.path for variable in var_list or ()}

    def build(self, variables):
        paths = {variable.path for variable in variables}
        # In a model that was read from a file they lack the model's name.
        for path in set(self.multipliers) - paths:
            if (shorter := path.partition("/")[2]) in paths:
                self.multipliers[shorter] = self.multipliers.pop(path)
        unknown = set(self.multipliers) - paths
        if unknown:
            raise ValueError(
                "`multipliers` must name variables that are trained. "
                f"Received: {sorted(unknown)}"
            )
        super().build(variables)

    def update_step(self, gradient, variable, learning_rate):
        # TensorFlow hands over its own variable, named after the path.
        path = getattr(variable, "path", variable.name.split(":")[0])
        rate = learning_rate
        if path in self.multipliers:
            rate = rate * self.multipliers[path]
        if self.decay and path not in self.spared:
            share = keras.ops.cast(rate * self.decay, variable.dtype)
            self.assign_sub(variable, variable * share)
        super().update_step(gradient, variable, rate)

    def get_config(self):
        return {
            **super().get_config(),
            "multipliers": self.multipliers,
            "weight_decay": self.decay,
        }


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class LayerwiseAdamW(_DecayInStep, keras.optimizers.AdamW):
    """AdamW with a factor on the learning rate of each variable.

    The factor scales the step itself, and the decay alike. Scaling a gradient
    would do nothing: Adam divides its size away.

    Args:
        multipliers: Dict from path of a variable to its factor; 1 elsewhere.
        learning_rate: As in `keras.optimizers.AdamW`.
        weight_decay: As there.
        **kwargs: As there.

    Raises:
        NotImplementedError: On PyTorch, where Keras updates all variables at
            once and asks for no step of one.
    """


@keras.saving.register_keras_serializable(package="keras_attention_zoo")
class LayerwiseSGD(_DecayInStep, keras.optimizers.SGD):
    """SGD with a factor on the learning rate of each variable.

    Args:
        multipliers: Dict from path of a variable to its factor; 1 elsewhere.
        learning_rate: As in `keras.optimizers.SGD`.
        weight_decay: As there.
        **kwargs: As there.

    Raises:
        NotImplementedError: On PyTorch, where Keras updates all variables at
            once and asks for no step of one.
    """


def _compiled(jit_compile):
    """Without XLA, JAX would run each operation by itself."""
    if jit_compile is False and keras.backend.backend() == "jax":
        return "auto"
    return jit_compile


def _optimizer(model, name, learning_rate, weight_decay, multipliers):
    """The optimizer that trains, and Keras's own that takes its place after.

    Of one optimizer for both, `None` is the second.
    """
    if name not in OPTIMIZERS:
        raise ValueError(
            f"`optimizer` must be one of {OPTIMIZERS}. "
            f"Received: optimizer={name!r}"
        )
    if multipliers and name != "adamw":
        raise ValueError(
            'Learning rates by layer need `optimizer="adamw"`. '
            f"Received: optimizer={name!r}"
        )
    options = {"momentum": 0.9, "nesterov": True} if name == "sgd" else {}
    # Keras would decay by zero too: a rate and a product for each variable.
    options["weight_decay"] = weight_decay or None
    ours = own = None
    if multipliers or (weight_decay and keras.backend.backend() != "torch"):
        kind = LayerwiseSGD if name == "sgd" else LayerwiseAdamW
        ours = kind(multipliers, learning_rate, **options)
    if not multipliers:
        adam = keras.optimizers.AdamW if weight_decay else keras.optimizers.Adam
        kind = keras.optimizers.SGD if name == "sgd" else adam
        own = kind(learning_rate, **options)
    spared = [v for v in model.trainable_variables if len(v.shape) < 2]
    for optimizer in (ours, own):
        if optimizer is not None:
            optimizer.exclude_from_weight_decay(spared)
    return (own, None) if ours is None else (ours, own)


class _EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's, whose memory outlives a kill."""

    restored = None

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        for name, value in (self.restored or {}).items():
            setattr(self, name, value)

    def bring_back(self, model):
        weights = (self.restored or {}).get("best_weights")
        if weights is not None:
            model.set_weights(weights)


class _Run(keras.callbacks.Callback):
    """What one training remembers: its log, and its checkpoint on disk."""

    def __init__(self, batches, recipe):
        super().__init__()
        self.batches = batches
        self.recipe = json.loads(json.dumps(recipe))  # as it is read again
        self.folder = None
        self.stopper = None
        self.stopped = False
        self.log = []

    @property
    def checkpoint(self):
        return self.folder / CHECKPOINT

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()
        if hasattr(self.batches, "epoch"):
            self.batches.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        model = self.model  # on JAX, asking for it brings the weights home
        rate = model.optimizer.learning_rate
        self.log.append(
            {
                "epoch": epoch + 1,
                "seconds": round(time.perf_counter() - self.started, 1),
                "learning_rate": float(ops.convert_to_numpy(rate)),
                **{name: float(value) for name, value in (logs or {}).items()},
            }
        )
        self.stopped = bool(model.stop_training)
        if self.folder is not None:
            self.save(model)

    def save(self, model):
        arrays = {
            f"variable_{index}": _array(variable)
            for index, variable in enumerate(_state(model))
        }
        memory = {}
        if self.stopper is not None:
            memory = {
                name: getattr(self.stopper, name)
                for name in ("wait", "stopped_epoch", "best_epoch")
            }
            best = self.stopper.best
            memory["best"] = None if best is None else float(best)
            for index, array in enumerate(self.stopper.best_weights or ()):
                arrays[f"best_{index}"] = array
        arrays["facts"] = json.dumps(
            {
                "paths": [variable.path for variable in _state(model)],
                "recipe": self.recipe,
                "log": self.log,
                "stopped": self.stopped,
                "early_stopping": memory,
            }
        )
        with replacing(self.checkpoint) as path, open(path, "wb") as file:
            np.savez(file, **arrays)
        with replacing(self.folder / LOG) as path:
            path.write_text(json.dumps(self.log, indent=1) + "\n", "utf-8")

    def epochs_kept(self):
        """How many epochs the checkpoint has seen, 0 if there is none."""
        if not self.checkpoint.exists():
            return 0
        with _opened(self.checkpoint) as (_, facts):
            return len(facts["log"])

    def restore(self, model):
        with _opened(self.checkpoint) as (arrays, facts):
            changes = _changes(facts["recipe"], self.recipe)
            if changes:
                raise ValueError(
                    "A training goes on with the model, the data and the "
                    "options that it began with. Keep another one's checkpoint "
                    "in another folder (in a shell --runs), or replace this "
                    "one by `resume=False` (--no-resume), which begins anew. "
                    f"Received: {'; '.join(changes)}, in {self.checkpoint}"
                )
            state = _state(model)
            shapes = [arrays[f"variable_{i}"].shape for i in range(len(state))]
            if shapes != [tuple(variable.shape) for variable in state]:
                raise ValueError(
                    "The checkpoint must be of the same model and optimizer. "
                    f"Received: {self.checkpoint}, whose shapes differ from "
                    f"those of {model.name}"
                )
            for index, variable in enumerate(state):
                variable.assign(arrays[f"variable_{index}"])
            best = [name for name in arrays if name.startswith("best_")]
            weights = [arrays[f"best_{index}"] for index in range(len(best))]
        self.log = facts["log"]
        self.stopped = facts["stopped"]
        if self.stopper is not None and facts["early_stopping"]:
            self.stopper.restored = {
                **facts["early_stopping"],
                "best_weights": weights or None,
            }


@contextlib.contextmanager
def _opened(checkpoint):
    """A checkpoint's arrays, and the facts that it holds beside them."""
    try:
        arrays = np.load(checkpoint)
        facts = json.loads(str(arrays["facts"]))
        if not {"recipe", "log", "stopped"} <= set(facts):
            raise ValueError("no facts of a training")
    except (
        zipfile.BadZipFile,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
    ) as error:
        raise ValueError(
            "A checkpoint must be a file that a training wrote, and only such "
            "a file is replaced; move it away or choose another folder. "
            f"Received: {checkpoint} ({type(error).__name__}: {error})"
        ) from error
    with arrays:
        yield arrays, facts


def _changes(before, now, prefix=""):
    """What differs between two recipes, a phrase for each key."""
    changes = []
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _changes(old, new, f"{prefix}{key}.")
        elif old != new or (key in before) != (key in now):
            new, old = (_short(repr(value)) for value in (new, old))
            changes.append(f"{prefix}{key}={new} in place of {old}")
    return changes


def _short(text, most=80):
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def _state(model):
    """All that a step reads or changes: weights, seeds, optimizer."""
    return [*model.variables, *model.optimizer.variables]


def _array(variable):
    array = ops.convert_to_numpy(variable.value)
    known = array.dtype.kind in "biuf"  # NumPy's files know no bfloat16
    return array if known else array.astype("float32")
