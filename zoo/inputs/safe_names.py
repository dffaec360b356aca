"""Names that every serving stack takes."""

import re


def safe_names(values):
    """Values by names that every serving stack takes.

    Args:
        values: Dict from name to anything.

    Returns:
        Dict in the same order; whatever is no letter, digit or underscore is
        an underscore now, and a name that was taken gets a number.
    """
    safe = {}
    for name, value in values.items():
        plain = unique = re.sub(r"\W", "_", name, flags=re.ASCII)
        count = 1
        while unique in safe:
            count += 1
            unique = f"{plain}_{count}"
        safe[unique] = value
    return safe
