"""The catalogue: every task, its networks, its recipes. The one list of them.

Nothing is imported until it is asked for, so that `zoo --help` answers at once.
"""

import importlib

TASKS = {
    "answer_selection": {
        "class": "zoo.sentence_matching.task:AnswerSelection",
        "input": "zoo.inputs.candidates:Candidates",
        "output": "zoo.outputs.ranking:Ranking",
        "networks": {
            "abcnn": "zoo.sentence_matching.abcnn:abcnn",
            "mwan": "zoo.sentence_matching.mwan:mwan",
        },
        "recipes": "zoo.sentence_matching.recipes:ANSWER_SELECTION",
        "from_scratch": "zoo.sentence_matching.recipes:MATCHING_FROM_SCRATCH",
        "data": (
            "who_did_what, made here; wikiqa; or a CSV file with the columns "
            "question, candidate and label."
        ),
        "columns": ("question", "candidate", "label"),
        "options": {
            "question": "What candidates are to answer.",
            "candidates": "A file with a candidate on each line; - is stdin.",
        },
    },
    "captioning": {
        "class": "zoo.captioning.task:Captioning",
        "input": "zoo.inputs.image:Image",
        "output": "zoo.outputs.words:Words",
        "networks": {
            "show_attend_tell": (
                "zoo.captioning.show_attend_tell:show_attend_tell"
            ),
            "up_down_captioner": (
                "zoo.captioning.up_down_captioner:up_down_captioner"
            ),
        },
        "recipes": "zoo.captioning.recipes:RECIPES",
        "from_scratch": "zoo.captioning.recipes:FROM_SCRATCH",
        "data": (
            "scenes, made here; ucm_captions, coco_mini, coco_captions; or a "
            "CSV file with the columns image and caption."
        ),
        "columns": ("image", "caption"),
    },
    "image_classification": {
        "class": "zoo.image_classification.task:ImageClassification",
        "input": "zoo.inputs.image:Image",
        "output": "zoo.outputs.label:Label",
        "networks": {
            "attention_backbone": (
                "zoo.image_classification.attention_backbone:attention_backbone"
            ),
            "attention_resnet": (
                "zoo.image_classification.attention_resnet:attention_resnet"
            ),
            "dynamic_capacity_network": (
                "zoo.image_classification.dynamic_capacity_network:"
                "dynamic_capacity_network"
            ),
            "spatial_transformer_network": (
                "zoo.image_classification.spatial_transformer_network:"
                "spatial_transformer_network"
            ),
            "ra_cnn": "zoo.image_classification.ra_cnn:ra_cnn",
            "recurrent_attention_model": (
                "zoo.image_classification.recurrent_attention_model:"
                "recurrent_attention_model"
            ),
            "residual_attention_network": (
                "zoo.image_classification.residual_attention_network:"
                "residual_attention_network"
            ),
        },
        "recipes": "zoo.image_classification.recipes:RECIPES",
        "from_scratch": "zoo.image_classification.recipes:FROM_SCRATCH",
        "data": (
            "digits, glyphs, made here, or digits or mnist distorted, such as "
            "mnist_rotated; a set of tensorflow-datasets, such as cifar10; or "
            "a folder with a folder of images for each class."
        ),
    },
    "multi_task": {
        "class": "zoo.multi_task.task:MultiTask",
        "input": "zoo.inputs.table_row:TableRow",
        "output": "zoo.outputs.several:Several",
        "networks": {
            "mmoe": "zoo.multi_task.mmoe:mmoe",
            "shared_bottom": "zoo.multi_task.shared_bottom:shared_bottom",
        },
        "recipes": "zoo.multi_task.recipes:RECIPES",
        "from_scratch": "zoo.multi_task.recipes:FROM_SCRATCH",
        "data": (
            "correlated_tasks, made here; adult, census_income_kdd; or a CSV "
            "file that names its columns."
        ),
    },
    "region_captioning": {
        "class": "zoo.captioning.task:RegionCaptioning",
        "input": "zoo.inputs.image_with:ImageWithBoxes",
        "output": "zoo.outputs.words:Words",
        "networks": {
            "up_down_captioner": (
                "zoo.captioning.up_down_captioner:up_down_captioner"
            ),
        },
        "recipes": "zoo.captioning.recipes:REGION_RECIPES",
        "from_scratch": "zoo.captioning.recipes:REGIONS_FROM_SCRATCH",
        "data": (
            "scenes, made here; or a CSV file with the columns image, boxes "
            "and caption."
        ),
        "columns": ("image", "boxes", "caption"),
        "options": {
            "boxes": (
                "Of images: where to look, 'x0 y0 x1 y1; ...', -1 and 1 being "
                "the edges of the image."
            ),
        },
    },
    "saliency": {
        "class": "zoo.segmentation.task:SaliencyDetection",
        "input": "zoo.inputs.image:Image",
        "output": "zoo.outputs.saliency:Saliency",
        "networks": {
            "salient_object_detector": (
                "zoo.segmentation.salient_object_detector:"
                "salient_object_detector"
            ),
        },
        "recipes": "zoo.segmentation.recipes:SALIENCY",
        "from_scratch": "zoo.segmentation.recipes:SALIENCY_FROM_SCRATCH",
        "data": (
            "odd_one_out, made here; weizmann_horse; or a folder with folders "
            "of images and masks, images/ and masks/."
        ),
    },
    "segmentation": {
        "class": "zoo.segmentation.task:Segmentation",
        "input": "zoo.inputs.image:Image",
        "output": "zoo.outputs.mask:Mask",
        "networks": {
            "attention_to_scale": (
                "zoo.segmentation.attention_to_scale:attention_to_scale"
            ),
            "pyramid_attention_network": (
                "zoo.segmentation.pyramid_attention_network:"
                "pyramid_attention_network"
            ),
        },
        "recipes": "zoo.segmentation.recipes:SEGMENTATION",
        "from_scratch": "zoo.segmentation.recipes:SEGMENTATION_FROM_SCRATCH",
        "data": (
            "scene_shapes, scaled_digits, made here; weizmann_horse, "
            "oxford_iiit_pet; or a folder with folders of images and masks, "
            "images/ and masks/."
        ),
    },
    "sentence_matching": {
        "class": "zoo.sentence_matching.task:SentenceMatching",
        "input": "zoo.inputs.text_pair:TextPair",
        "output": "zoo.outputs.label:Label",
        "networks": {
            "abcnn": "zoo.sentence_matching.abcnn:abcnn",
            "mwan": "zoo.sentence_matching.mwan:mwan",
        },
        "recipes": "zoo.sentence_matching.recipes:SENTENCE_MATCHING",
        "from_scratch": "zoo.sentence_matching.recipes:MATCHING_FROM_SCRATCH",
        "data": (
            "scene_claims, who_did_what, made here; msrp, sick, wikiqa; "
            "glue/mrpc, glue/qqp or snli of tensorflow-datasets; or a CSV file "
            "with the columns left, right and label."
        ),
        "columns": ("left", "right", "label"),
    },
    "text_classification": {
        "class": "zoo.text_classification.task:TextClassification",
        "input": "zoo.inputs.text:Text",
        "output": "zoo.outputs.label:Label",
        "networks": {
            "advanced_lstm_classifier": (
                "zoo.text_classification.advanced_lstm_classifier:"
                "advanced_lstm_classifier"
            ),
            "hierarchical_attention_network": (
                "zoo.text_classification.hierarchical_attention_network:"
                "hierarchical_attention_network"
            ),
            "recurrent_classifier": (
                "zoo.text_classification.recurrent_classifier:"
                "recurrent_classifier"
            ),
            "transformer_classifier": (
                "zoo.text_classification.transformer_classifier:"
                "transformer_classifier"
            ),
        },
        "recipes": "zoo.text_classification.recipes:RECIPES",
        "from_scratch": "zoo.text_classification.recipes:FROM_SCRATCH",
        "data": (
            "key_sentences, made here; a set of tensorflow-datasets, such as "
            "imdb_reviews; a folder with a folder of texts for each class; or "
            "a CSV file with the columns text and label."
        ),
        "columns": ("text", "label"),
    },
    "translation": {
        "class": "zoo.translation.task:Translation",
        "input": "zoo.inputs.pieced_text:PiecedText",
        "output": "zoo.outputs.translated_text:TranslatedText",
        "networks": {
            "long_memory_reader": (
                "zoo.translation.long_memory_reader:long_memory_reader"
            ),
            "luong_translator": (
                "zoo.translation.luong_translator:luong_translator"
            ),
            "pervasive_translator": (
                "zoo.translation.pervasive_translator:pervasive_translator"
            ),
            "rnn_search": "zoo.translation.rnn_search:rnn_search",
            "transformer_translator": (
                "zoo.translation.transformer_translator:transformer_translator"
            ),
        },
        "recipes": "zoo.translation.recipes:RECIPES",
        "from_scratch": "zoo.translation.recipes:FROM_SCRATCH",
        "data": (
            "dates, copying_50, _100 or _200, made here; multi30k_de_en and "
            "other pairs of its languages; a set of tensorflow-datasets; two "
            "files of lines, mine.de,mine.en; or a CSV file with the columns "
            "source and target."
        ),
        "columns": ("source", "target"),
    },
    "visual_question_answering": {
        "class": "zoo.visual_question_answering.task:VisualQuestionAnswering",
        "input": "zoo.inputs.image_with:ImageWithQuestion",
        "output": "zoo.outputs.label:Label",
        "networks": {
            "bottom_up_top_down_vqa": (
                "zoo.visual_question_answering.bottom_up_top_down_vqa:"
                "bottom_up_top_down_vqa"
            ),
            "stacked_latent_vqa": (
                "zoo.visual_question_answering.stacked_latent_vqa:"
                "stacked_latent_vqa"
            ),
        },
        "recipes": "zoo.visual_question_answering.recipes:RECIPES",
        "from_scratch": "zoo.visual_question_answering.recipes:FROM_SCRATCH",
        "data": (
            "scenes, scenes_two_hop, made here; easy_vqa, nlvr; or a CSV file "
            "with the columns image, question and answer."
        ),
        "columns": ("image", "question", "answer"),
        "options": {"question": "What is asked: of images, or of candidates."},
    },
}


def task_class(name):
    """The class of a task.

    Args:
        name: A key of `TASKS`.

    Returns:
        A subclass of `zoo.task.Task`.
    """
    return named(TASKS[name]["class"])


def networks(name):
    """The networks of a task.

    Args:
        name: A key of `TASKS`.

    Returns:
        Dict from name to the function that builds the network.
    """
    return {key: named(place) for key, place in TASKS[name]["networks"].items()}


def network_places():
    """Where each network is, of all tasks: dict from name to place."""
    return {
        key: place
        for entry in TASKS.values()
        for key, place in entry["networks"].items()
    }


def recipes():
    """Every recipe, a dict from the preset's name; its `task` is a key too."""
    return {
        name: {"task": task, **recipe}
        for task, entry in TASKS.items()
        for name, recipe in named(entry["recipes"]).items()
    }


def from_scratch(name):
    """How each network of a task is trained on data that are not known.

    Args:
        name: A key of `TASKS`.

    Returns:
        Dict from network to a recipe, as those in `zoo.recipes.RECIPES`, but
        for `task`, `builder` and `data`.
    """
    return named(TASKS[name]["from_scratch"])


def options():
    """The options of `zoo predict` and `zoo look`, a dict from name to help."""
    return {
        name: text
        for entry in TASKS.values()
        for name, text in entry.get("options", {}).items()
    }


def columns():
    """The columns of tables, a dict from name to the tasks that read it."""
    found = {}
    for task, entry in TASKS.items():
        for name in entry.get("columns", ()):
            found.setdefault(name, []).append(task)
    return found


def data():
    """What data each task takes, a dict from the task to a text for the help.

    A task takes what its `read` takes; this says what has a name in a shell.
    """
    return {
        task: entry["data"] for task, entry in TASKS.items() if "data" in entry
    }


def named(place):
    """What stands at a place.

    Args:
        place: String, `"module:name"`.

    Returns:
        The object.
    """
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)
