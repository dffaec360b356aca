"""Multi30k's names: its parts, its languages, and how to ask for a pair."""

import itertools

LANGUAGES = ("cs", "de", "en", "fr")

# The parts, and the languages that each is in.
PARTS = {
    "train": LANGUAGES,
    "val": LANGUAGES,
    "test_2016_flickr": LANGUAGES,
    "test_2017_flickr": ("de", "en", "fr"),
    "test_2017_mscoco": ("de", "en", "fr"),
    "test_2018_flickr": LANGUAGES,
}
TEST = "test_2016_flickr"

# From which language into which.
PAIRS = {
    f"multi30k_{source}_{target}": (source, target)
    for source, target in itertools.permutations(LANGUAGES, 2)
}

# A pair, or a pair and the part to measure on.
NAMES = (
    *PAIRS,
    *(
        f"{name}/{part}"
        for name, pair in PAIRS.items()
        for part, languages in PARTS.items()
        if part != "train" and set(pair) <= {*languages}
    ),
)
