"""Text from outside made fit to show: no control characters, no secrets, no paths of this machine.

Names of files and classes, reasons and tracebacks come from data, candidates and libraries. Before they reach a
terminal, a report or a model card they pass through here.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?")
_CREDENTIALS = re.compile(r"(\w+://)[^\s/@:]+:[^\s/@]+@")
_SECRET = re.compile(
    r"(?i)\b([\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|authorization|credential)[\w-]*)"
    r"(['\"]?\s*[=:]\s*['\"]?)(?:bearer\s+)?[^\s'\",;]+"
)
_KNOWN_TOKEN = re.compile(r"\b(?:gh[pousr]_|github_pat_|hf_|sk-|xox[abprs]-|AKIA|glpat-|pypi-)[A-Za-z0-9_-]{8,}")
_POSIX_PATH = re.compile(
    r"(?<![\w.:/<~…-])(?:~|file://)?(?:/[^\s/'\"`,;:()<>|\[\]{}=]+)+/([^\s/'\"`,;:()<>|\[\]{}=]+)/?"
)
_WINDOWS_PATH = re.compile(r"(?:\b[A-Za-z]:|\\)\\(?:[^\\\s'\",;<>|]+\\)+([^\\\s'\",;<>|]+)")


def plain(text: str) -> str:
    """`text` on one line, without control characters, terminal escapes or marks that turn the writing direction."""
    return " ".join(_visible(_ESCAPE.sub("", text)).split())


def plain_lines(text: str) -> str:
    """Like `plain`, but line breaks and indentation stay."""
    return "\n".join(_visible(line.expandtabs(4)).rstrip() for line in _ESCAPE.sub("", text).splitlines())


def public(text: str) -> str:
    """`text` without credentials, and with the last part alone of each absolute path: `…/image.png`."""
    text = _CREDENTIALS.sub(r"\1…@", text)
    text = _SECRET.sub(r"\1\2…", text)
    text = _KNOWN_TOKEN.sub("…", text)
    return _WINDOWS_PATH.sub(r"…/\1", _POSIX_PATH.sub(r"…/\1", text))


def _visible(line: str) -> str:
    return "".join(" " if mark.isspace() else mark for mark in line if mark.isspace() or not _hidden(mark))


def _hidden(mark: str) -> bool:
    return unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and mark != "\u200d"
