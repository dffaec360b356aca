"""How well a language model foretells texts, whatever its tokens are.

Losses by token cannot be compared between vocabularies: few long pieces are
harder to say than many short ones. Bits by byte and by character can.
"""

import numpy as np

from zoo.data.tokens import checked_texts
from zoo.scores import Score


def language_metrics(nats, texts, tokens=None, groups=None):
    """Bits per byte and per character, and perplexity.

    Args:
        nats: Floats `(N,)`. What it costs to say each text: the sum over its
            tokens of the negative natural logarithm of their probabilities, its
            end included if the model says ends.
        texts: List of strings, the texts as they were said, which is to say
            normalised. They have `N` entries and one character at least.
        tokens: Integers `(N,)`, how many tokens each text's cost is of; or
            `None`, and there is no perplexity.
        groups: Integers `(N,)` or `None`. Texts that depend on each other, such
            as those of one article, have the same one.

    Returns:
        Dict from metric to `Score`, a float, lower being better.

        - `bits_per_byte`: all bits by the bytes of UTF-8. The baseline is the
          entropy of the texts' own bytes: what no model that reads nothing
          before a byte can fall below.
        - `bits_per_character`: all bits by the characters; the baseline as
          above, for as many bytes as there are.
        - `perplexity`: the exponential of the mean cost of a token.

        Ends are counted among the bits and not among the bytes.

    Raises:
        ValueError: If numbers and texts are not as many, a number is negative
            or not finite, or there is no character.

    Example:

    >>> found = language_metrics([np.log(2) * 6], ["abc"], tokens=[2])
    >>> {name: round(score, 2) for name, score in found.items()}
    {'bits_per_byte': 2.0, 'bits_per_character': 2.0, 'perplexity': 8.0}
    """
    texts = checked_texts(texts)
    given = {"nats": nats} | ({} if tokens is None else {"tokens": tokens})
    for name, values in given.items():
        given[name] = values = np.asarray(values, "float64")
        if (
            values.shape != (len(texts),)
            or not (np.isfinite(values) & (values >= 0)).all()
        ):
            raise ValueError(
                f"`{name}` must be a finite number of at least 0 for each of "
                f"the {len(texts)} texts. Received: {name} of shape "
                f"{values.shape}, {values.min(initial=0)} to "
                f"{values.max(initial=0)}"
            )
    joined = "".join(texts)
    sizes = {
        "bits_per_byte": [len(text.encode()) for text in texts],
        "bits_per_character": [len(text) for text in texts],
    }
    if not joined or tokens is not None and not given["tokens"].sum():
        raise ValueError(
            "There must be a character to say, and a token. Received: "
            f"{len(texts)} texts of {len(joined)} characters, tokens={tokens!r}"
        )
    bits = given["nats"] / np.log(2)
    entropy = _entropy(joined.encode()) * len(joined.encode())
    found = {
        name: _score(bits, size, _ratio, groups, entropy / sum(size))
        for name, size in sizes.items()
    }
    if tokens is not None:
        found["perplexity"] = _score(
            given["nats"], given["tokens"], _perplexity, groups
        )
    return found


def _score(costs, sizes, metric, groups, baseline=None):
    parts = np.stack([costs, sizes], axis=1)
    value = float(metric(parts.sum(axis=0)))
    return Score(value, parts, metric, groups, baseline=baseline)


def _ratio(sums):
    return sums[..., 0] / sums[..., 1]


def _perplexity(sums):
    return np.exp(_ratio(sums))


def _entropy(content):
    """Bits for each byte, if bytes come as often as they do and no rule."""
    counts = np.bincount(np.frombuffer(content, "uint8"))
    shares = counts[counts > 0] / len(content)
    return float(-(shares * np.log2(shares)).sum())
