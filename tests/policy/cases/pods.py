"""Isolation, and rules that name pods and ports."""

from __future__ import annotations

from . import DENY_IN, DENY_OUT, NO, YES, Case, egress, ingress

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

CASES = [*ISOLATION, *PEERS, *PORTS]
