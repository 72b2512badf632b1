"""The sheet that every picture is drawn on: one size, one type, in light and in dark, and one meaning to a colour.

A colour stands for the same thing in all pictures, and a shape repeats it (`marks.py`):

| name | what it is | shape |
|---|---|---|
| `next` | what is proposed next, or new | diamond |
| `best` | the best so far, or the parent | disc in a ring |
| `good` | what goes on, or is kept | disc |
| `belief` | what a model believes: mean, band, density, policy | line, area |
| `promise` | the number that decides: improvement, volume, score, reward | area, bar |
| `chance` | drawn at random | ring, tick |
| `other` | other trials | dot |
| `gone` | what leaves, or is stopped | cross |

Colours are those of Okabe and Ito, lighter on dark paper; those of texts are darker, so that the contrast is 4.5 : 1.
"""

from __future__ import annotations

from netwright.reports.markup import Markup, tag

WIDTH, HEIGHT = 640, 220

LIGHT = {
    "paper": "#ffffff",
    "ink": "#171b20",
    "soft": "#59636e",
    "line": "#d9dee3",
    "fill": "#f1f3f5",
    "next": "#d55e00",
    "best": "#0072b2",
    "good": "#009e73",
    "belief": "#56b4e9",
    "promise": "#e69f00",
    "chance": "#b0457f",
    "other": "#8d98a4",
    "gone": "#aab3bc",
    "next-text": "#a84a00",
    "best-text": "#00639b",
    "good-text": "#00704f",
    "belief-text": "#1b6a9c",
    "promise-text": "#855900",
    "chance-text": "#96356a",
    "gone-text": "#6b747e",
}
DARK = {
    "paper": "#14171b",
    "ink": "#e9ecef",
    "soft": "#a3adb8",
    "line": "#343b43",
    "fill": "#20252b",
    "next": "#f58a3c",
    "best": "#4aa8ec",
    "good": "#33c29a",
    "belief": "#8fcdf4",
    "promise": "#f0b83c",
    "chance": "#e08fbd",
    "other": "#8792a0",
    "gone": "#66707b",
    "next-text": "#f79a56",
    "best-text": "#63b5f0",
    "good-text": "#4fd0ab",
    "belief-text": "#8fcdf4",
    "promise-text": "#f0b83c",
    "chance-text": "#e8a3c9",
    "gone-text": "#98a2ad",
}
MEANINGS = ("next", "best", "good", "belief", "promise", "chance", "other", "gone")
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


def stylesheet() -> str:
    """The look of the classes: NAME fills, NAME-line strokes, NAME-area fills faintly, NAME-text writes."""
    rules = [
        f":root {{ {_variables(LIGHT)} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}",
        f"text {{ font: 13px {FONT}; fill: var(--ink); }}",
        ".small, .tick, .axis { font-size: 12px; fill: var(--soft); } .strong { font-weight: 600; }",
        ".paper { fill: var(--paper); } .panel { fill: var(--fill); }",
        ".grid, .base, .frame { fill: none; stroke: var(--line); }",
        ".arrow { fill: none; stroke: var(--soft); stroke-width: 1.5; } .head { fill: var(--soft); }",
        ".rule { fill: none; stroke: var(--soft); stroke-dasharray: 4 3; }",
        ".node { fill: var(--paper); stroke: var(--soft); stroke-width: 1.5; } .faint { stroke-opacity: .4; }",
        ".hood { fill: none; stroke: var(--soft); stroke-width: 1.2; }",
    ]
    for name in MEANINGS:
        rules.append(
            f".{name} {{ fill: var(--{name}); }} .{name}-area {{ fill: var(--{name}); fill-opacity: .22; }} "
            f".{name}-line {{ fill: none; stroke: var(--{name}); stroke-width: 2; }}"
        )
        if f"{name}-text" in LIGHT:
            rules.append(f".{name}-text {{ fill: var(--{name}-text); font-weight: 600; }}")
    rules.append(".dash { stroke-dasharray: 5 4; } .dots { stroke-dasharray: 1.5 3; }")
    rules.append(".code { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: var(--soft); }")
    rules.append(".thin { stroke-width: 1.2; } .thick { stroke-width: 4; }")  # the last word on widths
    return "\n" + "\n".join(rules) + "\n"


def sheet(title: str, says: str, *children: object, height: float = HEIGHT) -> Markup:
    """A whole picture. `says` tells those who cannot see it what it shows."""
    size = {"width": WIDTH, "height": float(height), "viewBox": f"0 0 {WIDTH} {height:g}"}
    return tag(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", **size, "role": "img"},
        tag("title", None, title),
        tag("desc", None, says),
        tag("style", None, Markup(stylesheet())),
        tag("rect", {"width": WIDTH, "height": float(height), "rx": 8, "class": "paper"}),
        *(Markup("\n" + child) if isinstance(child, Markup) else child for child in children),
        Markup("\n"),
    )


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
