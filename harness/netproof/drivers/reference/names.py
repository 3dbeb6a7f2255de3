"""What the cluster's DNS answers for a topology. Pure. Names are those of the Kubernetes DNS specification."""

from __future__ import annotations

from netproof.drivers.reference.addresses import KUBERNETES_SERVICE
from netproof.drivers.reference.ranges import family
from netproof.model import External, Placement, Topology

DOMAIN = "cluster.local"


def table(topology: Topology, placement: Placement) -> dict[str, list[str]]:
    """Name -> addresses. A headless Service's are its pods'."""
    families = {family(address) for group in placement.addresses.values() for address in group}
    names = {f"kubernetes.default.svc.{DOMAIN}": [a for a in KUBERNETES_SERVICE if family(a) in families]}
    for service in topology.services:
        owners = [pod.id for pod in topology.backends(service)] if service.headless else [service.id]
        name = f"{service.name}.{service.namespace}.svc.{DOMAIN}"
        names[name] = [address for owner in owners for address in placement.addresses[owner]]
    for external in topology.externals:
        names[placement.hostnames[external.id]] = list(placement.addresses[external.id])
    return names


def hostname(external: External) -> str:
    """The name under which pods find an outside peer."""
    return f"{external.name}.peers.test"


def search(namespace: str) -> list[str]:
    """The search domains of a pod in this namespace."""
    return [f"{namespace}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN]
