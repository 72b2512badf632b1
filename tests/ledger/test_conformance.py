"""Both ledgers against the suite that ships with the package."""

from __future__ import annotations

from pathlib import Path

from netwright.ledger.base import Ledger
from netwright.ledger.memory import MemoryLedger
from netwright.ledger.sqlite import SqliteLedger
from netwright.testing.ledgers import LedgerSuite


class TestSqliteLedger(LedgerSuite):
    def open(self, folder: Path) -> Ledger:
        return SqliteLedger(folder / "ledger.sqlite")


class TestMemoryLedger(LedgerSuite):
    persistent = False

    def open(self, folder: Path) -> Ledger:
        return MemoryLedger()
