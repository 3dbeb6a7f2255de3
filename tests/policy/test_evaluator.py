"""Cases from the API's text (networking/v1 types.go and the NetworkPolicy concept page); expected values by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from harness.errors import InputError
from harness.model import Placement, Probe, Specified
from harness.policy import Evaluator, read_policies
from harness.policy.networkpolicy import read
from harness.policy.rules import PodPeer, Policy, Requirement, Rule, Selector

from .example import PLACEMENT, TOPOLOGY, decide, manifest, probe

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


ISOLATION = [
    Case("no policy", {}, "shop/ui > shop/api 8080", YES, "egress: no policy isolates shop/ui."),
    Case(
        "empty subject isolates the namespace",
        DENY_IN,
        "ops/ui > shop/api 8080",
        NO,
        "isolates shop/api and has no ing",
    ),
    Case("policies do not reach other namespaces", DENY_IN, "shop/ui > ops/ui 8080", YES),
    Case("ingress isolation leaves egress alone", DENY_IN, "shop/api > external:client 443", YES),
    Case("egress isolation leaves ingress alone", DENY_OUT, "ops/ui > shop/api 8080", YES),
    Case("egress isolation denies outwards", DENY_OUT, "shop/ui > external:client 443", NO, "denied at egress: Netw"),
    Case(
        "types default to ingress only without egress rules",
        {"shop/p": "{podSelector: {}, egress: []}"},
        "shop/api > external:client 443",
        YES,
    ),
    Case(
        "types default to ingress and egress with an egress rule",
        {"shop/p": "{podSelector: {}, egress: [{to: [{ipBlock: {cidr: 198.51.100.0/24}}]}]}"},
        "shop/ui > shop/api 8080",
        NO,
        "denied at egress: NetworkPolicy shop/p isolates shop/ui and its only egress rule does not allow shop/api on "
        "8080/TCP. denied at ingress: NetworkPolicy shop/p isolates shop/api and has no ingress rule.",
    ),
    Case(
        "empty list of types defaults as an absent one",
        {"shop/p": "{podSelector: {}, policyTypes: []}"},
        "ops/ui > shop/ui 8080",
        NO,
    ),
    Case(
        "egress-only type isolates no ingress, even with ingress rules",
        {"shop/p": "{podSelector: {}, policyTypes: [Egress], ingress: [{ports: [{port: 1}]}]}"},
        "ops/ui > shop/api 8080",
        YES,
    ),
    Case(
        "rules that policyTypes leaves out join no union",
        {"shop/p": "{podSelector: {}, policyTypes: [Egress], ingress: [{}]}", "shop/deny": "{podSelector: {}}"},
        "ops/ui > shop/api 8080",
        NO,
        "denied at ingress: NetworkPolicy shop/deny isolates shop/api and has no ingress rule.",
    ),
    Case(
        "both sides are needed: egress alone",
        {**egress("{}"), **DENY_IN},
        "shop/ui > shop/api 8080",
        NO,
        "denied at ingress: NetworkPolicy shop/deny",
    ),
    Case(
        "both sides are needed: ingress alone",
        {**ingress("{}"), **DENY_OUT},
        "shop/ui > shop/api 8080",
        NO,
        "denied at egress: NetworkPolicy shop/deny",
    ),
    Case(
        "policies form a union",
        {**DENY_IN, **ingress("{from: [{podSelector: {matchLabels: {app: ui}}}]}")},
        "shop/ui > shop/api 8080",
        YES,
        "shop/api is isolated by NetworkPolicy shop/deny and NetworkPolicy shop/in; ingress rule 1 (from pods app=ui, "
        "every port) of NetworkPolicy shop/in allows this.",
        ingress="spec.ingress[0].from[0]",
    ),
    Case(
        "denial names all isolating policies",
        {**DENY_IN, **ingress("{from: [{podSelector: {matchLabels: {app: ui}}}]}")},
        "shop/db > shop/api 8080",
        NO,
        "NetworkPolicy shop/deny and NetworkPolicy shop/in isolate shop/api and their only ingress rule does not allow "
        "shop/db on 8080/TCP.",
    ),
    Case("an absent podSelector selects all", {"shop/p": "{policyTypes: [Ingress]}"}, "ops/ui > shop/db 5432", NO),
    Case(
        "subject by expression",
        {"shop/p": "{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}"},
        "ops/ui > shop/db 5432",
        YES,
    ),
    Case("no reply rule is needed", ingress("{}", "{}"), "shop/api > external:client 443", YES),
]

PEERS = [
    Case("a rule {} allows everyone", ingress("{}"), "external:client > shop/api 8080", YES, ingress="spec.ingress[0]"),
    Case(
        "from: [] allows everyone", ingress("{from: []}"), "ops/ui > shop/api 8080", YES, "(from anywhere, every port)"
    ),
    Case(
        "to: [] allows everyone", egress("{to: []}"), "shop/ui > external:client 443", YES, "(to anywhere, every port)"
    ),
    Case(
        "podSelector alone means the policy's own namespace",
        ingress("{from: [{podSelector: {matchLabels: {app: ui}}}]}"),
        "ops/ui > shop/api 8080",
        NO,
        "NetworkPolicy shop/in isolates shop/api and its only ingress rule does not allow ops/ui on 8080/TCP.",
    ),
    Case(
        "podSelector {} is the whole namespace", ingress("{from: [{podSelector: {}}]}"), "shop/db > shop/api 8080", YES
    ),
    Case("podSelector {} is no other namespace", ingress("{from: [{podSelector: {}}]}"), "ops/ui > shop/api 8080", NO),
    Case(
        "podSelector {} is nobody outside",
        ingress("{from: [{podSelector: {}}]}"),
        "external:client > shop/api 8080",
        NO,
    ),
    Case(
        "namespaceSelector alone",
        ingress("{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}"),
        "ops/ui > shop/api 8080",
        YES,
        "(from all pods in namespaces team=ops, every port)",
    ),
    Case(
        "namespaceSelector alone excludes the own namespace",
        ingress("{from: [{namespaceSelector: {matchLabels: {team: ops}}}]}"),
        "shop/ui > shop/api 8080",
        NO,
    ),
    Case(
        "namespaceSelector {} is all pods", ingress("{from: [{namespaceSelector: {}}]}"), "ops/ui > shop/api 8080", YES
    ),
    Case(
        "namespaceSelector {} is nobody outside",
        ingress("{from: [{namespaceSelector: {}}]}"),
        "external:client > shop/api 8080",
        NO,
    ),
    Case(
        "the name label needs no declaration",
        ingress("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]}"),
        "ops/prober > shop/api 8080",
        YES,
    ),
    Case(
        "both selectors in one peer: both must hold",
        ingress("{from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {role: admin}}}]}"),
        "ops/ui > shop/api 8080",
        NO,
    ),
    Case(
        "both selectors in one peer hold",
        ingress("{from: [{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {role: admin}}}]}"),
        "ops/prober > shop/api 8080",
        YES,
        "(from pods role=admin in namespaces team=ops, every port)",
    ),
    Case(
        "two peers: one is enough",
        ingress("{from: [{podSelector: {matchLabels: {app: ui}}}, {namespaceSelector: {matchLabels: {team: ops}}}]}"),
        "ops/ui > shop/api 8080",
        YES,
        ingress="spec.ingress[0].from[1]",
    ),
    Case(
        "the second rule decides and is named",
        ingress("{from: [{podSelector: {matchLabels: {app: db}}}]}, {from: [{podSelector: {matchLabels: {app: ui}}}]}"),
        "shop/ui > shop/api 8080",
        YES,
        "its ingress rule 2 (from pods app=ui, every port) allows this",
        ingress="spec.ingress[1].from[0]",
    ),
    Case(
        "In",
        ingress("{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [db, ui]}]}}]}"),
        "shop/ui > shop/api 8080",
        YES,
        "(from pods app In (db, ui), every port)",
    ),
    Case(
        "NotIn excludes its values",
        ingress("{from: [{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}}]}"),
        "shop/ui > shop/api 8080",
        NO,
    ),
    Case(
        "NotIn holds for a missing key",
        ingress("{from: [{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}}]}"),
        "shop/db > shop/api 8080",
        YES,
    ),
    Case(
        "Exists",
        ingress("{from: [{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}]}"),
        "shop/db > shop/api 8080",
        NO,
    ),
    Case(
        "DoesNotExist",
        ingress("{from: [{podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}]}"),
        "shop/db > shop/api 8080",
        YES,
        "(from pods tier DoesNotExist, every port)",
    ),
    Case(
        "matchLabels and matchExpressions must both hold",
        ingress(
            "{from: [{podSelector: {matchLabels: {app: ui}, matchExpressions: [{key: tier, operator: DoesNotExist}]}}]}"
        ),
        "shop/ui > shop/api 8080",
        NO,
    ),
    Case(
        "namespaces by expression",
        ingress("{from: [{namespaceSelector: {matchExpressions: [{key: trusted, operator: DoesNotExist}]}}]}"),
        "ops/ui > shop/api 8080",
        NO,
    ),
    Case(
        "kube-system is known by its name label",
        ingress("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}"),
        "kube-system/coredns-1 > shop/api 8080",
        YES,
    ),
    Case(
        "egress peers are destinations",
        egress("{to: [{podSelector: {matchLabels: {app: api}}}]}"),
        "shop/ui > shop/db 5432",
        NO,
        "its only egress rule does not allow shop/db on 5432/TCP",
    ),
]

PORTS = [
    Case(
        "number", ingress("{ports: [{port: 8080}]}"), "shop/ui > shop/api 8080", YES, "(from anywhere, port 8080/TCP)"
    ),
    Case(
        "other number", ingress("{ports: [{port: 8080}]}"), "shop/ui > shop/api 9090", NO, "but only for port 8080/TCP"
    ),
    Case("ports: [] is every port", ingress("{ports: []}"), "shop/ui > shop/api 3868/SCTP", YES),
    Case("protocol defaults to TCP", ingress("{ports: [{port: 5353}]}"), "shop/ui > shop/api 5353/UDP", NO),
    Case("UDP", ingress("{ports: [{port: 5353, protocol: UDP}]}"), "shop/ui > shop/api 5353/UDP", YES),
    Case("SCTP", ingress("{ports: [{port: 3868, protocol: SCTP}]}"), "shop/ui > shop/api 3868/SCTP", YES),
    Case(
        "protocol without a port is all its ports",
        ingress("{ports: [{protocol: UDP}]}"),
        "shop/ui > shop/api 5353/UDP",
        YES,
        "(from anywhere, every UDP port)",
    ),
    Case(
        "protocol without a port is that protocol only",
        ingress("{ports: [{protocol: UDP}]}"),
        "shop/ui > shop/api 53",
        NO,
    ),
    Case("an entry {} is every TCP port", ingress("{ports: [{}]}"), "shop/ui > shop/api 9090", YES, "every TCP port"),
    Case("range, first", ingress("{ports: [{port: 8080, endPort: 8090}]}"), "shop/ui > shop/api 8080", YES),
    Case(
        "range, last",
        ingress("{ports: [{port: 9000, endPort: 9090}]}"),
        "shop/ui > shop/api 9090",
        YES,
        "9000–9090/TCP",
    ),
    Case("range, beyond", ingress("{ports: [{port: 9000, endPort: 9089}]}"), "shop/ui > shop/api 9090", NO),
    Case("range of one", ingress("{ports: [{port: 8080, endPort: 8080}]}"), "shop/ui > shop/api 8080", YES),
    Case(
        "name on ingress is the subject's",
        ingress("{ports: [{port: http}]}"),
        "shop/ui > shop/api 8080",
        YES,
        "http/TCP",
    ),
    Case("a name is its number only", ingress("{ports: [{port: http}]}"), "shop/ui > shop/api 9090", NO),
    Case(
        "a name resolves for each subject on its own",
        ingress("{ports: [{port: http}]}", "{}"),
        "shop/ui > shop/worker 8081",
        YES,
    ),
    Case(
        "a name does not carry over to another pod's number",
        ingress("{ports: [{port: http}]}", "{}"),
        "shop/ui > shop/worker 8080",
        NO,
    ),
    Case("a name needs its protocol", ingress("{ports: [{port: answers}]}"), "shop/ui > shop/api 5353/UDP", NO),
    Case(
        "a name with its protocol",
        ingress("{ports: [{port: answers, protocol: UDP}]}"),
        "shop/ui > shop/api 5353/UDP",
        YES,
    ),
    Case("a name that the pod lacks", ingress("{ports: [{port: nobody}]}"), "shop/ui > shop/api 8080", NO),
    Case("name on egress is the destination's", egress("{ports: [{port: metrics}]}"), "shop/ui > shop/api 9090", YES),
    Case("name on egress is not the source's", egress("{ports: [{port: http}]}"), "shop/ui > shop/worker 8080", NO),
    Case(
        "name on egress never matches outside", egress("{ports: [{port: https}]}"), "shop/ui > external:client 443", NO
    ),
    Case(
        "name with an ipBlock never matches outside",
        egress("{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: https}]}"),
        "shop/ui > external:client 443",
        NO,
    ),
    Case(
        "one of several ports",
        ingress("{ports: [{port: 1}, {port: metrics}]}"),
        "shop/ui > shop/api 9090",
        YES,
        "port metrics/TCP",
    ),
    Case(
        "peer and port in one rule: both must hold",
        ingress("{from: [{podSelector: {matchLabels: {app: ui}}}], ports: [{port: 9090}]}, {ports: [{port: 1}]}"),
        "shop/ui > shop/api 8080",
        NO,
        "none of its 2 ingress rules allows shop/ui on 8080/TCP (ingress rule 1 names this peer, but only for port "
        "9090/TCP).",
    ),
]

BLOCKS = [
    Case(
        "an outside peer in the cidr",
        ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"),
        "external:client > shop/api 8080",
        YES,
        "(from addresses 192.0.2.0/24, every port)",
        ingress="spec.ingress[0].from[0]",
    ),
    Case(
        "outside the cidr", ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"), "external:rival > shop/api 8080", NO
    ),
    Case("one address", ingress("{from: [{ipBlock: {cidr: 192.0.2.10/32}}]}"), "external:client > shop/api 8080", YES),
    Case(
        "host bits mean nothing",
        ingress("{from: [{ipBlock: {cidr: 192.0.2.9/24}}]}"),
        "external:client > shop/api 1",
        YES,
    ),
    Case(
        "except takes out",
        egress("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.0/24]}}]}"),
        "shop/ui > external:client 443",
        NO,
    ),
    Case(
        "except leaves the rest",
        egress("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.0/24]}}]}"),
        "shop/ui > external:rival 443",
        YES,
        "(to addresses 0.0.0.0/0 except 192.0.2.0/24, every port)",
    ),
    Case(
        "except binds its own block only",
        egress("{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.0/24]}}, {ipBlock: {cidr: 192.0.2.10/32}}]}"),
        "shop/ui > external:client 443",
        YES,
        egress="spec.egress[0].to[1]",
    ),
    Case(
        "a pod's address is an address",
        egress("{to: [{ipBlock: {cidr: 10.244.1.0/24}}]}"),
        "shop/ui > shop/api 8080",
        YES,
    ),
    Case("a pod outside the cidr", egress("{to: [{ipBlock: {cidr: 10.244.1.0/24}}]}"), "shop/ui > shop/db 5432", NO),
    Case("everything includes pods", ingress("{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}"), "shop/ui > shop/api 8080", YES),
    Case(
        "IPv6",
        ingress("{from: [{ipBlock: {cidr: '2001:db8::/64'}}]}"),
        "external:client > shop/api 8080",
        YES,
        more={"family": 6},
    ),
    Case(
        "all of IPv4 is none of IPv6",
        ingress("{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}"),
        "external:client > shop/api 8080",
        NO,
        more={"family": 6},
    ),
    Case(
        "all of IPv6 is none of IPv4",
        ingress("{from: [{ipBlock: {cidr: '::/0'}}]}"),
        "external:client > shop/api 8080",
        NO,
    ),
    Case(
        "selectors serve both families",
        ingress("{from: [{podSelector: {matchLabels: {app: ui}}}]}"),
        "shop/ui > shop/api 8080",
        YES,
        more={"family": 6},
    ),
]

NODES = [
    Case(
        "from the own node, always",
        DENY_IN,
        "node:1 > shop/api 8080",
        YES,
        "ingress: traffic from a pod's own node is always allowed.",
    ),
    Case("from another node", DENY_IN, "node:0 > shop/api 8080", NO, "isolates shop/api and has no ingress rule"),
    Case("to the own node, perhaps", DENY_OUT, "shop/ui > node:0 10250 address", OPEN, "NetworkPolicySpec.egress"),
    Case(
        "to the own node, by a rule",
        egress("{to: [{ipBlock: {cidr: 172.18.0.0/16}}]}"),
        "shop/ui > node:0 10250 address",
        YES,
    ),
    Case("to another node", DENY_OUT, "shop/ui > node:1 10250 address", NO),
    Case("a node by address", ingress("{from: [{ipBlock: {cidr: 172.18.0.0/16}}]}"), "node:0 > shop/api 8080", YES),
    Case("nodes are no pods", ingress("{from: [{namespaceSelector: {}}]}"), "node:0 > shop/api 8080", NO),
    Case("between nodes no policy applies", DENY_IN, "node:0 > node:1 22 address", YES, "on a node's own network"),
    Case(
        "host-network pods may be subjects",
        {"ops/deny": "{podSelector: {}, policyTypes: [Ingress, Egress]}"},
        "ops/agent > external:client 443",
        OPEN,
        "whether policies select pods on a node's own network",
    ),
    Case(
        "host-network pods may be selected",
        ingress("{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: agent}}}]}"),
        "ops/agent > shop/api 8080",
        OPEN,
    ),
    Case(
        "a host-network pod that nobody selects",
        ingress("{from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: ui}}}]}"),
        "ops/agent > shop/api 8080",
        NO,
    ),
    Case("host-network pods are their node", DENY_IN, "ops/agent > shop/db 5432", YES, "own node is always allowed"),
    Case(
        "host-network pods have their node's address",
        ingress("{from: [{ipBlock: {cidr: 172.18.0.2/32}}]}"),
        "ops/agent > shop/api 8080",
        YES,
    ),
    Case(
        "to a host-network pod elsewhere, by address",
        egress("{to: [{ipBlock: {cidr: 172.18.0.2/32}}]}", "{matchLabels: {app: api}}"),
        "shop/api > ops/agent 8080",
        YES,
    ),
    Case(
        "a pod to itself", {**DENY_IN, **egress("")}, "shop/ui > shop/ui 8080", YES, "sends to itself is always allowed"
    ),
    Case("outside to outside", DENY_IN, "external:client > external:rival 1 address", YES, "outside the cluster"),
]

SERVICES = [
    Case(
        "policies are about the pod's port: the target",
        ingress("{ports: [{port: 8080}]}"),
        "shop/ui > svc:shop/api 80",
        YES,
        "Service shop/api leads to shop/api on 8080/TCP. egress: no policy isolates shop/ui.",
    ),
    Case("the Service's port is not the pod's", ingress("{ports: [{port: 80}]}"), "shop/ui > svc:shop/api 80", NO),
    Case("egress names the target port", egress("{ports: [{port: 8080}]}"), "shop/ui > svc:shop/api 80", YES),
    Case(
        "egress by port name",
        egress("{ports: [{port: http}]}"),
        "shop/ui > svc:shop/api 80",
        YES,
        egress="spec.egress[0]",
    ),
    Case(
        "egress by selector",
        egress("{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}"),
        "shop/ui > svc:shop/api 80",
        YES,
    ),
    Case(
        "an ipBlock of Service addresses is open",
        egress("{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}"),
        "shop/ui > svc:shop/api 80",
        OPEN,
        "unspecified at egress: an ipBlock decides, and the API leaves open whether it sees the Service's address",
    ),
    Case(
        "an ipBlock of pod addresses is open too",
        egress("{to: [{ipBlock: {cidr: 10.244.0.0/16}}]}"),
        "shop/ui > svc:shop/api 80",
        OPEN,
    ),
    Case(
        "an ipBlock of both is clear",
        egress("{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}"),
        "shop/ui > svc:shop/api 80",
        YES,
    ),
    Case(
        "an ipBlock of neither is clear",
        egress("{to: [{ipBlock: {cidr: 192.0.2.0/24}}]}"),
        "shop/ui > svc:shop/api 80",
        NO,
    ),
    Case(
        "an ipBlock of both with the pod's port is open",
        egress("{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 8080}]}"),
        "shop/ui > svc:shop/api 80",
        OPEN,
    ),
    Case(
        "a selector that allows settles what an ipBlock leaves open",
        egress("{to: [{ipBlock: {cidr: 10.96.0.0/12}}, {podSelector: {matchLabels: {app: api}}}]}"),
        "shop/ui > svc:shop/api 80",
        YES,
    ),
    Case(
        "a denial at the pod decides even when egress is open",
        {**egress("{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}"), "shop/lock": "{podSelector: {matchLabels: {app: api}}}"},
        "shop/ui > svc:shop/api 80",
        NO,
        "denied at ingress: NetworkPolicy shop/lock",
    ),
    Case(
        "a headless Service is the pod's own address and port",
        egress("{to: [{ipBlock: {cidr: 10.244.0.0/16}}], ports: [{port: 8080}]}, {ports: [{port: 53, protocol: UDP}]}"),
        "shop/ui > svc:shop/plain 8080 name",
        YES,
    ),
    Case("backends that agree", DENY_IN, "ops/ui > svc:shop/back 80", NO),
    Case(
        "a name resolves for each backend", ingress("{ports: [{port: http}]}", "{}"), "ops/ui > svc:shop/back 80", YES
    ),
    Case(
        "backends that disagree are open",
        {"shop/lock": "{podSelector: {matchLabels: {app: worker}}}"},
        "ops/ui > svc:shop/back 80",
        OPEN,
        "unspecified: the pods behind Service shop/back differ, and any of them may answer. ",
    ),
    Case(
        "no pod behind it",
        {},
        "shop/ui > svc:shop/ghost 80",
        OPEN,
        "no pod is behind port 80/TCP of Service shop/ghost",
    ),
    Case("no pod has the target's name", {}, "shop/ui > svc:shop/api 9000", OPEN, "no pod is behind port 9000/TCP"),
    Case(
        "hairpin with a policy is open", DENY_IN, "shop/api > svc:shop/api 80", OPEN, "reaches itself through its own"
    ),
    Case("hairpin without a policy", {}, "shop/api > svc:shop/api 80", YES),
    Case(
        "hairpin through a headless Service is the own address",
        DENY_IN,
        "shop/api > svc:shop/plain 8080 name",
        YES,
    ),
]

DNS = [
    Case(
        "DNS is denied with the rest",
        DENY_OUT,
        "shop/ui > svc:kube-system/kube-dns 53/UDP",
        NO,
        "kube-system/coredns-1",
    ),
    Case(
        "DNS by labels",
        egress(
            "{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, "
            "podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}]}"
        ),
        "shop/ui > svc:kube-system/kube-dns 53/UDP",
        YES,
        egress="spec.egress[0].to[0]",
    ),
    Case(
        "DNS over TCP needs its own entry",
        egress("{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}"),
        "shop/ui > svc:kube-system/kube-dns 53/TCP",
        NO,
        "names this peer, but only for port 53/UDP",
    ),
    Case(
        "a podSelector alone does not reach DNS",
        egress("{to: [{podSelector: {}}]}"),
        "shop/ui > svc:kube-system/kube-dns 53/UDP",
        NO,
    ),
    Case(
        "DNS by the Service's address is open",
        egress("{to: [{ipBlock: {cidr: 10.96.0.10/32}}], ports: [{port: 53, protocol: UDP}]}"),
        "shop/ui > svc:kube-system/kube-dns 53/UDP",
        OPEN,
    ),
]

NODE_PORTS = [
    Case(
        "Local keeps the source",
        ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"),
        "external:client > svc:shop/open 80 nodeport",
        YES,
    ),
    Case(
        "Local keeps a foreign source",
        ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"),
        "external:rival > svc:shop/open 80 nodeport",
        NO,
    ),
    Case(
        "Cluster may rewrite the source",
        ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"),
        "external:client > svc:shop/open-cluster 80 nodeport",
        OPEN,
        "unspecified at ingress: an ipBlock or selector decides by the source",
    ),
    Case(
        "Cluster and a foreign source",
        ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"),
        "external:rival > svc:shop/open-cluster 80 nodeport",
        OPEN,
    ),
    Case("Cluster without an ipBlock", DENY_IN, "external:client > svc:shop/open-cluster 80 nodeport", NO),
    Case(
        "Cluster, every source",
        ingress("{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}"),
        "external:client > svc:shop/open-cluster 80 nodeport",
        YES,
    ),
    Case(
        "the node port is not the pod's",
        ingress("{ports: [{port: 30080}]}"),
        "external:client > svc:shop/open 80 nodeport",
        NO,
    ),
    Case(
        "a pod through a node port is open",
        egress("{to: [{podSelector: {matchLabels: {app: api}}}]}"),
        "shop/ui > svc:shop/open 80 nodeport",
        OPEN,
        "a node port's traffic is first to a node",
    ),
    Case("a denied pod through a node port is open", DENY_OUT, "shop/ui > svc:shop/open 80 nodeport", OPEN),
    Case("a pod allowed everything", egress("{}"), "shop/ui > svc:shop/open 80 nodeport", YES),
    Case(
        "a pod's labels may be lost on the way",
        ingress("{from: [{podSelector: {matchLabels: {app: ui}}}]}"),
        "shop/ui > svc:shop/open 80 nodeport",
        OPEN,
    ),
    Case("the own node through Local", DENY_IN, "node:1 > svc:shop/open 80 nodeport", YES),
]

CASES = [*ISOLATION, *PEERS, *PORTS, *BLOCKS, *NODES, *SERVICES, *DNS, *NODE_PORTS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_api_text(case: Case) -> None:
    decision = decide(case.policies, case.probe, **case.more)
    assert decision.specified is case.expected, decision.because
    assert case.says in decision.because
    assert not case.egress or decision.egress.at == case.egress
    assert not case.ingress or decision.ingress.at == case.ingress


def test_ids_are_unique() -> None:
    assert len({case.id for case in CASES}) == len(CASES)


def test_the_sides_name_policy_rule_and_peer() -> None:
    decision = decide(
        {
            "shop/ui": """
                podSelector: {matchLabels: {app: ui}}
                policyTypes: [Egress]
                egress:
                  - {to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}
                  - {to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 8080}]}
            """
        },
        "shop/ui > shop/api 8080",
    )
    assert decision.because == (
        "egress: shop/ui is isolated by NetworkPolicy shop/ui; its egress rule 2 (to pods app=api, port 8080/TCP) "
        "allows this. ingress: no policy isolates shop/api."
    )
    side = decision.egress
    assert (side.isolated, side.isolating, side.allowed) == (True, ("NetworkPolicy shop/ui",), True)
    assert (side.policy, side.rule) == ("NetworkPolicy shop/ui", "egress rule 2 (to pods app=api, port 8080/TCP)")
    assert (side.peer, side.at, side.rules) == ("pods app=api", "spec.egress[1].to[0]", 2)
    assert (decision.ingress.isolated, decision.ingress.allowed, decision.ingress.policy) == (False, True, "")


def test_many_isolating_policies_are_counted_not_listed() -> None:
    names = {f"shop/p{number}": "{podSelector: {}}" for number in range(6)}
    said = decide(names, "ops/ui > shop/api 8080").because
    assert "NetworkPolicy shop/p0, NetworkPolicy shop/p1, NetworkPolicy shop/p2 and 3 more isolate shop/api" in said


@pytest.mark.parametrize(
    ("policies", "text", "expected"),
    [
        (ingress("{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}"), "external:client > shop/api 8080", OPEN),
        (ingress("{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}"), "external:client > shop/api 8080", YES),
        (ingress("{from: [{ipBlock: {cidr: '::/0'}}]}"), "external:client > shop/api 8080", NO),
        (ingress("{from: [{podSelector: {}}]}"), "shop/ui > shop/api 8080", YES),
        (DENY_IN, "node:0 > shop/api 8080", OPEN),
        (ingress("{}"), "node:0 > shop/api 8080", YES),
        (egress("{to: [{namespaceSelector: {}}]}"), "shop/ui > svc:kube-system/kube-dns 53/UDP", YES),
        (DENY_OUT, "shop/ui > svc:kube-system/kube-dns 53/UDP", NO),
    ],
)
def test_without_a_placement_only_addresses_and_nodes_are_open(
    policies: dict[str, str], text: str, expected: Specified
) -> None:
    assert decide(policies, text, placement=Placement(addresses={})).specified is expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("shop/uii > shop/api 8080", "no endpoint 'shop/uii' in the topology; did you mean 'shop/ui'?"),
        ("shop/ui > shop/apo 8080", "no endpoint 'shop/apo' in the topology; did you mean 'shop/api'?"),
        ("shop/ui > svc:shop/apo 80", "no Service 'svc:shop/apo' in the topology; did you mean 'svc:shop/api'?"),
        ("shop/ui > svc:shop/api 81", "Service svc:shop/api has no port 81/TCP; it has 80/TCP and 9000/TCP"),
        ("shop/ui > shop/api 80 service", "via service needs a Service as its destination"),
    ],
)
def test_a_probe_of_what_does_not_exist_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        decide({}, text)
    assert sentence in str(caught.value)


def everybody(name: str, action: Any, precedence: tuple[float, ...], *, isolates: bool = False) -> Policy:
    return Policy(
        ref=f"Test {name}",
        subject=PodPeer(pods=Selector()),
        isolates=frozenset({"ingress"} if isolates else ()),
        rules=(
            Rule(
                direction="ingress",
                index=0,
                peers=(PodPeer(pods=Selector(requirements=(Requirement(key="app", operator="In", values=("ui",)),))),),
                ports=None,
                action=action,
            ),
        ),
        precedence=precedence,
    )


(DENY_ALL,) = read(manifest("shop/deny", "{podSelector: {}}"))


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ((everybody("deny", "deny", (100.0, 1.0)),), NO),
        ((everybody("allow", "allow", (100.0, 1.0)), DENY_ALL), YES),
        ((everybody("pass", "pass", (100.0, 1.0)), everybody("allow", "allow", (100.0, 2.0)), DENY_ALL), NO),
        ((everybody("pass", "pass", (100.0, 1.0)), everybody("deny", "deny", (100.0, 2.0))), YES),
        ((everybody("allow", "allow", (100.0, 1.0)), everybody("deny", "deny", (100.0, 2.0))), YES),
        ((everybody("allow", "allow", (100.0, 1.0)), everybody("deny", "deny", (100.0, 1.0))), NO),
        ((everybody("deny", "deny", (2000.0,)), everybody("allow", "allow", (1000.0,), isolates=True)), YES),
    ],
)
def test_precedence(policies: tuple[Policy, ...], expected: Specified) -> None:
    decision = Evaluator(policies, TOPOLOGY, PLACEMENT).decide(probe("ops/ui > shop/api 8080"))
    assert decision.specified is expected, decision.because


def test_a_denying_rule_is_named() -> None:
    evaluator = Evaluator((everybody("deny", "deny", (100.0,)),), TOPOLOGY, PLACEMENT)
    assert evaluator.decide(probe("ops/ui > shop/api 8080")).because == (
        "denied at ingress: ingress rule 1 (from pods app=ui in all namespaces, every port) of Test deny denies this."
    )


def test_equal_pods_are_judged_once() -> None:
    """The promise behind large topologies: what is worked out grows with distinct pods, not with pods."""
    twins = tuple(replace(TOPOLOGY.pods[0], name=f"ui-{number}") for number in range(50))
    topology = replace(TOPOLOGY, pods=(*TOPOLOGY.pods, *twins))
    policies = read_policies(
        [manifest("shop/in", ingress("{from: [{podSelector: {matchLabels: {app: ui}}}]}")["shop/in"])]
    )
    evaluator = Evaluator(policies, topology, PLACEMENT)
    for twin in twins:
        asked = Probe(source=twin.id, destination="shop/api", port=8080)
        assert evaluator.decide(asked).specified is YES
    assert len(evaluator._sides) == 2
