"""Rules that compare what the policies mean with what a map or chart says is meant."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from netproof.lint.model import Hit, IntendedCells, LintInput, MapCell, SourceLocation
from netproof.manifests.yaml_documents import parse_key_path
from netproof.model import Intent, Specified
from netproof.policy import DirectionDecision
from netproof.policy.decision import join_names

Blame = tuple[bool, str, str]
"""Whether too much is open, and the policy and key to blame."""


def select_differing(intended: IntendedCells) -> list[MapCell]:
    """Cells where the policies mean something else than the map; what the API leaves open is none of them."""
    return [
        cell
        for cell in intended.cells
        if cell.decision.specified is not Specified.UNSPECIFIED and cell.decision.specified.value != cell.intended.value
    ]


def not_as_intended(inputs: LintInput) -> Iterator[Hit]:
    """Cells that no reviewed entry declares, those with one cause together."""
    if inputs.intended is None:
        return
    found: dict[Blame, list[MapCell]] = defaultdict(list)
    for cell in select_differing(inputs.intended):
        if not cell.reviewed:
            found[_blame(cell)].append(cell)
    for (opened, ref, key), cells in found.items():
        one = inputs.at(ref)
        place = one.place(parse_key_path(key)) if one else _in_map(cells[0], inputs.intended)
        what = "not meant to connect, and do" if opened else "meant to connect, and do not"
        yield Hit(
            sentence=f"{len(cells)} {'cell is' if len(cells) == 1 else 'cells are'} {what}: "
            f"{join_names([str(cell.probe) for cell in cells])}. {cells[0].decision.because}",
            place=place,
            fix="correct the policy, or the map if it does not say what is meant; `netproof explain` shows one cell",
        )


def reviewed(inputs: LintInput) -> Iterator[Hit]:
    """Differences that reviewed entries declare: shown, never failed."""
    if inputs.intended is None:
        return
    found: dict[str, list[MapCell]] = defaultdict(list)
    for cell in select_differing(inputs.intended):
        for entry in cell.reviewed:
            found[entry].append(cell)
    for entry, cells in found.items():
        _, ref, key = _blame(cells[0])
        one = inputs.at(ref)
        yield Hit(
            sentence=f"{len(cells)} {'cell differs' if len(cells) == 1 else 'cells differ'} as reviewed ({entry}): "
            f"{join_names([str(cell.probe) for cell in cells])}",
            place=one.place(parse_key_path(key)) if one else _in_map(cells[0], inputs.intended),
            reviewed=inputs.intended.reasons.get(entry, entry),
        )


def of_the_map(inputs: LintInput) -> Iterator[Hit]:
    for warning in inputs.intended.warnings if inputs.intended else ():
        found = re.match(r"(.+?):(\d+): (.*)", warning, re.DOTALL)
        own = SourceLocation(file=inputs.intended.file if inputs.intended else "")
        place = SourceLocation(file=found[1], line=int(found[2])) if found else own
        yield Hit(sentence=found[3] if found else warning, place=place)


def stale(inputs: LintInput) -> Iterator[Hit]:
    for entry, gone in (inputs.intended.stale if inputs.intended else {}).items():
        yield Hit(
            sentence=f"the reviewed entry {entry} declares what these policies do not show: {join_names(list(gone))}",
            place=SourceLocation(file=inputs.intended.file if inputs.intended else "", object=entry),
            fix="correct or remove the entry",
        )


def _blame(cell: MapCell) -> Blame:
    egress, ingress = cell.decision.egress, cell.decision.ingress
    if cell.intended is Intent.DENIED:
        side = ingress if ingress.isolated else egress
    else:
        side = egress if egress.allowed is False else ingress
    return cell.intended is Intent.DENIED, _policy(side), side.at


def _policy(side: DirectionDecision) -> str:
    return side.policy or next(iter(side.isolating), "")


def _in_map(cell: MapCell, intended: IntendedCells) -> SourceLocation:
    probe = cell.probe
    for endpoint in (probe.destination, probe.source):
        name = endpoint.removeprefix("svc:")
        if name in intended.lines:
            return SourceLocation(file=intended.file, line=intended.lines[name], object=name)
    return SourceLocation(file=intended.file, object=probe.destination)
