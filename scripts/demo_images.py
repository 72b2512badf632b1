"""Write a few of scikit-learn's handwritten digits as PNG files, for the demo to predict."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits


def main(folder: Path, count: int = 10) -> None:
    """The first images of the data set, one a digit, named after what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    for pixels, label in zip(digits.images[:count], digits.target[:count], strict=True):
        Image.fromarray((pixels * 255 / 16).round().astype("uint8")).save(folder / f"digit-{label}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
