"""Reports: how well a model answers, how sure that is, and what it confuses."""

import numpy as np

from zoo import measuring
from zoo.scores import interval

AGREES = 1e-3  # a metric measured again may differ from its card by this much
MOST_CELLS = 10_000  # of a table of confusions; of more classes only a list


def report(task, data=None, batch_size=250, verbose=0):
    """Measures the model, and says how sure that is.

    The network runs once. Intervals and the groups that they draw are told
    in `zoo.scores`.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        data: What `read` takes; `None` is the test part of the data that the
            model was trained on, by the card.
        batch_size: Positive integer.
        verbose: 1 or `"auto"` for a progress bar, 0 for none.

    Returns:
        Dict of JSON values:

        - `model`, `task`, and `data`: a dict with `name`, `split`, `sha256`,
          `examples`, and `of_card`, whether they are the test data of the card.
        - `metrics`: a dict from metric to a dict: `value`, as `evaluate` gives
          it; `interval`, its two 95 % ends, or `None` where there is none;
          `method`, how that was found; `n`, how many examples it is of;
          `groups`, how many groups of dependent examples were drawn in their
          place, or `None`; `baseline`, what is reached without looking, as in
          `zoo.scores.Score`, or `None`; `card`, the card's value; and `agrees`,
          whether that is the same, `None` where it need not be.
        - `classes`: a dict from each answer that is a label, called `"label"`
          where there is one only, to a dict: `counted`, what has an answer
          each, `"examples"` or `"pixels"`; `labels`; `majority`, the
          commonest; `per_class`, a list of dicts with `label`, `precision`,
          `recall`, `f1`, `n` and `predicted`, how often it was; `macro`, their
          means over the classes that occur; `confusion`, whose rows are the
          true classes and whose columns the predicted ones, `None` of more
          than 100 classes; and `confusions`, a list of `true`, `predicted`
          and `n`, the most frequent first.

    Raises:
        ValueError: If the loss is not finite.
    """
    data = measuring.to_measure(task, data)
    outputs, selected = task.said(data, batch_size, verbose)
    scores = task.measured(outputs, selected)
    stated = task.card.get("metrics", {})
    sha256 = data.sha256()
    of_card = task.card.get("data", {}).get("test_sha256") == sha256
    return {
        "model": task.card.get("name"),
        "task": task.name,
        "data": {
            "name": data.name,
            "split": data.split,
            "sha256": sha256,
            "examples": task.output.count(selected),
            "of_card": of_card,
        },
        "metrics": {
            metric: _metric(score, stated.get(metric), of_card)
            for metric, score in scores.items()
        },
        "classes": {
            name: confusions(task.output.classes[name], *judged)
            for name, judged in task.output.judged(outputs, selected).items()
        },
    }


def measured_with_interval(score):
    """A score as a report tells it: `value`, `interval`, `method` and so on."""
    ends, method = interval(score)
    return {
        "value": float(score),
        "interval": ends,
        "method": method,
        "n": len(score.parts),
        "groups": None if score.groups is None else score.count,
        "baseline": score.baseline,
    }


def confusions(labels, true, predicted, often=None, counted="examples"):
    """Which classes are predicted for which, and precision and recall of each.

    Args:
        labels: List of strings, the classes.
        true: Integers `(N,)`, places in `labels`.
        predicted: Integers `(N,)`, the same.
        often: Integers `(N,)`, how often each pair occurs; once, if `None`.
        counted: String. What has a label each.

    Returns:
        Dict, as in `report`.
    """
    from sklearn.metrics import confusion_matrix

    table = confusion_matrix(
        true, predicted, labels=range(len(labels)), sample_weight=often
    )
    counts, said = table.sum(axis=1), table.sum(axis=0)
    hits = table.diagonal()
    # Undefined where nothing is counted, which is not 0.
    with np.errstate(invalid="ignore"):
        precision, recall = hits / said, hits / counts
        f1 = 2 * hits / (said + counts)
    there = counts > 0
    return {
        "counted": counted,
        "labels": list(labels),
        "majority": labels[int(counts.argmax())],
        "per_class": [
            {
                "label": label,
                "precision": _known(precision[place]),
                "recall": _known(recall[place]),
                "f1": _known(f1[place]),
                "n": int(counts[place]),
                "predicted": int(said[place]),
            }
            for place, label in enumerate(labels)
        ],
        "macro": {
            # A class that is never answered has no right answers among them.
            "precision": float(np.nan_to_num(precision[there]).mean()),
            "recall": float(recall[there].mean()),
            "f1": float(f1[there].mean()),
        },
        "confusion": table.tolist() if table.size <= MOST_CELLS else None,
        "confusions": [
            {"true": labels[row], "predicted": labels[column], "n": int(n)}
            for n, row, column in _wrong(table)
        ],
    }


def _wrong(table):
    rows, columns = np.nonzero(table)
    found = [
        (table[row, column], row, column)
        for row, column in zip(rows, columns)
        if row != column
    ]
    return sorted(found, key=lambda each: -each[0])


def _known(value):
    return None if np.isnan(value) else float(value)


def _metric(score, stated, of_card):
    found = measured_with_interval(score)
    before = None if stated is None else stated["value"]
    agrees = None
    if stated is not None and of_card:
        agrees = before is not None and abs(found["value"] - before) <= AGREES
    return {**found, "card": before, "agrees": agrees}
