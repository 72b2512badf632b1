"""netwright finds, trains, shrinks and ships the neural network that fits your data and your hardware.

    import netwright as nw

    run = nw.search("photos/", minutes=10)
    run.best, run.verdict, run.export

Importing it is quick: what is heavy is loaded when a name is first used. Building blocks of spaces are in
`netwright.spaces`, all errors in `netwright.core.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netwright.core.errors import NetwrightError as NetwrightError
    from netwright.estimators import NetworkClassifier as NetworkClassifier
    from netwright.given import load_data as load_data
    from netwright.run import Run as Run
    from netwright.run import open_run as open_run
    from netwright.run import search as search
    from netwright.spaces import Space as Space

__version__ = "0.1.0"

__all__ = ["NetworkClassifier", "NetwrightError", "Run", "Space", "__version__", "load_data", "open_run", "search"]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    match name:
        case "NetworkClassifier":
            from netwright.estimators import NetworkClassifier

            return NetworkClassifier
        case "Run" | "open_run" | "search":
            from netwright import run

            return getattr(run, name)
        case "load_data":
            from netwright.given import load_data

            return load_data
        case "NetwrightError":
            from netwright.core.errors import NetwrightError

            return NetwrightError
        case "Space":
            from netwright.spaces import Space

            return Space
    raise AttributeError(f"module 'netwright' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
