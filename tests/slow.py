"""The slow tests in parts, of which a run may take one."""

import argparse
import re


def slow_part(text):
    """`"2/4"` as `(2, 4)`."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(
            f"must be K/N, with K from 1 to N. Received: {text!r}"
        )
    return int(found[1]), int(found[2])


def without_other_parts(items, part, parts):
    """All quick tests and each `parts`-th slow one, in their order.

    Neighbours, which are often alike, come into different parts.

    Returns:
        The tests to run, and the slow ones of the other parts.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    left_out = [
        item for place, item in enumerate(slow) if place % parts != part - 1
    ]
    others = set(left_out)
    return [item for item in items if item not in others], left_out
