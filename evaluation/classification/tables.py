"""Scores as text: the table that is printed, a classification report in it, and a LaTeX table.

In:  scores.json's values (docs/results.md).
Out: lines of text.
"""

from __future__ import annotations

from collections.abc import Iterator

COLUMNS = ("precision", "recall", "f1")


def table(scores: dict) -> Iterator[str]:
    """scores.json as lines of text."""
    yield f"{scores['dataset']} {scores['split']}: {scores['protocol']}"
    yield ", ".join(scores["weights"]) + (", with mirror images" if scores["tta"] else "")
    if scores["prior"] == "balanced":
        yield "the class prior of the training is taken out (--prior balanced)"
    yield ""
    yield from accuracy_lines(scores)
    yield from other_lines(scores)
    yield ""
    yield from classification_report(scores["per_class"])
    for attribute, groups in scores.get("groups", {}).items():
        yield ""
        width = max([24, *(len(attribute + value) + 3 for value in groups)])
        for value, group in groups.items():
            yield f"{attribute + ' ' + value:<{width}}{accuracy_text(group)}, macro-F1 {group['macro_f1']:.3f}"


def accuracy_lines(scores: dict) -> Iterator[str]:
    """Every accuracy, and of what it is."""
    yield f"accuracy           {accuracy_text(scores)}" + ", closed set" * ("own_answers" in scores)
    if "own_answers" in scores:
        yield f"  own answers      {accuracy_text(scores['own_answers'])}, of all classes that the network knows"
    if scores.get("known_classes", {}).get("n"):
        yield f"  known classes    {accuracy_text(scores['known_classes'])}, faces of these only"
    for path, member in zip(scores["weights"], scores.get("members", []), strict=False):
        yield f"  one member       {accuracy_text(member)}: {path}"
    without = scores.get("without_train_duplicates", {})
    if without.get("duplicates") and "n" in without:
        yield f"  no duplicates    {accuracy_text(without)}, less {without['duplicates']:,} that train holds too"
    if "top5_accuracy" in scores:
        yield f"  among the top 5  {100 * scores['top5_accuracy']:.1f} %"


def other_lines(scores: dict) -> Iterator[str]:
    """The other scores that are one number."""
    yield f"balanced accuracy  {100 * scores['balanced_accuracy']:.1f} %"
    low, high = scores["macro_f1_interval"]
    yield f"macro-F1           {scores['macro_f1']:.3f}, 95 % interval {low:.3f} to {high:.3f}"
    if scores.get("macro_f1_7") is not None:
        yield f"  no contempt      {scores['macro_f1_7']:.3f}"
    yield f"weighted F1        {scores['weighted_f1']:.3f}"
    if scores["kl"] is not None:
        yield f"KL, JS             {scores['kl']:.3f}, {scores['js']:.3f} nats from {scores['kl_js_target']}"
    yield f"calibration error  {100 * scores['ece']:.1f} % (of the crowd's shares: {100 * scores['ece_crowd']:.1f} %)"


def classification_report(per_class: dict) -> Iterator[str]:
    """Precision, recall, F1 and faces of each class, and the means over classes that occur, plain and weighted."""
    rows = per_class | means(per_class)
    width = max([16, *(len(name) + 2 for name in rows)])
    yield f"{'class':<{width}}{'precision':>10}{'recall':>10}{'F1':>10}{'faces':>10}"
    for name, row in rows.items():
        yield f"{name:<{width}}" + "".join(f"{cell:>10}" for cell in cells(row)) + f"{row['support']:>10,}"


def cells(row: dict) -> list[str]:
    """Precision, recall and F1 as text; dashes for a class without a face, whose recall is nothing."""
    return [f"{row[column]:.3f}" if row["support"] else "-" for column in COLUMNS]


def means(per_class: dict) -> dict:
    """`macro avg` and `weighted avg` of precision, recall and F1 over the classes that occur, as rows of the table."""
    rows = [row for row in per_class.values() if row["support"]]
    faces = sum(row["support"] for row in rows)
    macro = {column: sum(row[column] for row in rows) / len(rows) for column in COLUMNS}
    weighted = {column: sum(row[column] * row["support"] for row in rows) / faces for column in COLUMNS}
    return {"macro avg": macro | {"support": faces}, "weighted avg": weighted | {"support": faces}}


def latex_table(scores: dict) -> Iterator[str]:
    """The main scores and the classification report as a LaTeX table, for the package booktabs."""
    yield "% " + f"{scores['dataset']} {scores['split']}: {scores['protocol']}"
    yield r"\begin{tabular}{lrrrr}"
    yield r"\toprule"
    yield r"class & precision & recall & F1 & faces \\"
    yield r"\midrule"
    averages = means(scores["per_class"])
    for name, row in [*scores["per_class"].items(), *averages.items()]:
        if name == next(iter(averages)):
            yield r"\midrule"
        numbers = " & ".join(cells(row))
        yield rf"{latex_text(name)} & {numbers} & {row['support']} \\"
    low, high = scores["accuracy_interval"]
    yield r"\midrule"
    words = f"accuracy {100 * scores['accuracy']:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})"
    words += f", macro-F1 {scores['macro_f1']:.3f}"
    yield rf"\multicolumn{{5}}{{l}}{{{latex_text(words)}}} \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"


def latex_text(text: str) -> str:
    """`text` with LaTeX's special characters escaped."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c, "\\" + c if c in "&%$#_{}" else c) for c in text)


def accuracy_text(scores: dict) -> str:
    """An accuracy as in "2,640 of 3,137 = 84.2 %, 95 % interval 82.9 % to 85.4 %"."""
    low, high = scores["accuracy_interval"]
    share = f"{scores['correct']:,} of {scores['n']:,} = {100 * scores['accuracy']:.1f} %"
    return f"{share}, 95 % interval {100 * low:.1f} % to {100 * high:.1f} %"
