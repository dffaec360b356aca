"""Builds the site into `build/site`; a warning is an error.

pip install -e ".[docs]"
python -m website
"""

import subprocess
import sys

from website import pages
from website.docstrings import ROOT


def main():
    """Makes the pages, and the site of them."""
    pages.write(ROOT / "build" / "docs")
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=ROOT,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
