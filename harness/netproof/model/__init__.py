"""The values that every other room speaks in. No I/O, no import from the rest of the package."""

from netproof.model.channel import Channel, Say
from netproof.model.manifest import Manifest
from netproof.model.matrix import Matrix
from netproof.model.outcome import Intent, Measured, Outcome, Specified
from netproof.model.placement import Placement
from netproof.model.topology import External, Namespace, Node, Pod, Port, Service, ServicePort, Topology
from netproof.model.traffic import Probe, Via
from netproof.model.verdict import Verdict, judge, judge_on_paper

__all__ = [
    "Channel",
    "External",
    "Intent",
    "Manifest",
    "Matrix",
    "Measured",
    "Namespace",
    "Node",
    "Outcome",
    "Placement",
    "Pod",
    "Port",
    "Probe",
    "Say",
    "Service",
    "ServicePort",
    "Specified",
    "Topology",
    "Verdict",
    "Via",
    "judge",
    "judge_on_paper",
]
