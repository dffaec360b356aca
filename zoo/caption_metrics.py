"""Caption metrics: BLEU, CIDEr and ROUGE-L, as papers on captions report them.

BLEU is sacrebleu's. CIDEr and ROUGE-L are written out here: the only package
that has those of the COCO evaluation, pycocoevalcap, was last released in 2020,
states no licence and is a wheel of 104 MB, most of it Java. METEOR and SPICE
are left out: they need Java or a download of WordNet.
"""

import collections
import math
import sys

import numpy as np

from zoo.data.tokens import Tokens, checked_texts
from zoo.scores import Score

LONGEST = 4  # words of an n-gram
SIGMA = 6.0  # words, CIDEr-D's tolerance for another length
BETA = 1.2  # how much more recall counts in ROUGE-L

# Any vocabulary will do: only how it splits a text is used.
SPLITTER = Tokens(["a"], length=sys.maxsize)


def caption_metrics(captions, references):
    """Compares captions with the references that people wrote.

    All metrics see the words that `zoo.data.tokens.Tokens` makes of a text, as
    a network does: ASCII letters in lower case, ASCII punctuation removed,
    split at white space. The COCO evaluation also lowers case and drops
    punctuation, but splits contractions ("do n't"), which changes scores of
    texts that have them.

    Args:
        captions: List of strings, one for each image. A caption may be empty:
            it scores 0.
        references: List of lists of strings: for each image at least one
            reference, each with a word. Images may have different numbers.

    Returns:
        Dict from metric to `Score`, a float. The intervals of `cider` take the
        frequencies of phrases as known. The baseline says of every image the
        commonest of the references; of several, the first.

        - `bleu_4`: corpus BLEU of 1 to 4 words, 0 to 1, without smoothing: 0
          where no 4 successive words match in any image, and so where no
          caption has 4 words. The closest reference sets the brevity penalty.
        - `cider`: the mean of `cider_scores`, 0 to 10.
        - `rouge_l`: the mean of `rouge_l_scores`, 0 to 1.
        - `exact`: the share of captions with the words of a reference.

    Raises:
        ValueError: If there is no caption, their number is not that of the
            references, an image has no reference, a reference has no words,
            or something is no string.
        ImportError: If sacrebleu is not installed.

    Reference:
        BLEU: Papineni et al. (2002), "BLEU: a Method for Automatic Evaluation
        of Machine Translation", https://aclanthology.org/P02-1040

    Example:

    >>> references = [["A red square left of a circle."], ["One blue star."]]
    >>> said = ["a red square left of a star", "one blue star"]
    >>> scores = caption_metrics(said, references)
    >>> {name: round(score, 2) for name, score in scores.items()}
    {'bleu_4': 0.84, 'cider': 7.84, 'rouge_l': 0.93, 'exact': 0.5}
    """
    captions, references = _words(captions, references)
    found = _metrics(captions, references)
    commonest = [_commonest(references)] * len(captions)
    for name, score in _metrics(commonest, references).items():
        found[name].baseline = float(score)
    return found


def cider_scores(captions, references, frequencies=None):
    """CIDEr-D of each caption: how like its references, rare phrases first.

    For n from 1 to 4, caption and reference are vectors: of each phrase of n
    words the number of times that it occurs, weighed by the logarithm of the
    inverse share of images that have it in a reference. The score is 10 times
    the mean, over n and over references, of the two vectors' cosine, in which
    the caption's entries are clipped to the reference's, times
    `exp(-d**2 / 72)` for a difference of `d` words in length.

    Args:
        captions: List of strings, one for each image.
        references: List of lists of strings, at least one for each image.
        frequencies: What `document_frequencies` returned for all images of a
            data set, to score a part of them: a single image has no rare
            phrases. `None` takes the frequencies in these references, as the
            COCO evaluation does.

    Returns:
        float64 array, 0 to 10. Phrases that all images have weigh nothing, so
        with a single image and no `frequencies` the score is 0; so it is for
        an empty caption. Without a phrase of 2, 3 or 4 words, which a short
        caption has not, these n count as 0.

    Raises:
        ValueError: As for `caption_metrics`.

    Departures:
        As in the authors' code, words are not stemmed, and counts stand for
        the equation's term frequencies, which matters where entries are
        clipped.

    Reference:
        Vedantam et al. (2015), "CIDEr: Consensus-based Image Description
        Evaluation", sections 3 and 7 (CIDEr-D),
        https://arxiv.org/abs/1411.5726

    Example:

    >>> references = [["one red star"], ["one blue star"]]
    >>> cider_scores(["one red star", "red"], references).round(2).tolist()
    [7.5, 0.0]
    """
    captions, references = _words(captions, references)
    return _cider(captions, references, frequencies)


def document_frequencies(references):
    """Counts the images that have each phrase in a reference.

    Args:
        references: List of lists of strings, at least one for each image.

    Returns:
        Pair of a `collections.Counter` from phrases, tuples of 1 to 4 words,
        to numbers of images, and the number of all images.

    Raises:
        ValueError: As for `caption_metrics`.

    Example:

    >>> counts, images = document_frequencies([["a star", "star"], ["a dot"]])
    >>> counts[("a",)], counts[("star",)], counts[("a", "dot")], images
    (2, 1, 1, 2)
    """
    return _frequencies(_references(references))


def rouge_l_scores(captions, references):
    """ROUGE-L of each caption: its longest common subsequence of words.

    Precision is the length of the subsequence by that of the caption, recall
    by that of the reference, each the best over an image's references. The
    score is `(1 + 1.2**2) * P * R / (R + 1.2**2 * P)`, as in the COCO
    evaluation.

    Args:
        captions: List of strings, one for each image.
        references: List of lists of strings, at least one for each image.

    Returns:
        float64 array, 0 to 1; 0 for an empty caption.

    Raises:
        ValueError: As for `caption_metrics`.

    Reference:
        Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries",
        section 3, https://aclanthology.org/W04-1013; Chen et al. (2015),
        "Microsoft COCO Captions", section 4,
        https://arxiv.org/abs/1504.00325

    Example:

    >>> rouge_l_scores(["a red star"], [["a star", "one red dot"]]).round(2)
    array([0.83])
    """
    return _rouge_l(*_words(captions, references))


def _words(captions, references):
    """Both as lists of words; raises unless they can be compared."""
    captions = [SPLITTER.words(text) for text in checked_texts(captions)]
    references = list(references)
    if not captions or len(captions) != len(references):
        raise ValueError(
            "There must be a caption, and a list of references for each. "
            f"Received: {len(captions)} captions, {len(references)} lists of "
            "references"
        )
    return captions, _references(references)


def _references(references):
    references = [
        [SPLITTER.words(text) for text in checked_texts(known)]
        for known in references
    ]
    if not references:
        raise ValueError("`references` must not be empty. Received: []")
    for place, known in enumerate(references):
        if not known or [] in known:
            raise ValueError(
                "Each image must have a reference, and each reference a word, "
                f"to be compared with. Received: {known} at place {place}"
            )
    return references


def _metrics(captions, references):
    """As `caption_metrics`, of lists of words, without baselines."""
    return {
        "bleu_4": _bleu(captions, references),
        "cider": Score.mean(_cider(captions, references)),
        "rouge_l": Score.mean(_rouge_l(captions, references)),
        "exact": Score.mean(
            [said in known for said, known in zip(captions, references)]
        ),
    }


def _commonest(references):
    """The words of the reference that occurs most often."""
    counts = collections.Counter(
        tuple(words) for known in references for words in known
    )
    return list(counts.most_common(1)[0][0])


def sacrebleu_metrics():
    """The module of sacrebleu's metrics.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import sacrebleu.metrics as metrics
    except ImportError as error:
        raise ImportError(
            "BLEU is computed by sacrebleu, which is not installed. "
            'Install it with `pip install "keras-attention-zoo[zoo]"`.'
        ) from error
    return metrics


def _bleu(captions, references):
    # The words are apart already. The last one hushes a doubt that does not
    # concern counts.
    metric = sacrebleu_metrics().BLEU(
        tokenize="none", smooth_method="none", force=True, effective_order=True
    )
    parts = []
    for words, known in zip(captions, references):
        found = metric.sentence_score(
            " ".join(words), list(map(" ".join, known))
        )
        parts.append(
            [*found.counts, *found.totals, found.sys_len, found.ref_len]
        )
    parts = np.array(parts, "float64")
    return Score(_bleu_of(parts.sum(axis=0)), parts, _bleu_of)


def _bleu_of(sums):
    """BLEU from sums of matches and phrases by length, and both lengths."""
    matches, phrases = sums[..., :LONGEST], sums[..., LONGEST:-2]
    said, wanted = sums[..., -2], sums[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = np.log(matches / phrases).mean(axis=-1)
        brevity = np.minimum(0, 1 - wanted / said)
    found = np.exp(precisions + brevity)
    return np.where((matches > 0).all(axis=-1), found, 0.0)


def _phrases(words):
    """The phrases of 1 to 4 words, each as often as it occurs."""
    return collections.Counter(
        tuple(words[start : start + n])
        for n in range(1, LONGEST + 1)
        for start in range(len(words) - n + 1)
    )


def _frequencies(references):
    counts = collections.Counter()
    for known in references:
        counts.update({phrase for words in known for phrase in _phrases(words)})
    return counts, len(references)


def _cider(captions, references, frequencies=None):
    if frequencies is None:
        frequencies = _frequencies(references)
    counts, images = frequencies

    def vector(words):
        """The phrases' weights, and the norm of those of each length."""
        weights, squares = {}, np.zeros(LONGEST)
        for phrase, count in _phrases(words).items():
            rarity = math.log(images / max(1, counts[phrase]))
            weights[phrase] = count * rarity
            squares[len(phrase) - 1] += weights[phrase] ** 2
        return weights, np.sqrt(squares)

    scores = np.zeros(len(captions))
    for place, (said, known) in enumerate(zip(captions, references)):
        weights, norms = vector(said)
        for words in known:
            others, other_norms = vector(words)
            common = np.zeros(LONGEST)
            for phrase, weight in weights.items():
                other = others.get(phrase, 0.0)
                common[len(phrase) - 1] += min(weight, other) * other
            product = norms * other_norms
            # Where a norm is 0 the vectors have nothing in common.
            cosines = common / np.where(product, product, 1)
            apart = len(said) - len(words)
            scores[place] += cosines.mean() * math.exp(
                -(apart**2) / (2 * SIGMA**2)
            )
        scores[place] *= 10 / len(known)
    return scores


def _rouge_l(captions, references):
    scores = np.zeros(len(captions))
    for place, (said, known) in enumerate(zip(captions, references)):
        common = [_common(said, words) for words in known]
        if not any(common):
            continue
        precision = max(common) / len(said)
        recall = max(n / len(words) for n, words in zip(common, known))
        scores[place] = (
            (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
        )
    return scores


def _common(left, right):
    """The length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for word in left:
        before = row
        row = [0]
        for place, other in enumerate(right):
            row.append(
                before[place] + 1
                if word == other
                else max(row[-1], before[place + 1])
            )
    return row[-1]
