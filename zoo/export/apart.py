"""Runs Python in a process of its own, with TensorFlow for Keras."""

import os
import pathlib
import subprocess
import sys


def run_python(arguments, what):
    """Runs Python anew: TensorFlow for Keras, no GPU, its chatter kept.

    Args:
        arguments: List of strings, those of `python`.
        what: String. What it is for, for the error.

    Raises:
        RuntimeError: If it fails, with what it printed.
    """
    root = str(pathlib.Path(__file__).parents[2])
    paths = [root, os.environ.get("PYTHONPATH", "")]
    finished = subprocess.run(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        },
        capture_output=True,
        text=True,
    )
    if finished.returncode:
        raise RuntimeError(
            f"{what} in a process of its own must succeed. "
            f"Received: exit status {finished.returncode}\n"
            + finished.stderr[-4000:]
        )
