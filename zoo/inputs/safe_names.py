"""Names that every serving stack takes."""

import keyword
import re


def safe_names(values):
    """Values by names that every serving stack takes.

    Args:
        values: Dict from name to anything.

    Returns:
        Dict in the same order; whatever is no letter, digit or underscore is
        an underscore now, what does not begin with a letter or means something
        in Python begins with `x_`, and a name that was taken gets a number.

    Example:

    >>> safe_names({"a b": 1, "a/b": 2, "1st": 3, "class": 4})
    {'a_b': 1, 'a_b_2': 2, 'x_1st': 3, 'x_class': 4}
    """
    safe = {}
    for name, value in values.items():
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        # TensorFlow makes the inputs of a signature arguments of a function.
        if not plain[:1].isalpha() or keyword.iskeyword(plain):
            plain = f"x_{plain}"
        if plain == "self":
            plain = "x_self"
        unique, count = plain, 1
        while unique in safe:
            count += 1
            unique = f"{plain}_{count}"
        safe[unique] = value
    return safe
