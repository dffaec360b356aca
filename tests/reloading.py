"""What the contract saved in this run loads in a fresh process."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np

from tests.contract import SAVED, reload_script

ROOT = pathlib.Path(__file__).parent.parent


def check_saved(folder):
    """Loads everything that this process's contracts saved, in a fresh one.

    Args:
        folder: `pathlib.Path` for the check's own file.

    Raises:
        AssertionError: If a model does not load or answers differently.
    """
    if not SAVED:
        return
    # One pair is made wrong, so that the check itself is checked.
    model_file, numbers_file = SAVED[0]
    numbers = dict(np.load(numbers_file))
    numbers["output_0"] = numbers["output_0"] + 0.01
    altered = folder / "altered.npz"
    np.savez(altered, **numbers)

    pairs = [*SAVED, (model_file, altered)]
    process = subprocess.run(
        [sys.executable, "-c", reload_script()],
        input=json.dumps([[str(path) for path in pair] for pair in pairs]),
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "PYTHONPATH": str(ROOT),
        },
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    wrong = json.loads(process.stdout.splitlines()[-1])
    assert wrong.pop(str(altered), None), "an altered answer went unnoticed"
    assert not wrong, "\n".join(f"{k}: {v}" for k, v in wrong.items())
