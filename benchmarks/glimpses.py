"""Every claim about where to look, one after the other.

    python benchmarks/glimpses.py

runs the benchmarks of spatial transformers, dynamic capacity networks, hard
attention, RA-CNN and the Gaussian locator, and prints the table of each. What
was measured before is not measured again: each keeps its figures beside it, and
goes on where it was. From nothing it takes hours on two CPU cores.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
CLAIMS = (
    ("spatial_transformer.py", "rotated"),
    ("spatial_transformer.py", "moved"),
    ("spatial_transformer.py", "cluttered"),
    ("dynamic_capacity.py", "error"),
    ("dynamic_capacity.py", "cost"),
    ("hard_attention.py",),
    ("fine_grained.py",),
    ("locator.py",),
)

if __name__ == "__main__":
    for script, *part in CLAIMS:
        print(f"\n{script} {' '.join(part)}\n", flush=True)
        subprocess.run([sys.executable, HERE / script, *part], check=True)
