"""What `zoo evaluate` and `zoo compare` print: reports as tables."""

from rich import box
from rich.table import Table
from rich.text import Text

from zoo.printing import metric_number

MOST = 20  # classes of a table
MOST_ACROSS = 12  # classes of a table of confusions; of more the largest ones


def report_parts(report, noun, has_card):
    """What `Task.report` found.

    Args:
        report: Dict.
        noun: String, what one example is.
        has_card: Boolean. Whether the card states metrics to compare with.

    Yields:
        What rich prints.
    """
    yield _examples(report, noun)
    yield metrics_table(report)
    yield from baselines(report)
    yield from notes(report["metrics"])
    if has_card and report["data"]["of_card"]:
        yield "The test data are those of the card (same SHA-256)."
    elif has_card:
        yield (
            "The test data are not those of the card (another SHA-256): the "
            "two numbers need not agree."
        )
    for name, found in report["classes"].items():
        yield from classes_tables(found, None if name == "label" else name)


def metrics_table(report):
    """The metrics of `Task.report`, with intervals, baselines and the card.

    Args:
        report: Dict.

    Returns:
        `rich.table.Table`.
    """
    metrics = report["metrics"]
    table = Table("metric", "measured", "95 % CI", box=box.SIMPLE)
    has_baseline = any(x["baseline"] is not None for x in metrics.values())
    if has_baseline:
        table.add_column("baseline")
    table.add_column("card")
    table.add_column("")
    for metric, found in metrics.items():
        row = [metric, f"{found['value']:.4f}", _ends(found["interval"])]
        if has_baseline:
            row.append(_number(found["baseline"]))
        verdict = {True: "agrees", False: "differs", None: ""}
        stated = found["card"] is not None or found["agrees"] is not None
        row.append(metric_number(found["card"]) if stated else "")
        table.add_row(*row, verdict[found["agrees"]])
    return table


def baselines(report):
    """What the baselines of `Task.report` are.

    Args:
        report: Dict.

    Yields:
        A string, where there are any.
    """
    known = {
        name
        for name, found in report["metrics"].items()
        if found["baseline"] is not None
    }
    said = []
    for name, found in report["classes"].items():
        of = "" if name == "label" else f" of {name}"
        said.append(
            f"always answering the commonest class{of}, {found['majority']!r}"
        )
    if any(name.endswith("rmse") for name in known):
        said.append("always answering the mean number")
    if any(name.endswith("_auc") for name in known) or "map" in known:
        said.append("an order drawn at random")
    if "bleu_4" in known:
        said.append("the commonest caption said of every image")
    if "chrf" in known:
        said.append("every text left untranslated")
    if "pointing" in known:
        said.append("a place drawn at random")
    if known:
        yield f"Baseline: {'; '.join(said)}."


def notes(metrics):
    """What must be known of some metrics to read their intervals.

    Args:
        metrics: Dict from metric to a dict with `groups` and `interval`.

    Yields:
        Strings.
    """
    groups = {}
    for name, found in metrics.items():
        if found["groups"] is not None and found["interval"] is not None:
            groups.setdefault(found["groups"], []).append(name)
    for count, names in groups.items():
        yield (
            f"The intervals of {', '.join(names)} resample {count:,} groups of "
            "examples that depend on each other, such as those of one picture "
            "or one question."
        )
    if any(found["interval"] is None for found in metrics.values()):
        yield "No interval: too few examples, or all alike."


def classes_tables(found, name=None):
    """Of one answer that is a label: per class, and what is confused.

    Args:
        found: Dict, as `Task.report` has them under `classes`.
        name: String, what is answered, for a title; `None` where that is one.

    Yields:
        What rich prints.
    """
    shown, left = most_wrong(found["per_class"], MOST)
    table = Table("class", box=box.SIMPLE, title=name and Text(name))
    counted = found["counted"]
    for column in ("precision", "recall", "F1", counted, "predicted"):
        table.add_column(column, justify="right")
    for each in shown:
        table.add_row(
            each["label"],
            *(_number(each[x]) for x in ("precision", "recall", "f1")),
            f"{each['n']:,}",
            f"{each['predicted']:,}",
        )
    macro = found["macro"]
    table.add_section()
    table.add_row(
        "macro average",
        *(_number(macro[x]) for x in ("precision", "recall", "f1")),
    )
    yield table
    if left:
        yield (
            f"The {len(shown)} classes with the most errors; {left:,} more are "
            "in --json."
        )
    yield from _confusions(found)


def most_wrong(per_class, most):
    """The classes with the most errors, in their own order.

    Args:
        per_class: List of dicts, as in `Task.report`.
        most: Integer.

    Returns:
        `(shown, left)`: a list of at most so many, and how many are not in it.
    """
    if len(per_class) <= most:
        return per_class, 0

    def errors(place):
        each = per_class[place]
        hits = round((each["recall"] or 0) * each["n"])
        return each["n"] + each["predicted"] - 2 * hits

    order = sorted(range(len(per_class)), key=lambda place: -errors(place))
    shown = [per_class[place] for place in sorted(order[:most])]
    return shown, len(per_class) - most


def comparison_parts(report, noun):
    """What `zoo.compare` found.

    Args:
        report: Dict.
        noun: String, what one example is.

    Yields:
        What rich prints.
    """
    yield _examples(report, noun)
    a, b = report["models"]["a"], report["models"]["b"]
    table = Table("", "A", "B", box=box.SIMPLE)
    table.add_column("A / B", justify="right")
    table.add_row("model", _name(a), _name(b), "")
    table.add_row("network", a["network"], b["network"], "")
    for key, unit in (("parameters", ""), ("bytes", " of weights")):
        table.add_row(
            key + unit,
            f"{a[key]:,}",
            f"{b[key]:,}",
            f"{a[key] / b[key]:.2f}",
        )
    times = [f"{1e3 * x['seconds_per_example']:.3g} ms" for x in (a, b)]
    speed = report["speed"]
    low, high = speed["quartiles"]
    table.add_row(
        "time for an example",
        *times,
        f"{speed['ratio']:.2f} (quartiles {low:.2f} to {high:.2f})",
    )
    yield table

    table = Table("metric", "A", "95 % CI", "B", "95 % CI", box=box.SIMPLE)
    table.add_column("A - B")
    table.add_column("95 % CI, paired")
    for metric, found in report["metrics"].items():
        both = [
            cell
            for each in (found["a"], found["b"])
            for cell in (f"{each['value']:.4f}", _ends(each["interval"]))
        ]
        apart = found["difference"]
        table.add_row(
            metric,
            *both,
            f"{apart['value']:+.4f}",
            _ends(apart["interval"], "+"),
        )
    yield table

    rows = {
        metric: found["correct"]
        for metric, found in report["metrics"].items()
        if found["correct"]
    }
    if rows:
        table = Table("correct", box=box.SIMPLE)
        for column in ("both", "only A", "only B", "neither"):
            table.add_column(column, justify="right")
        table.add_column("McNemar's exact p")
        for metric, correct in rows.items():
            p = correct["mcnemar_p"]
            counts = [correct[x] for x in ("both", "only_a", "only_b")]
            table.add_row(
                metric,
                *(f"{count:,}" for count in (*counts, correct["neither"])),
                "(not independent)" if p is None else f"{p:.3g}",
            )
        yield table
    yield from notes({k: x["a"] for k, x in report["metrics"].items()})


def _confusions(found):
    if found["confusion"] is not None and len(found["labels"]) <= MOST_ACROSS:
        table = Table("true \\ predicted", box=box.SIMPLE)
        for label in found["labels"]:
            table.add_column(Text(label), justify="right")
        for label, row in zip(found["labels"], found["confusion"]):
            table.add_row(label, *(f"{n:,}" if n else "." for n in row))
        yield table
    elif found["confusions"]:
        table = Table("true", "predicted", box=box.SIMPLE)
        table.add_column("examples", justify="right")
        for each in found["confusions"][:MOST_ACROSS]:
            table.add_row(each["true"], each["predicted"], f"{each['n']:,}")
        yield table


def _examples(report, noun):
    data = report["data"]
    return f"{data['name']}, {data['split']}: {data['examples']:,} {noun}s"


def _name(model):
    return model["name"] or "(not saved)"


def _ends(ends, sign=""):
    if ends is None:
        return "none"
    return " to ".join(f"{end:{sign}.4f}" for end in ends)


def _number(value):
    return "" if value is None else f"{value:.4f}"
