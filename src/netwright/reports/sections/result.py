"""The parts that answer: 1 the sentence and the comparison, 2 the choice on the front, 3 the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netwright.reports import figures, words
from netwright.reports.axes import Frame
from netwright.reports.markup import Markup, join, tag
from netwright.reports.network import NARROW, WIDE, Block, plot_network
from netwright.reports.sections.parts import both, figure, section, table, unbroken
from netwright.reports.story import Story
from netwright.reports.tables import cost_names
from netwright.reports.view import RunView

FRONT_ROWS = 12

# -- 1 -----------------------------------------------------------------------------------------------------------------


def answer(story: Story) -> Markup:
    """The sentence, the figures behind it, and the comparison."""
    told = story.verdict
    parts: list[object] = [
        tag("h1", {"class": "bad" if told.won is False else None}, unbroken(told.headline)),
        tag("p", {"class": "lead"}, unbroken(told.lead)) if told.lead else None,
        _tiles(story),
        _comparison(story) if told.comparisons else None,
    ]
    if told.remarks:
        parts.append(tag("ul", {"class": "remarks"}, *(tag("li", None, unbroken(remark)) for remark in told.remarks)))
    return tag("section", {"id": "answer"}, *parts)


def _tiles(story: Story) -> Markup:
    view = story.view
    winner = view.trial(view.roles.winner)
    tiles: list[tuple[str, str]] = []
    if story.verdict.winner is not None:
        tiles.append(
            (
                words.measured(view.metric.metric, story.verdict.winner),
                f"{words.title(view.metric.metric)}, {view.split}",
            )
        )
    for cost in cost_names(view) if winner else []:
        if winner is not None and cost in winner.measurements:
            tiles.append((words.measured(cost, winner.measurements[cost]), words.title(cost)))
    tried = len(view.searched())
    tiles.append(
        (words.count(tried), f"{'trial' if tried == 1 else 'trials'} in {words.duration(view.history.seconds)}")
    )
    failed = sum(row.trials for row in story.failures)
    if failed:
        tiles.append((words.count(failed), "failed"))
    return tag(
        "dl",
        {"class": "tiles"},
        *(tag("div", None, tag("dt", None, what), tag("dd", None, value)) for value, what in tiles),
    )


def _comparison(story: Story) -> Markup:
    told, metric = story.verdict, story.view.metric.metric
    rivals = [entry for entry in told.comparisons if entry.trial != story.view.roles.winner]
    if not rivals:
        return join(())
    strips, axis = figures.plot_strips(rivals, metric)
    said = {"beats": "better", "equal": "no measurable difference", "worse": "worse"}
    rows: list[tuple[object, ...]] = [
        (
            entry.name.removeprefix("the "),
            tag("span", {"class": "figure"}, words.bare(metric, entry.value)),
            strip,
            tag("span", {"class": f"outcome {entry.outcome}"}, said[entry.outcome]),
            _cost_words(entry.cost_ratios),
        )
        for entry, strip in zip(rivals, strips, strict=True)
    ]
    unit = "points" if metric in words.PERCENT else "difference"
    rows.append(("", "", axis, tag("span", {"class": "soft"}, unit), ""))
    head = ("rival", words.heading(metric), "winner minus rival", "the winner is", "and")
    images = words.plural(rivals[0].difference.samples, f"{story.view.split} image")
    says = (
        f"Dots are differences on the same {images}, lines their 90 % intervals (paired bootstrap). Where a line crosses "
        "zero, no difference can be told."
    )
    return figure(says, table(head, rows, "comparison"))


def _cost_words(ratios: Mapping[str, float]) -> str:
    """`1.2 times smaller, 1.1 times slower`: the winner against the rival."""
    parts = []
    for metric, less, more in (("parameters", "smaller", "larger"), ("latency", "faster", "slower")):
        ratio = ratios.get(metric)
        if ratio and not 0.95 < ratio < 1.05:
            parts.append(f"{words.times(max(ratio, 1 / ratio))} {less if ratio > 1 else more}")
    return ", ".join(parts)


# -- 2 -----------------------------------------------------------------------------------------------------------------


def choice(story: Story) -> Markup:
    """The front against each cost, and its networks as a table."""
    view = story.view
    if not story.candidates:
        return section(
            2, "choice", "The choice", tag("p", {"class": "none"}, "No network was measured, so there is none.")
        )
    plots: list[Markup] = []
    costs = view.costs
    for objective in costs:
        shown = [row for row in story.candidates if objective.metric in row.costs]
        if not shown:
            continue
        says = _front_says(story, objective.metric) if not plots else _beside_says(story, objective.metric)
        wide, narrow = (
            figures.plot_front(
                story.candidates,
                story.references,
                metric=view.metric.metric,
                cost=objective.metric,
                limits=view.goal.limits,
                says=says,
                frame=frame,
            )
            for frame in (Frame(720, 430, 52, 16, 34, 44), Frame(380, 380, 46, 14, 34, 44))
        )
        drawn = both(wide, narrow) if len(costs) == 1 else narrow
        plots.append(figure(says, drawn, class_="front"))
    panel = tag("aside", {"id": "chosen", "aria-live": "polite"}, tag("p", None, "Choose a mark to see its network."))
    group = "choice" if len(costs) == 1 else "choice many"
    return section(
        2,
        "choice",
        "The choice",
        tag("div", {"class": group}, tag("div", None, _legend(story), tag("div", {"class": "plots"}, *plots)), panel),
        _front_table(story),
    )


def _front_says(story: Story, cost: str) -> str:
    view = story.view
    shown = [row for row in story.candidates if cost in row.costs]
    finals = view.roles.finalists
    front = words.count(len(story.front))
    better = "Down" if view.metric.direction == "min" and view.metric.metric != "loss" else "Up"
    parts = [
        f"{words.plural(len(shown), 'candidate')} by validation images; {better.lower()} and left is better.",
        f"The front is taken over the {words.plural(len(finals), 'finalist')}, which were trained to the end: {front} on it. "
        "Dots had shorter trainings, and many of them: the luckiest look better than they are."
        if finals
        else f"{front} on the front, each at its longest training so far.",
        "Lines are 90 % intervals.",
    ]
    if len(view.costs) > 1:
        parts.append("The front is taken over all objectives together.")
    if view.metric.metric in ("accuracy", "balanced_accuracy", "auc"):
        parts.append("Equal steps upward are equal cuts of the error.")
    if len(shown) - len(story.front) > figures.MOST_DOTS:
        parts.append("Dots that would lie on each other are drawn once; the front is complete.")
    if any(row.violation > 0 for row in shown):
        parts.append("Hollow dots break a limit.")
    return " ".join(parts)


def _beside_says(story: Story, cost: str) -> str:
    shown = sum(cost in row.costs for row in story.candidates)
    return f"The same networks against {words.title(cost)}; it is known of {words.plural(shown, 'candidate')}."


def _legend(story: Story) -> Markup:
    entries = [("front", "front"), ("other", "other candidates"), ("baseline", "baselines")]
    if story.view.roles.winner is not None:
        entries.insert(0, ("winner", "winner"))
    if any(row.final and not row.front for row in story.candidates):
        entries.insert(-1, ("final", "finalists off the front"))
    if not story.references:
        entries = [entry for entry in entries if entry[0] != "baseline"]
    return tag("ul", {"class": "legend"}, *(tag("li", None, _mark(kind), name) for kind, name in entries))


def _mark(kind: str) -> Markup:
    """The mark of a kind, as in the pictures."""
    ring = tag("circle", {"cx": 8, "cy": 8, "r": 6.5, "class": "ring"})
    shapes = {
        "winner": join((ring, tag("circle", {"cx": 8, "cy": 8, "r": 3.5, "class": "disc"}))),
        "front": tag("circle", {"cx": 8, "cy": 8, "r": 5, "class": "disc"}),
        "final": tag("circle", {"cx": 8, "cy": 8, "r": 4, "class": "disc"}),
        "other": tag("circle", {"cx": 8, "cy": 8, "r": 3, "class": "dot"}),
        "baseline": tag("rect", {"x": 3, "y": 3, "width": 10, "height": 10, "class": "square"}),
    }
    said = {"winner": "winner", "front": "on the front", "final": "finalist off the front"}.get(kind, kind)
    return tag(
        "svg", {"viewBox": "0 0 16 16", "class": f"key mark {kind}", "role": "img", "aria-label": said}, shapes[kind]
    )


def _front_table(story: Story) -> Markup:
    """Finalists and front, the winner first: what there is to choose from."""
    view = story.view
    metric = view.metric.metric
    costs = cost_names(view)
    chosen = [row for row in story.candidates if row.front or row.winner or row.trial in view.roles.finalists]
    chosen.sort(key=lambda row: (not row.winner, not row.front))
    rows = [
        (
            _mark("winner" if row.winner else "front" if row.front else "final"),
            tag("button", {"type": "button", "data-trial": row.trial}, f"trial {row.trial}"),
            words.measured(metric, row.quality),
            words.measured(metric, row.test) if row.test else tag("span", {"class": "soft"}, "not tested"),
            *(words.measured(cost, row.costs[cost]) if cost in row.costs else "" for cost in costs),
            words.count(row.epochs),
            tag("span", {"class": "network"}, row.words),
        )
        for row in chosen[:FRONT_ROWS]
    ]
    quality = f"{words.heading(metric)}, validation"
    head = ("", "to choose from", quality, "test", *map(words.heading, costs), "epochs", "network")
    more = len(chosen) - len(rows)
    note = (
        tag("p", {"class": "soft"}, f"And {words.count(more)} more, in the table of all trials.") if more > 0 else None
    )
    return join((table(head, rows, "numbers"), note))


# -- 3 -----------------------------------------------------------------------------------------------------------------


def network(story: Story) -> Markup:
    """The drawing of the winner; the script puts the drawing of a chosen trial in its place."""
    if story.shown is None:
        return section(3, "network", "The network", tag("p", {"class": "none"}, "There is none to draw yet."))
    return section(
        3,
        "network",
        "The network",
        tag("p", {"class": "soft", "id": "drawn-title"}, _drawn_title(story)),
        tag("div", {"id": "drawn"}, drawing(story.blocks, story.differences, story.view, story.shown)),
    )


def _drawn_title(story: Story) -> str:
    name = "The winner" if story.shown == story.view.roles.winner else "The best so far"
    return f"{name}, trial {story.shown}."


def drawing(blocks: Sequence[Block], differences: Sequence[str], view: RunView, number: int) -> Markup:
    """The picture of one network with what makes it differ from the hand-made one."""
    says = (
        "From the image at the top to the answer at the bottom. Width shows channels, height shows resolution, both "
        "logarithmic; bars show what each layer costs."
    )
    picture = (
        figure(says, both(plot_network(blocks, WIDE), plot_network(blocks, NARROW)))
        if blocks
        else tag("p", {"class": "none"}, "Its layer table was not kept.")
    )
    if number == view.roles.handmade:
        beside: Markup = tag("p", None, "This is the hand-made network.")
    elif differences:
        points = tag("ul", None, *(tag("li", None, text) for text in differences))
        beside = join((tag("h3", None, "Against the hand-made network"), points))
    else:
        beside = join(())
    return tag("div", {"class": "drawing"}, picture, tag("div", {"class": "beside"}, beside))
