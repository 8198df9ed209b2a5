"""The report as one HTML page that needs no other file and no network.

In:  a `SessionSummary`, settings, what could not be read.
Out: HTML text. Everything that comes from outside is escaped; the page's own security policy forbids scripts, every
     address, and any style but its own.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from gradcam import TURBO_RGB
from pipeline.drawing.status_line import NOTICE
from pipeline.output.report.charts import hex_colour, stacked_svg
from pipeline.output.report.people import Person, Totals
from pipeline.output.report.person import amount, class_html, colours_of, mostly, person_html, title_of
from pipeline.output.report.session import LONGEST_S, SessionSummary, Source
from pipeline.output.report.timeline import BINS
from pipeline.output.report.words import Unread, clock, percent, safe
from support import VERSION, count

MARKER = '<meta name="generator" content="live-expressions report">'  # a file with it may be replaced by a new report
MOST_IN_FULL = 12  # people with timeline, heatmaps and moments: keeps the page below 3 MB
MOST_ROWS = 200  # of the overview
MOST_STRETCHES = 12  # without a face, the longest
FOLDER = Path(__file__).parent


def page_html(
    session: SessionSummary, *, settings: Mapping[str, object], unread: Unread, notes: Sequence[str] = ()
) -> str:
    """The whole page.

    session: may go on after this. unread: what could not be read. notes: what else a reader must know, in sentences.
    """
    style = (FOLDER / "style.css").read_text(encoding="utf-8")
    session = session.finished()
    names, sources = session.class_names, list(session.sources.values())
    in_full = session.people()[:MOST_IN_FULL]
    chosen = {id(person) for _, person in in_full}
    heat = any(person.heat for _, person in in_full)
    title = f"Facial expressions in {sources[0].name}" if len(sources) == 1 else "Facial expressions"
    shown = [source for source in sources if any(id(p) in chosen for p in source.people.values())]
    shown += [source for source in sources if source not in shown][: MOST_IN_FULL - len(shown)]
    return string.Template((FOLDER / "page.html").read_text(encoding="utf-8")).substitute(
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        marker=MARKER,
        title=safe(title),
        facts=_facts(sources),
        notice=safe(NOTICE),
        overview=_overview(sources, names),
        sources="".join(_source_html(source, chosen, names) for source in sources if source in shown),
        unread=_unread_html(unread),
        bins=f"{BINS} stretches at most",
        longest=f"{LONGEST_S:.0f} seconds",
        heat_terms=_heat_terms() if heat else "",
        notes="".join(f'<p class="note">{safe(note)}</p>' for note in notes),
        settings=_settings_html(settings),
        made=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        version=VERSION,
    )


def _facts(sources: Sequence[Source]) -> str:
    films, stills = [s for s in sources if not s.still], [s for s in sources if s.still]
    parts = [count(len(films), "recording") + ", " + clock(sum(s.weight for s in films))] if films else []
    parts += [count(s.frames, "picture") for s in stills]
    people = sum(len(s.people) + (s.others.people if s.others else 0) for s in films)
    return "; ".join([*parts, count(people, "person", "people")] if films else parts) or "Nothing was read."


def _overview(sources: Sequence[Source], names: Sequence[str]) -> str:
    rows: list[str] = []
    for source in sources:
        people = sorted(source.people.values(), key=lambda person: -person.totals.weight)
        if len(sources) > 1:
            rows.append(f'<tr><th colspan="5" scope="rowgroup"><bdi>{safe(source.name)}</bdi></th></tr>')
        rows += [_overview_row(source, title_of(person), person.totals, names) for person in people]
        if source.others:
            who = count(source.others.people, "other", "others")
            rows.append(_overview_row(source, who, source.others, names))
        if not people and not source.others:
            rows.append('<tr><td colspan="5" class="facts">no face</td></tr>')
    left = len(rows) - MOST_ROWS
    more = (
        f'<p class="note">{count(left, "row")} more {"is" if left == 1 else "are"} not shown.</p>' if left > 0 else ""
    )
    legend = "".join(f"<li>{class_html(*pair)}</li>" for pair in zip(names, colours_of(names), strict=True))
    return (
        '<section><h2>At a glance</h2><div class="scroll"><table><thead><tr><th scope="col">Who</th>'
        '<th scope="col" class="number">Seen</th><th scope="col">Shares</th>'
        '<th scope="col">Mostly</th><th scope="col" class="number extra">Mean confidence</th></tr></thead>'
        f'<tbody>{"".join(rows[:MOST_ROWS])}</tbody></table></div>{more}<ul class="legend">{legend}</ul></section>'
    )


def _overview_row(source: Source, who: str, totals: Totals, names: Sequence[str]) -> str:
    seen = count(int(totals.weight), "face") if source.still else amount(totals.weight, still=False)
    return (
        f'<tr><th scope="row">{who}</th><td class="number">{seen}</td>'
        f'<td class="wide">{stacked_svg(totals.shares.tolist(), colours_of(names))}</td>'
        f'<td>{mostly(totals, names)}</td><td class="number extra">{percent(totals.mean_confidence)}</td></tr>'
    )


def _source_html(source: Source, chosen: set[int], names: Sequence[str]) -> str:
    """A film, a camera or the pictures, with the people of it who are shown in full."""
    people: list[Person] = sorted(
        (person for person in source.people.values() if id(person) in chosen), key=lambda p: (p.first_s, p.track)
    )
    unit = "picture" if source.still else "frame"
    facts = [count(source.frames, unit) + ("" if source.still else f" in {clock(source.weight)}")]
    if source.faceless:
        time = "" if source.still else f" ({clock(source.faceless_weight)})"
        facts.append(f"{source.faceless:,} without a face{time}")
    facts += [f"{count(number, unit)} limited by {safe(flag)}" for flag, number in source.limits.items()]
    return (
        f'<section><h2><bdi>{safe(source.name)}</bdi></h2><p class="facts">{"; ".join(facts)}.</p>'
        f"{_faceless_html(source)}{''.join(person_html(source, person, names) for person in people)}</section>"
    )


def _faceless_html(source: Source) -> str:
    """Where no face was: the longest stretches of a film, the names of pictures."""
    if source.still:
        items, total = [f"<bdi>{safe(name)}</bdi>" for name in source.names], source.faceless
    else:
        longest = sorted(source.stretches, key=lambda s: s[0] - s[1])[:MOST_STRETCHES]
        items = [f"{clock(a, tenths=True)} to {clock(b, tenths=True)}" for a, b in sorted(longest)]
        total = len(source.stretches)
    if not items:
        return ""
    more = " and others" if total > len(items) else ""
    return f"<details><summary>Where no face was found</summary><p>{', '.join(items)}{more}.</p></details>"


def _unread_html(unread: Unread) -> str:
    if not unread.lines:
        return ""
    lines = "".join(f"<li>{safe(line)}</li>" for line in unread.lines)
    more = f"<li>and {unread.surplus:,} more</li>" if unread.surplus else ""
    return f'<section><h2>What could not be read, or may be missing</h2><ul class="plain">{lines}{more}</ul></section>'


def _heat_terms() -> str:
    stops = "".join(
        f'<stop offset="{i / 8:.3f}" stop-color="{hex_colour(tuple(TURBO_RGB[round(255 * i / 8), 0].tolist()))}"/>'
        for i in range(9)
    )
    return (
        '<dt>Heatmap</dt><dd>What the network used for the expression named: <svg class="scale" role="img" aria-label='
        f'"from blue to red"><linearGradient id="heat">{stops}</linearGradient><rect width="100%" height="100%" '
        'fill="url(#heat)"/></svg> from little to most. It tells regions, not features, and is the mean over all faces '
        "counted below it, laid over a drawn face.</dd>"
    )


def _settings_html(settings: Mapping[str, object]) -> str:
    if not settings:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{safe(name)}</th><td>{_value(value)}</td></tr>' for name, value in settings.items()
    )
    return f'<section><h2>Settings</h2><table class="settings"><tbody>{rows}</tbody></table></section>'


def _value(value: object) -> str:
    if value is None or value == []:
        return "default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe(", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value)
