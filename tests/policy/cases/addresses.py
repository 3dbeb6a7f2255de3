"""Rules that name addresses, and destinations that are no pods: nodes, Services, DNS, node ports."""

from __future__ import annotations

from . import DENY_IN, DENY_OUT, NO, OPEN, YES, Case, egress, ingress

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

CASES = [*BLOCKS, *NODES, *SERVICES, *DNS, *NODE_PORTS]
