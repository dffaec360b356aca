"""Short stories by rule, whose end must agree with their beginning.

A text that a network has gone on with can be checked, since each story keeps
seven rules, which `RULES` names:

- `name`: the last sentence names who the first one is about; others are met
  on the way.
- `job`: it tells the same job.
- `pronoun`: each *she*, *her*, *he* and *his* is of that person.
- `agreement`: a verb has the number of its subject, not of the nouns between.
- `brackets`: each bracket closes, the last that opened first, by its own kind.
- `count`: as many things are listed as the number before them says.
- `copy`: what is unpacked is what was packed, in the same order.

A text keeps a rule if there is a place where the rule applies and it holds at
all such places; so an empty text keeps none.

Chance, `CHANCE`, is the share of stories that keep a rule where all that must
agree is drawn without a look at what it must agree with, as `make` draws them
with `blind=True`. A network that learned the words and the forms, and nothing
over more than a sentence's beginning, comes there.
"""

import re

import numpy as np

from zoo.scores import Score

VERSION = "1.0.0"

# How many stories, and the seed of their draw.
PARTS = {"train": (10_000, 1), "test": (1000, 2)}

RULES = ("name", "job", "pronoun", "agreement", "brackets", "count", "copy")

# As it follows from the choices, each as likely; the tests draw it.
CHANCE = {
    "name": 0.042,
    "job": 0.083,
    "pronoun": 0.094,
    "agreement": 0.292,
    "brackets": 0.093,
    "count": 0.200,
    "copy": 0.000,
}

SHE = tuple(
    "Ada Clara Greta Ines Lena Maud Mira Nora Olga Rosa Tilda Vera".split()
)
HE = tuple(
    "Anton Bruno Emil Felix Hugo Ivan Karl Leo Oskar Otto Paul Tomas".split()
)
NAMES = SHE + HE
JOBS = tuple(
    "baker clockmaker gardener hunter miller painter potter sailor smith "
    "tailor teacher weaver".split()
)
TOWNS = tuple("Dunhollow Fennmoor Larkstead Oldwick Saltmere Winterby".split())
THINGS = tuple(
    "basket blanket book candle hammer kettle knife lamp map mirror rope "
    "whistle".split()
)
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
NOUNS = tuple(
    "barn bell boat bridge fence garden gate lantern tower tree wheel "
    "window".split()
)
PREPOSITIONS = ("above", "behind", "below", "beside", "in front of", "near")
VERBS = (("was", "were"), ("is", "are"), ("looks", "look"), ("stands", "stand"))
ADJECTIVES = tuple("broken dark empty green old open quiet red".split())
PRONOUNS = {"she": SHE, "her": SHE, "he": HE, "his": HE}
BRACKETS = {"(": ")", "[": "]", "{": "}"}
DEEPEST = 3

_OPENINGS = (
    "{name} was a {job} in {town}.",
    "{name}, a {job}, lived in {town}.",
    "In {town} there lived a {job} whose name was {name}.",
)
_PACKED = (
    "One morning {she} packed {number} things: {things}.",
    "There were {number} things in {her} bag: {things}.",
    "Before sunrise {she} chose {number} things: {things}.",
)
_MET = (
    "On the road {she} met {other} {remark}.",
    "At noon {she} waved to {other} {remark}.",
    "Then {other} {remark} crossed {her} way.",
)
_SAID = (
    "as everyone knew",
    "at least on Sundays",
    "if the tales are true",
    "or so they say",
    "though nobody asked",
    "which was strange",
)
_UNPACKED = (
    "In the evening {she} unpacked {things}.",
    "Back home {she} unpacked {things}.",
    "Late at night {she} unpacked {things}.",
)
_CLOSINGS = (
    "So ended the day of {name} the {job}.",
    "Such was the day of {name} the {job}.",
    "This was the day of {name} the {job}.",
)


def _either(words):
    return "|".join(map(re.escape, words))


_THINGS = r"(a \w+(?:(?:, | and )a \w+)*)"
_COUNTED = re.compile(rf"\b(\w+) things\b[^:.]*: {_THINGS}")
_LAST_LIST = re.compile(rf"\bunpacked {_THINGS}")
_LAST = re.compile(r"\bthe day of (\w+) the (\w+)\.\Z")
_PLACE = rf"(?: (?:and )?(?:{_either(PREPOSITIONS)}) the \w+)"
_DESCRIBED = re.compile(
    rf"(?:(?<=\. )|\A)The (\w+){_PLACE}* "
    rf"({_either(sum(VERBS, ()))})\b|(?:(?<=\. )|\A)The [^.]*"
)
_PRONOUN = re.compile(rf"\b({_either(PRONOUNS)})\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_NUMBER_OF = {
    **dict.fromkeys(NOUNS, 0),
    **dict.fromkeys([f"{noun}s" for noun in NOUNS], 1),
    **{form: number for forms in VERBS for number, form in enumerate(forms)},
}


def make(count, seed=0, blind=False):
    """Draws stories.

    Args:
        count: Positive integer. How many stories.
        seed: Integer of at least 0. Seed of the draw. Story `i` depends on the
            seed, `i` and `blind` alone.
        blind: Boolean. Whether what must agree is drawn without a look at what
            it must agree with. Such stories keep rules by chance alone.

    Returns:
        List of strings, each of one line.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> make(1, seed=7)[0][:55]
    'In Winterby there lived a tailor whose name was Felix. '
    """
    if count < 1 or seed < 0:
        raise ValueError(
            "There must be a story to draw, and the seed must not be negative. "
            f"Received: count={count}, seed={seed}"
        )
    return [
        _story(np.random.default_rng((seed, index)), blind)
        for index in range(count)
    ]


def places(text):
    """Where a text keeps or breaks each rule.

    Args:
        text: String, a story or what a network made of its beginning.

    Returns:
        Dict from each of `RULES` to a list of `(start, end, right)`: the
        letters that the rule decides about, and whether they are as they must
        be. A bracket that never closes is a place, too.

    Example:

    >>> text = "Mira was a baker in Oldwick. The bell near the gates were red."
    >>> places(text)["agreement"]
    [(53, 57, False)]
    """
    words = _WORD.findall(text.split(".")[0])
    person = next((word for word in words if word in NAMES), None)
    job = next((word for word in words if word in JOBS), None)
    found = {rule: [] for rule in RULES}
    if match := _LAST.search(text):
        found["name"].append((*match.span(1), match[1] == person))
        found["job"].append((*match.span(2), match[2] == job))
    for match in _PRONOUN.finditer(text):
        right = person in PRONOUNS[match[1].lower()]
        found["pronoun"].append((*match.span(), right))
    for match in _DESCRIBED.finditer(text):
        number = _NUMBER_OF.get(match[1])
        right = number is not None and number == _NUMBER_OF[match[2]]
        span = match.span(2) if match[2] else match.span()
        found["agreement"].append((*span, right))
    found["brackets"] = _brackets(text)
    packed = None
    if match := _COUNTED.search(text):
        packed = _listed(match[2])
        right = NUMBERS.get(match[1]) == len(packed)
        found["count"].append((*match.span(2), right))
    if match := _LAST_LIST.search(text):
        found["copy"].append((*match.span(1), _listed(match[1]) == packed))
    return found


def kept(text):
    """Which rules a text keeps.

    Args:
        text: String.

    Returns:
        Dict from each of `RULES` to a boolean: whether there is a place where
        the rule applies, and it holds at all of them.

    Example:

    >>> kept("Mira was a baker. So ended the day of Mira the sailor.")["name"]
    True
    """
    return {
        rule: bool(found) and all(right for *_, right in found)
        for rule, found in places(text).items()
    }


def shares(texts):
    """The share of texts that keep each rule.

    Args:
        texts: List of strings, one at least.

    Returns:
        Dict from each of `RULES`, and `"all"`, to a `Score`, whose baseline is
        that of `CHANCE`.

    Raises:
        ValueError: If there is no text.

    Example:

    >>> shares(make(20, seed=3))["all"]
    1.0
    """
    if isinstance(texts, str) or not len(texts):
        raise ValueError(
            "There must be a list of texts to judge, one at least. "
            f"Received: texts={texts!r:.50}"
        )
    rows = np.array([list(kept(text).values()) for text in texts])
    found = {
        rule: Score.mean(column, baseline=CHANCE[rule])
        for rule, column in zip(RULES, rows.T)
    }
    found["all"] = Score.mean(rows.all(axis=1), baseline=0.0)
    return found


def _story(generator, blind):
    """One story; a part that must agree is drawn anew if `blind`."""

    def draw(choices):
        return choices[generator.integers(len(choices))]

    def some(choices, count):
        order = generator.permutation(len(choices))
        return [choices[place] for place in order[:count]]

    def again(right, choices):
        return draw(choices) if blind else right

    def things(of):
        *first, last = [f"a {thing}" for thing in of]
        return f"{', '.join(first)} and {last}"

    def remark(depth):
        opening = draw(list(BRACKETS))
        words = [draw(_SAID)]
        if depth > 1:
            words.append(remark(depth - 1))
            if generator.integers(2):
                words.append(draw(_SAID))
        closing = again(BRACKETS[opening], list(BRACKETS.values()))
        return f"{opening}{' '.join(words)}{closing}"

    def sentence(pattern, **fields):
        person = again(name, NAMES)
        she, her = ("she", "her") if person in SHE else ("he", "his")
        return pattern.format(she=she, her=her, **fields)

    def described():
        number = generator.integers(2)
        noun, *others = some(NOUNS, generator.integers(2, 4))
        between = " and".join(
            f" {draw(PREPOSITIONS)} the {other}{draw(('', 's'))}"
            for other in others
        )
        verb = draw(VERBS)[again(number, (0, 1))]
        return f"The {noun}{'s' * number}{between} {verb} {draw(ADJECTIVES)}."

    name, *others = some(NAMES, 3)
    job = draw(JOBS)
    number = draw(list(NUMBERS))
    packed = some(THINGS, NUMBERS[number])
    between = [described() for _ in range(generator.integers(1, 4))]
    for other in others[: generator.integers(1, 3)]:
        depth = generator.integers(1, DEEPEST + 1)
        said = remark(depth)
        between.append(sentence(draw(_MET), other=other, remark=said))
    unpacked = packed
    if blind:
        unpacked = some(THINGS, NUMBERS[draw(list(NUMBERS))])
    return " ".join(
        [
            draw(_OPENINGS).format(name=name, job=job, town=draw(TOWNS)),
            sentence(
                draw(_PACKED),
                number=again(number, list(NUMBERS)),
                things=things(packed),
            ),
            *some(between, len(between)),
            sentence(draw(_UNPACKED), things=things(unpacked)),
            draw(_CLOSINGS).format(
                name=again(name, NAMES), job=again(job, JOBS)
            ),
        ]
    )


def _listed(things):
    return re.split(", | and ", things)


def _brackets(text):
    """The places of closing brackets, and of those that never close."""
    found, waiting = [], []
    for place, letter in enumerate(text):
        if letter in BRACKETS:
            waiting.append(place)
        elif letter in BRACKETS.values():
            right = bool(waiting) and BRACKETS[text[waiting.pop()]] == letter
            found.append((place, place + 1, right))
    return found + [(place, place + 1, False) for place in waiting]
