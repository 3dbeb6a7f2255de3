"""Rules that compare what the policies mean with what a map or chart says is meant."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from netproof.lint.model import Cell, Ground, Hit, Intended, Place
from netproof.manifests.yaml_documents import parse_key_path
from netproof.model import Intent, Specified
from netproof.policy import Side
from netproof.policy.decision import listed

Blame = tuple[bool, str, str]
"""Whether too much is open, and the policy and key to blame."""


def differing(intended: Intended) -> list[Cell]:
    """Cells where the policies mean something else than the map; what the API leaves open is none of them."""
    return [
        cell
        for cell in intended.cells
        if cell.decision.specified is not Specified.UNSPECIFIED and cell.decision.specified.value != cell.intended.value
    ]


def not_as_intended(ground: Ground) -> Iterator[Hit]:
    """Cells that no reviewed entry declares, those with one cause together."""
    if ground.intended is None:
        return
    found: dict[Blame, list[Cell]] = defaultdict(list)
    for cell in differing(ground.intended):
        if not cell.reviewed:
            found[_blame(cell)].append(cell)
    for (opened, ref, key), cells in found.items():
        one = ground.at(ref)
        place = one.place(parse_key_path(key)) if one else _in_map(cells[0], ground.intended)
        what = "not meant to connect, and do" if opened else "meant to connect, and do not"
        yield Hit(
            sentence=f"{len(cells)} {'cell is' if len(cells) == 1 else 'cells are'} {what}: "
            f"{listed([str(cell.probe) for cell in cells])}. {cells[0].decision.because}",
            place=place,
            fix="correct the policy, or the map if it does not say what is meant; `netproof explain` shows one cell",
        )


def reviewed(ground: Ground) -> Iterator[Hit]:
    """Differences that reviewed entries declare: shown, never failed."""
    if ground.intended is None:
        return
    found: dict[str, list[Cell]] = defaultdict(list)
    for cell in differing(ground.intended):
        for entry in cell.reviewed:
            found[entry].append(cell)
    for entry, cells in found.items():
        _, ref, key = _blame(cells[0])
        one = ground.at(ref)
        yield Hit(
            sentence=f"{len(cells)} {'cell differs' if len(cells) == 1 else 'cells differ'} as reviewed ({entry}): "
            f"{listed([str(cell.probe) for cell in cells])}",
            place=one.place(parse_key_path(key)) if one else _in_map(cells[0], ground.intended),
            reviewed=ground.intended.reasons.get(entry, entry),
        )


def of_the_map(ground: Ground) -> Iterator[Hit]:
    for warning in ground.intended.warnings if ground.intended else ():
        found = re.match(r"(.+?):(\d+): (.*)", warning, re.DOTALL)
        own = Place(file=ground.intended.file if ground.intended else "")
        place = Place(file=found[1], line=int(found[2])) if found else own
        yield Hit(sentence=found[3] if found else warning, place=place)


def stale(ground: Ground) -> Iterator[Hit]:
    for entry, gone in (ground.intended.stale if ground.intended else {}).items():
        yield Hit(
            sentence=f"the reviewed entry {entry} declares what these policies do not show: {listed(list(gone))}",
            place=Place(file=ground.intended.file if ground.intended else "", object=entry),
            fix="correct or remove the entry",
        )


def _blame(cell: Cell) -> Blame:
    egress, ingress = cell.decision.egress, cell.decision.ingress
    if cell.intended is Intent.DENIED:
        side = ingress if ingress.isolated else egress
    else:
        side = egress if egress.allowed is False else ingress
    return cell.intended is Intent.DENIED, _policy(side), side.at


def _policy(side: Side) -> str:
    return side.policy or next(iter(side.isolating), "")


def _in_map(cell: Cell, intended: Intended) -> Place:
    probe = cell.probe
    for endpoint in (probe.destination, probe.source):
        name = endpoint.removeprefix("svc:")
        if name in intended.lines:
            return Place(file=intended.file, line=intended.lines[name], object=name)
    return Place(file=intended.file, object=probe.destination)
