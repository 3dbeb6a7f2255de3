"""Cases from the API's text (networking/v1 types.go and the NetworkPolicy concept page); expected values by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netproof.model import Specified

YES, NO, OPEN = Specified.CONNECTED, Specified.DENIED, Specified.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Case:
    """`where` is the `at` of the side that decided by a rule; `says` stands in `because`."""

    id: str
    policies: dict[str, str]
    probe: str
    expected: Specified
    says: str = ""
    egress: str = ""
    ingress: str = ""
    more: dict[str, Any] = field(default_factory=dict)


DENY_IN = {"shop/deny": "{podSelector: {}}"}
DENY_OUT = {"shop/deny": "{podSelector: {}, policyTypes: [Egress]}"}


def ingress(rule: str, subject: str = "{matchLabels: {app: api}}") -> dict[str, str]:
    return {"shop/in": f"{{podSelector: {subject}, policyTypes: [Ingress], ingress: [{rule}]}}"}


def egress(rule: str, subject: str = "{matchLabels: {app: ui}}") -> dict[str, str]:
    return {"shop/out": f"{{podSelector: {subject}, policyTypes: [Egress], egress: [{rule}]}}"}
