"""Drafts as scenarios: tables over what is asked, and the file that replays one. A draft has no author's intent: what
is meant by each cell is what the evaluator says, and the claim says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

import yaml

from netproof.catalogue.reading import build_scenario
from netproof.catalogue.scenariofile import ScenarioFile
from netproof.catalogue.scenarios import Scenario
from netproof.generate.vocabulary import list_probes
from netproof.manifests.yaml_documents import Document
from netproof.model import Probe, Specified
from netproof.model.topology import DNS_SERVICE

SIGNS = {Specified.CONNECTED: "+", Specified.DENIED: "-", Specified.UNSPECIFIED: "~"}
ASKED = Specified.CONNECTED
"""What stands in a table until the evaluator has been asked, which is when addresses are known."""


def scenario(draft: Mapping[str, Any], name: str, origin: str, select: str, asked: Sequence[Probe] = ()) -> Scenario:
    """A draft as a scenario, in which every step asks all probes of its world, or just `asked`. Raises InputError."""
    expect = table(dict.fromkeys(asked, ASKED)) if asked else _everything(draft["topology"])
    content = document(draft, name, origin, [expect] * len(draft["steps"]))
    made = build_scenario(ScenarioFile.model_validate(content), Document(file=name, content=content, lines={}))
    return replace(made, draft=draft, select=select)


def document(draft: Mapping[str, Any], name: str, origin: str, expected: Sequence[str]) -> dict[str, Any]:
    """The draft as a scenario file has it, with a table for each step."""
    steps = [{**step, "expect": text} for step, text in zip(draft["steps"], expected, strict=True)]
    return {
        "id": name,
        "claim": f"Generated from {origin}: the CNI against the evaluator; nobody wrote down what is meant.",
        "source": f"generated, {origin}",
        "topology": draft["topology"],
        "steps": steps,
    }


def text(content: Mapping[str, Any], head: str) -> str:
    """A scenario file, with a comment of some lines before it."""
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    return comment + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)


@cache
def _everything(world: str) -> str:
    return table(dict.fromkeys(list_probes(world), ASKED))


def table(cells: Mapping[Probe, Specified]) -> str:
    """Cells as tables (harness/netproof/catalogue/tables.py), one for each way of dialling and set of destinations."""
    parts = []
    by_corner = groupby(sorted(cells, key=lambda probe: (_corner(probe), probe)), key=_corner)
    for corner, group in by_corner:
        of_corner = list(group)
        columns = list(dict.fromkeys(probe.destination for probe in of_corner))
        rows = list(dict.fromkeys(probe.source for probe in of_corner))
        signs = {(probe.source, probe.destination): SIGNS[cells[probe]] for probe in of_corner}
        lines = [[corner, *map(_word, columns)]]
        lines += [[_word(row), *(signs.get((row, column), ".") for column in columns)] for row in rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        parts.append(
            "\n".join(
                "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
                for line in lines
            )
        )
    return "\n\n".join(parts) + "\n"


def _corner(probe: Probe) -> str:
    how = f"@{probe.via}" if probe.via in ("service", "name", "nodeport") else ""
    return f"{probe.port}/{probe.protocol}{how}" + ("@v6" if probe.family == 6 else "")


def _word(endpoint: str) -> str:
    if endpoint == DNS_SERVICE.id:
        return "dns"
    return endpoint.replace("external:", "out:")


class _Dumper(yaml.SafeDumper):
    """Tables as blocks, so that a person can read them; no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _block(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _block)
