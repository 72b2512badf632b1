"""Write every picture: `python -m scripts.pictures [FOLDER]`, by default beside the pages that show them."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.pictures.catalog import PICTURES, write

if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs" / "algorithms" / "pictures"
    write(folder)
    print(f"{len(PICTURES)} pictures in {folder}")
