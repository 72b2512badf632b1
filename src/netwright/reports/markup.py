"""Markup by construction: every text is escaped, every element is built; no string from outside is ever pasted in."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping

Attributes = Mapping[str, object]
VOID = frozenset({"br", "hr", "img", "input", "meta", "link"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Markup:
    """`value` as text, escaped unless it is markup."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def tag(name: str, attributes: Attributes | None = None, *children: object) -> Markup:
    """One element. Attributes that are None or False are left out, True stands alone, floats are kept short."""
    opened = f"<{name}{''.join(_attribute(key, value) for key, value in (attributes or {}).items())}>"
    if name in VOID:
        return Markup(opened)
    return Markup(f"{opened}{join(children)}</{name}>")


def join(children: Iterable[object]) -> Markup:
    """Children one after another; None is left out."""
    return Markup("".join(text(child) for child in children if child is not None))


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    shown = number(value) if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(shown, quote=True)}"'


def number(value: float) -> str:
    """A coordinate: one digit behind the point at most."""
    return f"{value:.1f}".removesuffix(".0")


def island(name: str, value: object) -> Markup:
    """JSON for scripts inside the page; no character in it can end the element."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for mark in "<>&\u2028\u2029":
        content = content.replace(mark, f"\\u{ord(mark):04x}")
    return Markup(f'<script type="application/json" id="{name}">{content}</script>')
