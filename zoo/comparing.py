"""Comparing: two models on the same examples, with paired intervals."""

import statistics
import time

import numpy as np

from zoo import measuring, presets, saving
from zoo.reports import measured_with_interval
from zoo.scores import difference, mcnemar, same_examples

# The speed is taken of one batch, of the two models in turn.
WARM = 2  # answers before that, which prepare
LEAST, MOST = 5, 30  # answers of each
SECONDS = 20  # after which no more than `LEAST` are asked for


def compare(a, b, data=None, batch_size=250, verbose=0):
    """Compares two models on the same examples.

    Args:
        a: A `zoo.task.Task`, the name of a preset or the folder of a model.
        b: The same.
        data: What `read` takes; `None` is the test part of the data that `a`
            was trained on, by its card, if that of `b` is no other.
        batch_size: Positive integer.
        verbose: 1 or `"auto"` for progress bars, 0 for none.

    Returns:
        Dict of JSON values:

        - `task`, and `data`: a dict with `name`, `split`, `sha256` and
          `examples`.
        - `models`: a dict of `a` and `b`, each a dict with `name`, `network`,
          `parameters`, `bytes` of the weights, and `seconds_per_example`, the
          median of answers to one batch of `speed["batch_size"]`.
        - `metrics`: a dict from metric to a dict: `a` and `b`, each as
          `Task.report` tells it, without the card; `difference`, that of `a`
          less `b`: a dict of `value`, `interval`, its two 95 % ends, and
          `method`; and `correct`, of metrics that count right answers, else
          `None`: a dict of `both`, `only_a`, `only_b`, `neither` and
          `mcnemar_p`, the exact p-value, `None` where examples depend on each
          other, for which the test is not made. A metric that only one of the
          two has, or that is of other examples, is left out, and so is the
          loss where the two are not of the same answers, such as of other
          vocabularies.
        - `speed`: `ratio`, the median time of `a` by that of `b`, answering in
          turn; `quartiles` of the ratios of turns; `batch_size` and `repeats`.

    Raises:
        ValueError: If the tasks or their answers are of different kinds, the
            cards name two test sets and `data` does not say which, or the data
            do not fit.
        PresetError: If there is no such model.
    """
    tasks = {"a": _task(a), "b": _task(b)}
    one, other = tasks.values()
    _check_alike(one, other)
    if data is None:
        _check_same_test(one, other)
    data = measuring.to_measure(one, data)
    # What the other cannot read is refused before the first has answered all.
    other.input.reader(other.output.select(data))
    scores = {}
    for key, task in tasks.items():
        scores[key] = task.measured(*task.said(data, batch_size, verbose))
    speed, seconds = _speed(one, other, data, batch_size)
    same_loss = one.output.assets() == other.output.assets()
    return {
        "task": one.name,
        "data": {
            "name": data.name,
            "split": data.split,
            "sha256": data.sha256(),
            "examples": one.output.count(one.output.select(data)),
        },
        "models": {
            key: {
                "name": task.card.get("name"),
                "network": task.card["builder"],
                "parameters": saving.count_parameters(task.model)["total"],
                "bytes": _bytes(task.model),
                "seconds_per_example": seconds[key],
            }
            for key, task in tasks.items()
        },
        "metrics": {
            metric: _compared(score, scores["b"][metric])
            for metric, score in scores["a"].items()
            if metric in scores["b"]
            and same_examples(score, scores["b"][metric])
            and (metric != "loss" or same_loss)
        },
        "speed": speed,
    }


def _task(model):
    return model if hasattr(model, "measured") else presets.load(model)


def _check_alike(one, other):
    why = None
    if one.name != other.name:
        why = f"the tasks {one.name} and {other.name}"
    elif unlike := one.output.unlike(other.output):
        why = unlike
    if why is not None:
        raise ValueError(
            "Two models are compared that give the same kind of answers to "
            f"the same inputs. Received: {why}; a={_shown(one)}, "
            f"b={_shown(other)}"
        )


def _check_same_test(one, other):
    """Refuses two cards that are not of the same test data."""
    cards = [task.card.get("data", {}) for task in (one, other)]
    digests = [card.get("test_sha256") for card in cards]
    if None in digests:
        keys = ("name", "place", "test_split")
        digests = [[card.get(key) for key in keys[:2]] for card in cards]
    if digests[0] != digests[1]:
        names = [
            f"{_shown(task)} was measured on {card.get('name')!r}"
            + (f" at {card['place']!r}" if card.get("place") else "")
            + (f", {card['test_split']}" if card.get("test_split") else "")
            for task, card in zip((one, other), cards)
        ]
        raise ValueError(
            "Two models are compared on the same examples, and their cards "
            "name different test data; say which by `data`, in a shell "
            f"--data. Received: {'; '.join(names)}"
        )


def _shown(task):
    return repr(task.card.get("name") or type(task).__name__)


def _compared(one, other):
    ends, method = difference(one, other)
    return {
        "a": measured_with_interval(one),
        "b": measured_with_interval(other),
        "difference": {
            "value": float(one) - float(other),
            "interval": ends,
            "method": method,
        },
        "correct": _correct(one, other),
    }


def _correct(one, other):
    """How many examples which of the two answers rightly."""
    if one.right is None:
        return None
    left, right = np.asarray(one.right), np.asarray(other.right)
    only = int((left & ~right).sum()), int((right & ~left).sum())
    return {
        "both": int((left & right).sum()),
        "only_a": only[0],
        "only_b": only[1],
        "neither": int((~left & ~right).sum()),
        "mcnemar_p": mcnemar(*only) if one.groups is None else None,
    }


def _speed(one, other, data, batch_size):
    """How long both take to answer one batch, in turn."""
    size = min(batch_size, len(data))
    places = np.arange(size)
    few = data.take(places)
    answer, times = {}, {"a": [], "b": []}
    for key, task in (("a", one), ("b", other)):
        arrays = task.input.reader(task.output.select(few))(places, 0, 0)
        graph = task.graph()
        answer[key] = lambda graph=graph, x=arrays: graph.predict_on_batch(x)
        for _ in range(WARM):
            answer[key]()
    began = time.perf_counter()
    while len(times["b"]) < MOST:
        order = ("a", "b") if len(times["b"]) % 2 else ("b", "a")
        for key in order:
            started = time.perf_counter()
            answer[key]()
            times[key].append(time.perf_counter() - started)
        late = time.perf_counter() - began > SECONDS
        if late and len(times["b"]) >= LEAST:
            break
    ratios = np.array(times["a"]) / np.array(times["b"])
    medians = {key: statistics.median(each) for key, each in times.items()}
    speed = {
        "ratio": medians["a"] / medians["b"],
        "quartiles": np.percentile(ratios, [25, 75]).tolist(),
        "batch_size": size,
        "repeats": len(ratios),
    }
    return speed, {key: each / size for key, each in medians.items()}


def _bytes(model):
    return int(
        sum(
            np.prod(variable.shape) * _width(variable.dtype)
            for variable in model.weights
        )
    )


def _width(dtype):
    """Bytes of a number; NumPy does not know bfloat16."""
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
