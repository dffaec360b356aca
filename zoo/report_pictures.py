"""What `zoo evaluate --out` draws: what is confused, and figures per class."""

import numpy as np

from keras_attention.lettering import shortened, write
from keras_attention.pictures.drawing import BAR, import_matplotlib, noted
from zoo.report_tables import most_wrong

MOST = 40  # classes; of more those with the most errors
FEW = 20  # up to so many, each cell says its number
LETTERS = 24  # of a class
METHODS = ("precision", "recall", "F1")


def confusion_figure(classes):
    """Draws a table of confusions for each answer, and figures per class.

    A row is a true class, a column a predicted one; the colour is the share
    of the row.

    Args:
        classes: Dict, as `Task.report` has it, one answer at least.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    counts = [min(MOST, len(x["labels"])) for x in classes.values()]
    heights = [max(2.6, 1.4 + 0.32 * count) for count in counts]
    widest = max(max(3.2, 1.6 + 0.32 * count) for count in counts)
    figure = import_matplotlib().figure.Figure(
        (widest + 4.2, sum(heights) + 0.3), dpi=110, layout="constrained"
    )
    grid = figure.add_gridspec(
        len(classes), 2, height_ratios=heights, width_ratios=(widest, 3.2)
    )
    for place, (name, found) in enumerate(classes.items()):
        shown, left = most_wrong(found["per_class"], MOST)
        table = _table(found, [each["label"] for each in shown])
        ax = figure.add_subplot(grid[place, 0])
        _draw_table(ax, table, shown)
        title = f"{shortened(name, LETTERS)}: true (rows) and predicted"
        if left:
            title += f"\nthe {len(shown)} classes with the most errors"
        write(ax.set_title, title, fontsize=9)
        bars = figure.add_subplot(grid[place, 1])
        _draw_bars(bars, shown, found["counted"])
    return noted(figure)


def _table(found, labels):
    """The counts of some classes among each other."""
    at = {label: place for place, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), "int64")
    for each in found["confusions"]:
        if each["true"] in at and each["predicted"] in at:
            table[at[each["true"]], at[each["predicted"]]] = each["n"]
    for each in found["per_class"]:
        if each["label"] in at and each["n"]:
            place = at[each["label"]]
            table[place, place] = round(each["recall"] * each["n"])
    return table


def _draw_table(ax, table, shown):
    counts = np.array([max(1, each["n"]) for each in shown])
    shares = table / counts[:, None]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    names = [shortened(each["label"], LETTERS) for each in shown]
    places = range(len(names))
    ax.set_xticks(places)
    ax.set_yticks(places)
    write(ax.set_xticklabels, names, fontsize=8, rotation=45, ha="right")
    write(ax.set_yticklabels, names, fontsize=8)
    ax.tick_params(length=0)
    if len(names) <= FEW:
        for row, column in zip(*np.nonzero(table)):
            ax.text(
                column,
                row,
                f"{table[row, column]:,}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if shares[row, column] > 0.5 else "black",
            )


def _draw_bars(ax, shown, counted):
    for place, (name, tint) in enumerate(zip(METHODS, (0.35, 0.65, 1.0))):
        values = [each[name.lower()] or 0 for each in shown]
        middle = np.arange(len(shown)) + 0.27 * (place - 1)
        ax.barh(middle, values, 0.25, color=BAR, alpha=tint, label=name)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    counts = [f"{each['n']:,}" for each in shown]
    ax.set_yticks(range(len(shown)), counts, fontsize=7)
    ax.tick_params(length=2, labelsize=7)
    ax.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    ax.spines[["top", "right"]].set_visible(False)
    write(ax.set_ylabel, f"{counted} of the class", fontsize=7)
