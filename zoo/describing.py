"""What a task is, in words: one line, or all of it."""

from keras_attention.lettering import printable, shortened
from zoo.saving import count_parameters

NAMED = 5  # labels, words or columns that a summary names


def in_short(task):
    """A task on one line, its `repr`.

    Args:
        task: A `zoo.task.Task`.

    Returns:
        String.
    """
    name = printable(str(task.card.get("name", "not saved yet")))
    return (
        f"<{type(task).__name__} {name!r}: {task.card['builder']}, "
        f"{count_parameters(task.model)['total']:,} parameters>"
    )


def summary(task, print_fn=None, **options):
    """Prints what goes in, the network, and what goes out.

    Args:
        task: A `zoo.task.Task`, of which this is a method.
        print_fn: Function of a line of text; `None` prints it.
        **options: Those of `keras.Model.summary`, such as `expand_nested`.
    """
    say = print if print_fn is None else print_fn
    say(in_short(task))
    say(f"In: {_kind(task.input)}, as {task.input.noun}")
    for name, (shape, dtype) in task.input.tensors().items():
        say(f"  {name}: {dtype} (batch, {', '.join(map(str, shape))})")
    for line in _kept(task.input):
        say(line)
    task.model.summary(print_fn=print_fn, **options)
    say(f"Out: {_kind(task.output)}")
    for line in _kept(task.output):
        say(line)


def _kind(part):
    return type(part).__name__


def _kept(part):
    """What an input or an output keeps, a line for each."""
    for name, value in {**part.settings(), **part.assets()}.items():
        yield f"  {name}: {_shown(value)}"


def _shown(value):
    if isinstance(value, list) and len(value) > NAMED:
        first = ", ".join(map(_shown, value[:NAMED]))
        return f"{first}, ... ({len(value):,})"
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict) and "name" in value:  # a column, a target
        return printable(shortened(f"{value['name']} ({value['kind']})", 40))
    if isinstance(value, dict):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items())
    return printable(shortened(str(value), 40))


def history(task):
    """How it learned: a list of dicts, one for each epoch, by the card."""
    log = task.card.get("recipe", {}).get("log", ())
    return [dict(epoch) for epoch in log]
