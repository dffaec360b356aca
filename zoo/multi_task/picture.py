"""Which expert each task read: a grid of tasks by experts for each row."""

from keras_attention import pictures
from keras_attention.lettering import shortened
from keras_attention.pictures.drawing import in_notebooks, new_figure

MOST = 24  # letters of an answer
WIDE, HIGH = 4.5, 0.45  # inches: of a grid, and of a task's row and its title


def experts_figure(answers, targets):
    """The gates as a picture, one row of the table below the other.

    Args:
        answers: List of answers of `MultiTask.look`, one at least.
        targets: List of strings, the tasks in their order.

    Returns:
        A `matplotlib.figure.Figure`; `keras_attention.pictures.save_figure`
        writes it. All grids have one range of colours.

    Raises:
        ValueError: If there is no row.
    """
    if not answers:
        raise ValueError("There must be a row to look at. Received: none")
    gates = [next(iter(answer["attention"].values())) for answer in answers]
    top = max(weights.max() for weights in gates)
    experts = [f"expert {n}" for n in range(1, gates[0].shape[-1] + 1)]
    return pictures.stacked(
        [
            _grid(weights, targets, experts, answer, top)
            for weights, answer in zip(gates, answers)
        ]
    )


def _grid(weights, targets, experts, answer, top):
    figure = new_figure(WIDE, 1.1 + HIGH * len(targets))
    pictures.alignment_matrix(
        weights,
        targets,
        experts,
        title="\n".join(_said(answer, name) for name in targets),
        ax=figure.subplots(),
        weights_range=(0, top),
    )
    return in_notebooks(figure)


def _said(answer, name):
    found = answer[name]
    if "label" in found:
        share = f" ({100 * found['probability']:.0f} %)"
        return (
            f"{shortened(name, MOST)}: {shortened(found['label'], MOST)}{share}"
        )
    return f"{shortened(name, MOST)}: {found['value']:.4g}"
