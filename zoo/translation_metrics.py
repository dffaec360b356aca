"""Translation metrics: BLEU and chrF, to the last digit those of sacrebleu."""

import collections
import numbers

import numpy as np

from zoo.caption_metrics import LONGEST, sacrebleu_metrics
from zoo.data.tokens import checked_texts
from zoo.scores import Score

LETTERS = 6  # of the longest n-gram of chrF
RECALL = 2**2  # how much more recall counts in chrF than precision
EDGES = (10, 20, 30, 40, 50)  # words


def translation_metrics(translations, references, sources=None):
    """Compares translations with those that people made.

    Args:
        translations: List of strings, one for each text. One may be empty.
        references: List of lists of strings: for each text at least one
            reference, none blank. Texts may have different numbers.
        sources: List of strings, the texts themselves, or `None`. The baseline
            leaves them as they are; without them there is none.

    Returns:
        Dict from metric to `Score`, a float.

        - `bleu`: corpus BLEU of 1 to 4 words, 0 to 100, as `sacrebleu` has it
          by default: mixed case, words split as by mteval-v13a, exponential
          smoothing. The closest reference sets the brevity penalty. 0 where
          no translation has 4 words.
        - `chrf`: chrF2 of 1 to 6 letters, 0 to 100, white space aside, as
          `sacrebleu -m chrf`. Of several references the best counts.
        - `exact`: the share of translations that are a reference, 0 to 1, white
          space aside.

    Raises:
        ValueError: If there is no translation, their number is not that of the
            references or sources, a text has no reference, a reference is
            blank, or something is no string.
        ImportError: If sacrebleu is not installed.

    Reference:
        Post (2018), "A Call for Clarity in Reporting BLEU Scores",
        https://aclanthology.org/W18-6319; Papineni et al. (2002), "BLEU: a
        Method for Automatic Evaluation of Machine Translation",
        https://aclanthology.org/P02-1040; Popović (2015), "chrF: character
        n-gram F-score for automatic MT evaluation",
        https://aclanthology.org/W15-3049

    Example:

    >>> said = ["The dog runs on the beach.", "Two men."]
    >>> references = [["The dog runs at the beach."], ["Two men.", "Both."]]
    >>> scores = translation_metrics(said, references)
    >>> {name: round(score, 2) for name, score in scores.items()}
    {'bleu': 45.32, 'chrf': 78.84, 'exact': 0.5}
    """
    translations, references = _checked(translations, references)
    found = _metrics(translations, references)
    if sources is not None:
        sources = _as_many(sources, translations)
        for name, score in _metrics(sources, references).items():
            found[name].baseline = float(score)
    return found


def bleu_by_length(translations, references, sources, edges=EDGES):
    """BLEU of short texts, of longer ones, and so on.

    Args:
        translations: As for `translation_metrics`.
        references: As there.
        sources: List of strings, the texts. They are as long as they have
            words, split at white space.
        edges: Ascending positive integers. Where a longer group begins.

    Returns:
        List of `(least, below, score)`, shortest first: texts of `least` words
        or more and of less than `below`, which is `None` of the longest, and
        their BLEU, a `Score`. Lengths that no text has are left out.

    Raises:
        ValueError: As for `translation_metrics`, or if `edges` do not ascend.
        ImportError: If sacrebleu is not installed.

    Reference:
        Bahdanau et al. (2015), "Neural Machine Translation by Jointly Learning
        to Align and Translate", figure 2, https://arxiv.org/abs/1409.0473

    Example:

    >>> said = ["Two men are running.", "The dog runs on the hot sand."]
    >>> references = [["Two men are running."], ["The dog runs on hot sand."]]
    >>> sources = ["Zwei Männer laufen.", "Der Hund läuft auf heißem Sand."]
    >>> found = bleu_by_length(said, references, sources, edges=[5])
    >>> [(least, below, round(bleu)) for least, below, bleu in found]
    [(0, 5, 100), (5, None, 50)]
    """
    translations, references = _checked(translations, references)
    sources = _as_many(sources, translations)
    edges = list(edges)
    whole = all(isinstance(edge, numbers.Integral) for edge in edges)
    if not whole or sorted({0, *edges}) != [0, *edges]:
        raise ValueError(
            "`edges` must be positive integers, each above the last. "
            f"Received: edges={edges}"
        )
    parts = _bleu_parts(translations, references)
    lengths = [len(text.split()) for text in sources]
    groups = np.digitize(lengths, edges)
    bounds = zip([0, *edges], [*edges, None])
    return [
        (*ends, _score(parts[groups == place], _bleu_of))
        for place, ends in enumerate(bounds)
        if (groups == place).any()
    ]


def signature(references=None):
    """How the metrics are computed, as sacrebleu says it.

    Args:
        references: As for `translation_metrics`, of which the numbers are told;
            by default each text has one.

    Returns:
        Dict from `bleu` and `chrf` to strings, for a card or a paper.

    Raises:
        ImportError: If sacrebleu is not installed.

    Example:

    >>> signature()["bleu"].rpartition("|version:")[0]
    'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp'
    """
    counts = sorted({len(known) for known in references or [[""]]})
    # sacrebleu counts references where it scores; texts of each number will do.
    padded = [
        ["a" if place < count else None for count in counts]
        for place in range(counts[-1])
    ]
    found = {}
    for name, kind in (("bleu", "BLEU"), ("chrf", "CHRF")):
        metric = getattr(sacrebleu_metrics(), kind)()
        metric.corpus_score(["a"] * len(counts), padded)
        found[name] = metric.get_signature().format()
    return found


def _checked(translations, references):
    """Both as lists; raises unless they can be compared."""
    translations, references = checked_texts(translations), list(references)
    if not translations or len(translations) != len(references):
        raise ValueError(
            "There must be a translation, and a list of references for each. "
            f"Received: {len(translations)} translations, {len(references)} "
            "lists of references"
        )
    references = [checked_texts(known) for known in references]
    for place, known in enumerate(references):
        if not known or not all(map(str.strip, known)):
            raise ValueError(
                "Each text must have a reference, and none may be blank. "
                f"Received: {repr(known)[:50]} at place {place}"
            )
    return translations, references


def _as_many(sources, translations):
    sources = checked_texts(sources)
    if len(sources) != len(translations):
        raise ValueError(
            "There must be a source for each translation. Received: "
            f"{len(sources)} sources, {len(translations)} translations"
        )
    return sources


def _metrics(translations, references):
    """As `translation_metrics`, without baselines."""
    exact = [
        said.split() in [text.split() for text in known]
        for said, known in zip(translations, references)
    ]
    return {
        "bleu": _score(_bleu_parts(translations, references), _bleu_of),
        "chrf": _score(_chrf_parts(translations, references), _chrf_of),
        "exact": Score.mean(exact),
    }


def _score(parts, metric):
    return Score(metric(parts.sum(axis=0)), parts, metric)


def _bleu_parts(translations, references):
    """Matches and phrases of 1 to 4 words, and both lengths, `(N, 10)`."""
    # It scores each text only to count; nothing of the score is used.
    metric = sacrebleu_metrics().BLEU(
        force=True, smooth_method="none", effective_order=True
    )
    parts = []
    for said, known in zip(translations, references):
        found = metric.sentence_score(said, known)
        parts.append(
            [*found.counts, *found.totals, found.sys_len, found.ref_len]
        )
    return np.array(parts, "float64")


def _bleu_of(sums):
    """BLEU of sums `(..., 10)`, by sacrebleu, so the same to the last digit."""
    bleu = sacrebleu_metrics().BLEU

    def one(row):
        counts = [round(count) for count in row]
        return bleu.compute_bleu(
            counts[:LONGEST],
            counts[LONGEST:-2],
            *counts[-2:],
            smooth_method="exp",
        ).score

    return np.apply_along_axis(one, -1, sums)


def _chrf_parts(translations, references):
    """Of 1 to 6 letters those said, those wanted, and matches, `(N, 18)`."""
    parts = []
    for said, known in zip(translations, references):
        said = _letters(said)
        each = np.array(
            [
                [
                    count
                    for pair in zip(said, _letters(text))
                    for count in _compared(*pair)
                ]
                for text in known
            ],
            "float64",
        )
        parts.append(each[_chrf_of(each).argmax()])
    return np.stack(parts)


def _letters(text):
    """The runs of 1 to 6 letters of a text, each as often as it occurs."""
    text = "".join(text.split())
    return [
        collections.Counter(
            text[start : start + n] for start in range(len(text) - n + 1)
        )
        for n in range(1, LETTERS + 1)
    ]


def _compared(said, wanted):
    """How many are said, wanted, and both.

    What is said does not count where the reference is too short for any.
    """
    matches = sum(min(n, wanted[run]) for run, n in said.items())
    return said.total() if wanted else 0, wanted.total(), matches


def _chrf_of(sums):
    """The chrF of sums `(..., 18)`; lengths that neither has do not count."""
    said, wanted, matches = np.moveaxis(
        sums.reshape(*sums.shape[:-1], LETTERS, 3), -1, 0
    )
    counted = (said > 0) & (wanted > 0)
    orders = np.maximum(counted.sum(axis=-1), 1)
    precision, recall = (
        (np.where(counted, matches, 0) / np.where(counted, total, 1)).sum(-1)
        / orders
        for total in (said, wanted)
    )
    weighed = RECALL * precision + recall
    product = (1 + RECALL) * precision * recall
    return 100 * (product / np.where(weighed > 0, weighed, 1))
