"""A datasheet as Markdown, for a document or a repository. Pure; says only what the datasheet says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from .datasheets import Datasheet, PersonalData, Question

TO_FILL: Final = "to be filled by a person"


def markdown(sheet: Datasheet) -> str:
    """For a document or a repository."""
    return "\n".join(_lines(sheet)).rstrip() + "\n"


def _lines(sheet: Datasheet) -> Iterator[str]:
    yield f"# Datasheet: {sheet.name}"
    yield ""
    yield f"Made {sheet.made[:10]} from the data themselves; what only people know is marked."
    asked: dict[str, list[Question]] = {}
    for question in sheet.questions:
        asked.setdefault(question.section, []).append(question)
    yield from _section("Motivation", _asked(asked["Motivation"]))
    yield from _section("Composition", [*_composition(sheet), *_asked(asked["Composition"])])
    yield from _section("Collection", [*_collection(sheet), *_asked(asked["Collection"])])
    yield from _section("Licence", _licence(sheet))
    yield from _section("Personal data", _personal_lines(sheet.personal))
    yield from _section("Overlap with other sets", _overlaps(sheet))
    yield from _section("Known issues", [f"- {line}" for line in sheet.issues] or ["None was found."])
    yield from _section("Use", _asked(asked["Use"]))
    yield from _section("Maintenance", _asked(asked["Maintenance"]))


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"## {title}", "", *lines)


def _asked(questions: Sequence[Question]) -> list[str]:
    return [f"- {one.asks} {one.answer or f'**{TO_FILL.capitalize()}.**'}" for one in questions]


def _composition(sheet: Datasheet) -> list[str]:
    lines = [f"- Rows: {sheet.rows:,} ({sheet.kind})"]
    if sheet.fields:
        lines.append("- Fields: " + ", ".join(f"`{name}` ({n:,} filled)" for name, n in sheet.fields.items()))
    if sheet.labels:
        shown = list(sheet.labels.items())[:20]
        more = "" if len(sheet.labels) <= 20 else f" … and {len(sheet.labels) - 20} more"
        lines.append("- Labels: " + ", ".join(f"{name} {n:,}" for name, n in shown) + more)
    elif sheet.distinct_targets:
        lines.append(f"- Right answers: {sheet.distinct_targets:,} different ones")
    if sheet.without_target:
        lines.append(f"- Without a right answer: {sheet.without_target:,}")
    for unit, found in (("characters", sheet.characters), ("words", sheet.words)):
        lines.append(
            f"- Length in {unit}: {found.least:,} to {found.most:,}, median {found.median:,}, 95th percentile {found.p95:,}"
        )
    scripts = ", ".join(f"{name} {share:.1%}" for name, share in sheet.scripts.items())
    lines.append(f"- Scripts: {scripts or 'none'}. Languages: **{TO_FILL}.**")
    if sheet.slices:
        lines.append("- Parts: " + ", ".join(f"{name} {n:,}" for name, n in list(sheet.slices.items())[:20]))
    lines.append(
        f"- Repeated texts: {sheet.duplicates:,}; of these with another right answer: {sheet.contradictions:,}"
    )
    return lines


def _collection(sheet: Datasheet) -> list[str]:
    lines = [f"- Source: {sheet.source or f'**{TO_FILL}.**'}" + (f", fetched {sheet.fetched}" if sheet.fetched else "")]
    if sheet.since:
        lines.append(f"- From {sheet.since} to {sheet.until}")
    if sheet.split:
        lines.append(f"- Split: {sheet.split}")
    lines.append(f"- SHA-256 of the file: {sheet.sha256 or 'there is no one file'}")
    if sheet.task_hash:
        lines.append(f"- SHA-256 of the task (what is asked and how it is scored): {sheet.task_hash}")
    return lines


def _licence(sheet: Datasheet) -> list[str]:
    source = f" ([terms]({sheet.licence_source}))" if sheet.licence_source else ""
    return [f"- {sheet.licence}. {sheet.licence_says}{source}"]


def _personal_lines(found: PersonalData) -> list[str]:
    low, high = found.interval
    lines = [
        f"- {found.with_any:,} of {found.texts:,} texts looked at hold something ({low:.1%} to {high:.1%}, 95 %)"
        + ("; a cap was hit, so there may be more" if found.cut else "")
    ]
    lines += [f"- {name}: {n:,}" for name, n in found.found.items()]
    lines.append("- Found by patterns and checksums; names of people are not looked for here.")
    return lines


def _overlaps(sheet: Datasheet) -> list[str]:
    if not sheet.contamination:
        return ["Not looked for; hold it against another set with `--against`."]
    return [
        f"- {one.against}: {one.touched:,} of {one.samples:,} samples share {one.n} words in a row ({one.share:.1%}), "
        f"{one.mostly:,} of them mostly"
        for one in sheet.contamination
    ]
