"""The formats of an export: where each goes, and what it takes."""

# Format -> its place in the export's folder.
PLACES = {"saved_model": "saved_model", "litert": "model.tflite"}
NEEDS = {
    "saved_model": {"tensorflow": "tensorflow,zoo"},
    "litert": {"tensorflow": "tensorflow,zoo", "ai_edge_litert": "export"},
}


def in_float32(task):
    """The task, or a copy that computes in float32 if it does not.

    Args:
        task: A `zoo.task.Task`.

    Returns:
        A `zoo.task.Task`.
    """
    layers = task.model._flatten_layers(include_self=False)
    policies = {layer.dtype_policy.name for layer in layers}
    if policies <= {"float32"}:
        return task
    return task.rebuilt(dtype="float32")
