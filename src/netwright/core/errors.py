"""Every error that netwright raises on purpose.

    NetwrightError
    ├── InputError              what a person gave: an option, a file, a space, a limit
    │   ├── DataError           images, labels, splits, groups
    │   ├── SpaceError          a space that cannot be read; names the address of the part at fault
    │   ├── LimitError          a limit or objective that cannot be parsed; points at the character
    │   └── MissingExtra        an optional dependency; names the command that installs it
    ├── CandidateError          a candidate that cannot be built; names the address of the decision at fault
    ├── RunError                a run folder that cannot be used
    │   ├── RunLocked           another driver holds it; names host and process
    │   ├── RunChanged          data, space or objectives differ from those of the run
    │   ├── RunVersion          written by another version of the ledger's schema
    │   └── RunCorrupt          the ledger cannot be read; says what was kept
    ├── StorageError            disk full, read-only or vanished output
    └── Untrusted               content from outside that breaks a safety limit

A message says what must hold, what was given, and what to do next.
"""

from __future__ import annotations


class NetwrightError(Exception):
    """Base of all errors raised on purpose. `exit_code` is what the command line returns for it."""

    exit_code = 1


class InputError(NetwrightError, ValueError):
    """What a person gave does not fit."""

    exit_code = 2


class DataError(InputError):
    """Images, labels, splits or groups that cannot be used."""

    exit_code = 3


class SpaceError(InputError):
    """A search space that cannot be read. `address` names the part at fault."""

    def __init__(self, message: str, address: str = "") -> None:
        super().__init__(f"{address}: {message}" if address else message)
        self.address = address


class LimitError(InputError):
    """A limit or an objective that cannot be parsed. `position` is the index of the character at fault."""

    def __init__(self, message: str, text: str, position: int) -> None:
        super().__init__(f"{message}\n    {text}\n    {' ' * position}^")
        self.text = text
        self.position = position


class MissingExtra(InputError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'netwright[{extra}]'")


class CandidateError(NetwrightError, ValueError):
    """A candidate that cannot be built. `address` names the decision at fault."""

    def __init__(self, message: str, address: str = "") -> None:
        super().__init__(f"{address}: {message}" if address else message)
        self.address = address


class RunError(NetwrightError):
    """A run folder that cannot be used as asked."""

    exit_code = 4


class RunLocked(RunError):
    """Another driver works on this folder."""


class RunChanged(RunError):
    """Data, space or objectives are not those the run began with."""


class RunVersion(RunError):
    """The ledger was written with another schema."""


class RunCorrupt(RunError):
    """The ledger cannot be read in full."""


class StorageError(NetwrightError, OSError):
    """The output folder cannot be written."""

    exit_code = 5


class Untrusted(NetwrightError):
    """Content from outside breaks a safety limit (size, ratio, path, format)."""

    exit_code = 3
