"""The catalogue: of each layer its equation, picture and measured cost."""

import re

from website import docstrings, tables
from website.api import ROOMS
from website.docstrings import ROOT

TURNED = (
    "After 400 steps of learning to turn nine letters round: which letter is "
    "read for each place of the answer"
)
# Of the README, and of `docs/layers/draw.py`: trained models of the zoo looked,
# where nothing else is said. Without a picture are layers without attention and
# those whose weights say nothing by themselves or were not learned in the zoo.
PICTURES = {
    "SEBlock": ("layers/SEBlock.png", "Which channels a ResNet let through"),
    "AttentionCrop": (
        "layers/AttentionCrop.png",
        "A glyph, and the two boxes that RA-CNN zoomed in on",
    ),
    "GlimpseSensor": (
        "layers/GlimpseSensor.png",
        "Three digits, and where the four glimpses were taken",
    ),
    "SoftVisualAttention": (
        "layers/SoftVisualAttention.png",
        "A picture, and for each word of its caption where it looked",
    ),
    "HardAttention": (
        "layers/HardAttention.png",
        "A picture, and for each word of its caption where it looked",
    ),
    "AttentionPooling": (
        "layers/AttentionPooling.png",
        "A review, its words coloured by weight",
    ),
    "ABCNN": (
        "layers/ABCNN.png",
        "Which words of a question and of an answer match",
    ),
    "CBAM": ("where_it_looked.png", "Where the CBAMs of a ResNet looked"),
    "ChannelAttention": (
        "layers/ChannelAttention.png",
        "Which channels the last CBAM of a ResNet let through for a ship",
    ),
    "SpatialAttention": (
        "layers/SpatialAttention.png",
        "Which places the last CBAM of each stage of a ResNet let through",
    ),
    "GaussianAttention": (
        "layers/GaussianAttention.png",
        "How much 6 by 6 Gaussian filters over the middle read of each pixel; "
        "their place is given, not learned",
    ),
    "EntropySaliency": (
        "layers/EntropySaliency.png",
        "Three digits among clutter, how much each place decides for a network "
        "trained on MNIST, and the patches that it looked at again",
    ),
    "AttentionLayer": ("layers/AttentionLayer.png", TURNED),
    "BahdanauAttention": ("layers/BahdanauAttention.png", TURNED),
    "LuongAttention": ("layers/LuongAttention.png", TURNED),
    "MultiHeadAttention": ("layers/MultiHeadAttention.png", TURNED),
    "SelfAttention": ("layers/SelfAttention.png", TURNED),
    "TransformerDecoder": ("layers/TransformerDecoder.png", TURNED),
    "TransformerEncoder": (
        "layers/TransformerEncoder.png",
        "The heads of the last block of a classifier of reviews",
    ),
    "LocalAttention": (
        "layers/LocalAttention.png",
        "Not trained: each position sees two others on either side",
    ),
    "ScaledDotProductAttention": (
        "layers/ScaledDotProductAttention.png",
        "Nothing is learned: positions that read each other by their "
        "sinusoidal encodings",
    ),
    "SinusoidalPositionEncoding": (
        "layers/SinusoidalPositionEncoding.png",
        "What is added to 16 positions of 16 features",
    ),
    "PairAttentionMatrix": (
        "layers/PairAttentionMatrix.png",
        "Nothing is learned: the letters of two words, 1 where they agree",
    ),
    "MultiwayAttention": (
        "which_words_match.png",
        "As part of MwAN: what each word of one sentence reads of another, in "
        "four ways",
    ),
    "MixedAggregation": (
        "layers/MixedAggregation.png",
        "As part of MwAN: how much of each of four readings each word takes",
    ),
    "GlobalAttentionUpsample": (
        "which_pixels.png",
        "In a network that labels pixels: which channels of the finest map are "
        "let through, below what a feature pyramid weighs",
    ),
    "FeaturePyramidAttention": (
        "which_pixels.png",
        "In a network that labels pixels: what it weighs of the coarsest map",
    ),
    "ContextAwarePyramid": (
        "the_odd_one.png",
        "In a network that finds the odd one: the channels that it lets "
        "through, below the places that it leads another gate to",
    ),
    "SpatialTransformer": (
        "what_it_straightened.png",
        "Six digits, the part of each that was read, and that part, upright",
    ),
    "HierarchicalAttention": (
        "which_words.png",
        "A review, its sentences and words coloured by weight",
    ),
    "MwAN": (
        "which_words_match.png",
        "What each word of one sentence reads of another, in four ways",
    ),
    "MultiGateMixtureOfExperts": (
        "which_expert.png",
        "How much of each expert the gate of each question takes",
    ),
    "TopDownAttention": (
        "which_word_where.png",
        "Two pictures, and for each word of their captions where it looked",
    ),
    "StackedLatentAttention": (
        "two_looks.png",
        "Two questions, each answered by two looks at a picture",
    ),
}

COSTS = "What does each layer cost?"
GATES = "What do the gates bring and cost?"
SEQUENCE = "What do the sequence layers cost beside Keras's?"
TRANSLATION = "What does attention bring to translation?"
MASKS = "What does attention bring to masks?"
# Layer -> tables of `benchmarks/README.md`: heading, first cell of the header,
# and the first cells of the rows that measure this layer.
MEASURED = {
    "SEBlock": [(GATES, "attention", ("plain", "SE"))],
    "CBAM": [
        (GATES, "attention", ("plain", "CBAM")),
        ("What does an attached CBAM cost?", "network", None),
    ],
    "BAM": [(GATES, "attention", ("plain", "BAM"))],
    "SelectiveKernel": [(GATES, "attention", ("plain", "SK"))],
    "SpatialTransformer": [
        (
            "What does the bilinear reader cost beside the fused ones?",
            "beside",
            None,
        ),
    ],
    "GaussianAttention": [
        (
            "Can a Gaussian glimpse be placed by gradient, "
            "where a hard crop cannot?",
            "glimpse",
            None,
        ),
    ],
    "GlimpseSensor": [
        (
            "Does it pay to learn where to look, and does the baseline help?",
            "policy",
            None,
        ),
    ],
    "AttentionCrop": [
        ("Does RA-CNN zoom in on what decides?", "proposals", None),
    ],
    "EntropySaliency": [
        ("What does a dynamic capacity network save?", "network", None),
    ],
    "MultiGateMixtureOfExperts": [
        (
            "Does a gate for each task help, and what should it depend on?",
            "correlation",
            None,
        ),
    ],
    "HierarchicalAttention": [
        (
            "Does attention pool better than the average?",
            "network",
            ("`han_imdb`", "`han_average_imdb`"),
        ),
    ],
    "TransformerEncoder": [
        (
            "Does attention pool better than the average?",
            "network",
            ("`transformer_imdb`", "`transformer_average_imdb`"),
        ),
    ],
    "ABCNN": [
        (
            "What does attention between two texts bring?",
            "ranking of WikiQA",
            ("BCNN", "ABCNN-1", "ABCNN-2", "ABCNN-3"),
        ),
    ],
    "MwAN": [
        (
            "What does attention between two texts bring?",
            "ways of MwAN, SICK",
            None,
        ),
    ],
    "BahdanauAttention": [
        (TRANSLATION, "Multi30k", ("no attention", "RNNsearch")),
        (TRANSLATION, "dates", ("no attention", "RNNsearch")),
    ],
    "LuongAttention": [
        (
            TRANSLATION,
            "Multi30k",
            ("Luong, dot", "Luong, general", "Luong, concat"),
        ),
    ],
    "LocalAttention": [
        (TRANSLATION, "Multi30k", ("Luong, general", "Luong, local-p")),
    ],
    "TransformerDecoder": [
        (TRANSLATION, "Multi30k", ("RNNsearch", "Transformer")),
    ],
    "PervasiveAttention": [
        (TRANSLATION, "Multi30k", ("no attention", "RNNsearch", "pervasive")),
        (TRANSLATION, "dates", ("no attention", "pervasive")),
    ],
    "GlobalAttentionUpsample": [
        (MASKS, "shapes", ("GAU", "GAU, gate sigmoid", "sum", "no skip")),
    ],
    "FeaturePyramidAttention": [
        (MASKS, "shapes", ("GAU", "GAU, no pyramid")),
    ],
    "ContextAwarePyramid": [
        (MASKS, "odd one", ("PFAN", "PFAN without gates")),
    ],
    "PixelwiseContextualAttention": [
        (MASKS, "odd one", ("PiCANet", "plain U-Net")),
    ],
    "ScaleAttention": [
        (MASKS, "digits", ("attention", "mean", "maximum", "one scale")),
    ],
    "ResidualAttentionModule": [
        (
            "Does attention residual learning stack, and is it robust to label "
            "noise?",
            labels,
            ("residual", "naive", "trunk only", "trunk only, wider"),
        )
        for labels in ("clean labels", "50 % noise")
    ],
    "TransparentAttention": [(TRANSLATION, "encoder", None)],
    "SoftVisualAttention": [
        (
            "Does it pay to look, when a scene is described or asked about?",
            "captions",
            ("soft", "no attention"),
        ),
    ],
    "HardAttention": [
        (
            "Does it pay to look, when a scene is described or asked about?",
            "captions",
            ("soft", "hard", "hard, without the baseline", "no attention"),
        ),
    ],
    "TopDownAttention": [
        (
            "Does it pay to look, when a scene is described or asked about?",
            "captions",
            ("Up-Down", "Up-Down, no attention"),
        ),
    ],
    "StackedAttention": [
        (
            "Does it pay to look, when a scene is described or asked about?",
            "answers",
            ("plain stack, depth 1", "plain stack, depth 2"),
        ),
    ],
    "StackedLatentAttention": [
        (
            "Does it pay to look, when a scene is described or asked about?",
            "answers",
            ("latent stack, depth 1", "latent stack, depth 2"),
        ),
    ],
}


def page():
    """The catalogue as Markdown."""
    rows = readme_rows()
    exported = docstrings.exported("keras_attention")
    parts = [
        "# Catalogue",
        "Every layer returns its weights when it is called with "
        "`return_attention_scores=True`. Shapes: `B` samples, `H, W, C` "
        "height, width, channels, `Tq, Tk` queries and keys, `D` features, "
        "`N` heads. In equations `.` is a product of two vectors, `[a; b]` "
        "puts one behind the other, and `*` multiplies entry by entry.",
    ]
    for room, title in ROOMS.items():
        parts.append(f"## {title}")
        for name, (what, paper) in rows.items():
            module = exported[name]
            if module.split(".")[1] == room:
                parts.append(_entry(name, module, what, paper, room))
    return "\n\n".join(parts) + "\n"


def readme_rows():
    """Layer -> what it attends to, and its paper, as the README has them."""
    text = (ROOT / "README.md").read_text("utf-8")
    layers = text.split("### Layers\n")[1].split("\n### ")[0]
    row = r"^\| \[`(\w+)`\]\(.*?\) \| (.*) \| (.*) \|$"
    rows = re.findall(row, layers, re.MULTILINE)
    return {
        name: (what, paper) for name, what, paper in rows if name[0].isupper()
    }


def _entry(name, module, what, paper, room):
    node = docstrings.definition(module, name)
    parts = [
        f"### {name}",
        f"What it attends to: {what}.",
        f"{paper}. [Arguments, shapes and example]"
        f"(api/{room}.md#{name.lower()})",
        *docstrings.equations(node),
    ]
    if name in PICTURES:
        file, told = PICTURES[name]
        parts += [f"![{told}]({file})", f"*{told}.*"]
    parts += [_measured(name, *place) for place in places(name)]
    return "\n\n".join(parts)


def places(name):
    """The tables that measure a layer: heading, first cell, rows."""
    found = [(COSTS, "layer", (f"`{name}`",)), *MEASURED.get(name, [])]
    _, rows = tables.table(SEQUENCE, "layer")
    names = tuple(dict.fromkeys(r[0] for r in rows if r[0].split()[0] == name))
    return found + ([(SEQUENCE, "layer", names)] if names else [])


def _measured(name, heading, first, names):
    header, rows = tables.table(heading, first)
    if names is not None:
        missing = set(names) - {row[0] for row in rows}
        if missing:
            raise ValueError(
                f"The table under {heading!r} must measure {name}. "
                f"Received: missing={sorted(missing)}"
            )
        rows = [row for row in rows if row[0] in names]
    link = f"benchmarks.md#{tables.anchor(heading)}"
    return f"Measured ([{heading}]({link})):\n\n{tables.drawn(header, rows)}"
