"""What a user asks of the generator, checked. Knows names only: hypothesis is not loaded by it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec

from netproof.errors import InputError

DIALECTS = ("kubernetes", "cilium", "calico", "clusternetworkpolicy")
FEATURES = {
    "ipblock": "ipBlock peers, and what other dialects have for them",
    "ipblock-pods": "blocks that hold addresses of pods or nodes (those of peers outside stay)",
    "types-not-named": "rules of a direction that policyTypes leaves out",
    "negative-namespaces": "NotIn and DoesNotExist in what ClusterNetworkPolicies say of their peers' namespaces",
    "baseline-accept": "Accept in the Baseline tier",
    "named-ports": "ports by name",
    "end-port": "ranges of ports",
    "sctp": "SCTP in rules (it is never probed)",
    "steps": "changes: policies replaced and deleted, pods and namespaces relabelled",
}
"""What `--generate-without` and a recipe's `generate_without` may leave out."""
Features = frozenset[str]

EXTRA = "needs hypothesis, which comes with the extra `generate`: pip install 'netproof[generate]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """Scenarios `first` to `last` (from 1 on) of a seed."""

    first: int
    last: int
    seed: int
    dialect: str
    without: Features

    def options(self, first: int, last: int) -> str:
        """The command line that generates these of them again."""
        parts = [f"--generate {first}-{last} --seed {self.seed}"]
        parts += [f"--generate-dialect {self.dialect}"] if self.dialect != "kubernetes" else []
        parts += [f"--generate-without {','.join(sorted(self.without))}"] if self.without else []
        return " ".join(parts)


def require_hypothesis(key: str) -> None:
    """Raises InputError, with what was asked for as its key, where nothing can be generated."""
    if find_spec("hypothesis") is None:
        raise InputError(EXTRA, key=key)


def parse_request(count: str, seed: str, dialect: str, without: Sequence[str]) -> GenerateRequest:
    """`N` or `FROM-TO`. Raises InputError that names the option."""
    require_hypothesis("--generate")
    numbers = re.fullmatch(r"(?:([0-9]+)-)?([0-9]+)", count)
    first, last = (int(numbers[1] or 1), int(numbers[2])) if numbers else (0, 0)
    if not 1 <= first <= last <= 1_000_000:
        raise InputError(
            f"a number of scenarios, or from which to which, such as 200 or 201-400 (got {count!r})", key="--generate"
        )
    if not re.fullmatch(r"[0-9]{1,12}", seed):
        raise InputError(f"a whole number of at most 12 digits (got {seed!r})", key="--seed")
    for word, known, key in (
        (dialect, DIALECTS, "--generate-dialect"),
        *((w, tuple(FEATURES), "--generate-without") for w in without),
    ):
        if word not in known:
            near = get_close_matches(word, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InputError(f"{word!r} is not known; {hint}known: {', '.join(known)}", key=key)
    return GenerateRequest(first=first, last=last, seed=int(seed), dialect=dialect, without=frozenset(without))
