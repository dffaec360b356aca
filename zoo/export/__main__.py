"""`python -m zoo.export TASK FORMAT=PATH ...`: writes formats, unproved.

Run by `zoo.export.export`, under TensorFlow, where Keras runs on something
else; `zoo export` is the command for people.
"""

import sys

from zoo import export, presets

if __name__ == "__main__":
    folder, *wanted = sys.argv[1:]
    export.write(
        presets.load(folder), dict(item.split("=", 1) for item in wanted)
    )
