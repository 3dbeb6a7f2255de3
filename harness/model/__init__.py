"""The values that every other room speaks in. No I/O, no import from the rest of the package."""

from harness.model.matrix import Matrix
from harness.model.outcome import Intent, Measured, Outcome, Specified
from harness.model.topology import External, Namespace, Node, Placement, Pod, Port, Service, ServicePort, Topology
from harness.model.traffic import Probe, Via
from harness.model.verdict import Verdict, judge

__all__ = [
    "External",
    "Intent",
    "Matrix",
    "Measured",
    "Namespace",
    "Node",
    "Outcome",
    "Placement",
    "Pod",
    "Port",
    "Probe",
    "Service",
    "ServicePort",
    "Specified",
    "Topology",
    "Verdict",
    "Via",
    "judge",
]
