"""One person of the report: timeline, shares, mean heatmaps, strongest moments.

In:  a `Person` and the `Source` it was seen in.
Out: an HTML article.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.drawing.labels import colour_of
from pipeline.drawing.text import Colour
from pipeline.output.report.charts import bar_svg, regroup, swatch_svg, timeline_svg
from pipeline.output.report.face_pictures import drawn_face, jpeg_uri
from pipeline.output.report.moments import Moment
from pipeline.output.report.people import Person, Totals
from pipeline.output.report.session import Source
from pipeline.output.report.words import clock, percent, safe
from support import count

TABLE_ROWS = 20  # of a timeline as a table


def colours_of(names: Sequence[str]) -> list[Colour]:
    """Each class's colour, as live.py paints it."""
    return [colour_of(name, i) for i, name in enumerate(names)]


def title_of(person: Person) -> str:
    """What the person is called."""
    return f"Person {person.track}" if person.track else "All faces"


def amount(weight: float, *, still: bool) -> str:
    """0:42, or the number of faces of pictures."""
    return f"{weight:.0f}" if still else clock(weight)


def mostly(totals: Totals, names: Sequence[str]) -> str:
    """The class with the largest share, and that."""
    top = int(totals.shares.argmax())
    return f"{safe(names[top])} {percent(totals.shares[top])}"


def person_html(source: Source, person: Person, names: Sequence[str]) -> str:
    """All that is known of one person."""
    totals, title, colours = person.totals, title_of(person), colours_of(names)
    when = "" if source.still else f" from {clock(person.first_s)} to {clock(person.last_s)}"
    seen = count(totals.faces, "face") if source.still else f"seen for {clock(totals.weight)}{when}"
    facts = f"{seen}, mostly {mostly(totals, names)}, mean confidence {percent(totals.mean_confidence)}"
    timeline = ""
    if source.frames > 1:
        what = f"{title} in {source.name}: {'picture by picture' if source.still else 'expressions over time'}"
        shares = ", ".join(f"{n} {100 * s:.0f} %" for n, s in zip(names, totals.shares, strict=True) if s > 0)
        timeline = timeline_svg(
            person.timeline, end=source.end, still=source.still, colours=colours, title=what, description=shares
        ) + timeline_table(source, person, names)
    parts = [timeline, shares_table(source, person, names), heatmaps_html(person, names), pictures_html(person, names)]
    return f'<article><h3>{title}</h3><p class="facts">{facts}</p>{"".join(parts)}</article>'


def class_html(name: str, colour: Colour) -> str:
    """A class's name behind a dot of its colour."""
    return f'<span class="class">{swatch_svg(colour)}{safe(name)}</span>'


def shares_table(source: Source, person: Person, names: Sequence[str]) -> str:
    """One row a class, the largest share first, with its strongest moments."""
    totals, colours, rows = person.totals, colours_of(names), []
    wide, between = (" extra", "<br>") if source.still else ("", ", ")  # names of pictures are long, times are not
    order = sorted(range(len(names)), key=lambda i: (-totals.shares[i], -totals.mean_probabilities[i]))
    for i in order:
        share, mean = totals.shares[i], totals.mean_probabilities[i]
        rows.append(
            f'<tr><th scope="row">{class_html(names[i], colours[i])}</th>'
            f'<td class="wide">{bar_svg(share, colours[i])}</td>'
            f'<td class="number">{percent(share)}</td>'
            f'<td class="number">{amount(totals.label_weight[i], still=source.still)}</td>'
            f'<td class="number">{percent(mean)}</td>'
            f'<td class="moments{wide}">{between.join(f"<bdi>{place(m)}</bdi>" for m in person.strongest[i].moments)}'
            "</td></tr>"
        )
    heads = ("Share", "Faces" if source.still else "Time", "Mean probability")
    head = "".join(f'<th scope="col" class="number">{text}</th>' for text in heads)
    return (
        '<h4>Share of each expression</h4><div class="scroll"><table class="shares"><thead><tr>'
        f'<th scope="col">Expression</th><th class="wide"></th>{head}'
        f'<th scope="col" class="moments{wide}">Strongest at</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def timeline_table(source: Source, person: Person, names: Sequence[str]) -> str:
    """The timeline in at most `TABLE_ROWS` rows of numbers."""
    starts, sums = regroup(person.timeline, end=source.end, most=TABLE_ROWS)
    rows = []
    for start, row in zip(starts, sums, strict=True):
        if row[0] > 0:
            cells = "".join(f'<td class="number">{percent(p / row[0])}</td>' for p in row[1:])
            at = f"{start + 1:.0f}" if source.still else clock(start, tenths=source.end < TABLE_ROWS)
            rows.append(f'<tr><th scope="row">{at}</th>{cells}</tr>')
    head = "".join(f'<th scope="col" class="number">{safe(name)}</th>' for name in names)
    return (
        '<details><summary>The timeline as a table</summary><div class="scroll"><table><thead><tr>'
        f'<th scope="col">{"Picture" if source.still else "From"}</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def heatmaps_html(person: Person, names: Sequence[str]) -> str:
    """The mean heatmap of each class explained, over a drawn face."""
    figures, colours = [], colours_of(names)
    for (explainer, index), (summed, number) in sorted(person.heat.items(), key=lambda item: -item[1][1]):
        what = f"where {safe(explainer)} says the network looked for {safe(names[index])}, mean of {number:,} faces"
        figures.append(
            f'<li><figure><svg class="drawn" role="img" viewBox="0 0 100 100"><title>{what}</title>'
            f"{drawn_face(np.clip(summed / number, 0, 1))}</svg>"
            f"<figcaption>{class_html(names[index], colours[index])}<br>"
            f'<span class="facts">{safe(explainer)}, {count(number, "face")}</span></figcaption></figure></li>'
        )
    return f'<h4>Mean heatmap of each expression</h4><ul class="tiles">{"".join(figures)}</ul>' if figures else ""


def place(moment: Moment) -> str:
    """Where the moment is, as text: its time, or the picture's name."""
    return clock(moment.time_s, tenths=True) if moment.name is None else safe(moment.name)


def pictures_html(person: Person, names: Sequence[str]) -> str:
    """The strongest moments of each class as pictures, where these were kept."""
    groups, colours = [], colours_of(names)
    for name, colour, strongest in zip(names, colours, person.strongest, strict=True):
        tiles = "".join(
            f'<li><figure><img src="{jpeg_uri(moment.picture)}" alt="the face at {place(moment)}, with its heat">'
            f"<figcaption><bdi>{place(moment)}</bdi> "
            f'<span class="facts">{percent(moment.probability)}</span></figcaption></figure></li>'
            for moment in strongest.moments
            if moment.picture is not None
        )
        if tiles:
            groups.append(f'<div><h5>{class_html(name, colour)}</h5><ul class="tiles">{tiles}</ul></div>')
    return f'<h4>Strongest moments</h4><div class="groups">{"".join(groups)}</div>' if groups else ""
