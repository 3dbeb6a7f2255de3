"""Why the API leaves something open, or always allows it, in words."""

from __future__ import annotations

from netproof.policy.decision import DirectionDecision

OWN_NODE = DirectionDecision(isolated=False, allowed=True, reason="traffic from a pod's own node is always allowed")
TO_OWN_NODE = (
    "this is the pod's own node, which NetworkPolicySpec.egress does not except, while the documentation says that "
    "traffic to it is always allowed; the API leaves open which of the two counts"
)
ITSELF = DirectionDecision(isolated=False, allowed=True, reason="what an endpoint sends to itself is always allowed")
SERVICE_ADDRESS = (
    "an ipBlock decides, and the API leaves open whether it sees the Service's address or that of the pod behind it"
)
REWRITTEN_SOURCE = (
    "an ipBlock or selector decides by the source, whose address the node port may rewrite to the node's own; "
    "the API leaves open which of the two it sees"
)
REWRITTEN_NODE_PORT = (
    "a node port's traffic is first to a node and then to the pod behind it, and the API leaves open which one counts"
)
DEPENDS_ON_NODE = (
    "it is allowed from the pod's own node, from which traffic always is, and denied from every other one; where pods "
    "run is not known here"
)
UNKNOWN_NODE = (
    "it is denied to every node but the pod's own, to which the API leaves it open; where pods run is not known here"
)
UNKNOWN_ADDRESS = "a rule decides by an address or a name that is not known here"

HOST_NETWORK = "the API leaves open whether policies select pods on a node's own network"
EQUAL_PRIORITY = "{} have equal priority and disagree, and the API lets any of them decide"
OTHER_PROTOCOL = "the API says what policies do to TCP, UDP and SCTP, and leaves open what they do to ICMP"
ESTABLISHED = "the API leaves open whether a policy reaches connections that exist when it arrives"
