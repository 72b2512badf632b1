"""What all parts of the page are built from: sections, pictures with their line of text, tables."""

from __future__ import annotations

from collections.abc import Sequence

from netwright.reports.markup import Markup, join, tag


def section(number: int, name: str, heading: str, *content: object) -> Markup:
    """One part of the page; its anchor is `name`."""
    title = tag("h2", None, tag("span", {"class": "number"}, number), heading)
    return tag("section", {"id": name}, title, *content)


def figure(says: str, *content: object, title: str = "", class_: str | None = None) -> Markup:
    """A picture with a line under it that says what it shows."""
    head = tag("h3", None, title) if title else None
    return tag("figure", {"class": class_}, head, *content, tag("figcaption", None, unbroken(says)))


def table(head: Sequence[object], rows: Sequence[Sequence[object]], class_: str = "") -> Markup:
    """A plain table that scrolls sideways where it must."""
    top = tag("thead", None, tag("tr", None, *(tag("th", {"scope": "col"}, cell) for cell in head)))
    body = tag("tbody", None, *(tag("tr", None, *(tag("td", None, cell) for cell in row)) for row in rows))
    return tag("div", {"class": "scroll"}, tag("table", {"class": class_ or None}, top, body))


def both(wide: Markup, narrow: Markup) -> Markup:
    """The same picture for wide and for narrow screens."""
    return join((tag("div", {"class": "wide"}, wide), tag("div", {"class": "narrow"}, narrow)))


def unbroken(text: str) -> str:
    """`text` with numbers, their errors and their units kept on one line."""
    for mark in (" ± ", " %"):
        text = text.replace(mark, mark.replace(" ", "\u00a0"))
    return text
