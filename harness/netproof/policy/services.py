"""Where a Service leads: to which pods, and to which of their ports."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from netproof.errors import InputError
from netproof.model.topology import DNS_SERVICE, Pod, Service, Topology
from netproof.model.traffic import Probe
from netproof.policy.decision import join_names


class Services:
    """The Services of a topology, and the cluster's DNS, which no topology lists. Remembers what it worked out."""

    def __init__(self, topology: Topology, dns: tuple[Pod, ...]) -> None:
        self._topology = topology
        self._by_id = {service.id: service for service in (*topology.services, DNS_SERVICE)}
        self._backends: dict[str, tuple[Pod, ...]] = {DNS_SERVICE.id: dns}

    def __iter__(self) -> Iterator[str]:
        """Their ids."""
        return iter(self._by_id)

    def resolve(self, probe: Probe) -> Service:
        """The Service that a probe goes to. Raises InputError where there is none, or it has no such port."""
        service = self._by_id.get(probe.destination)
        if service is None:
            near = get_close_matches(probe.destination, list(self), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"no Service {probe.destination!r} in the topology{hint}")
        if not any((port.port, port.protocol) == (probe.port, probe.protocol) for port in service.ports):
            has = join_names([f"{port.port}/{port.protocol}" for port in service.ports]) if service.ports else "none"
            raise InputError(f"Service {service.id} has no port {probe.port}/{probe.protocol}; it has {has}")
        return service

    def backends(self, service: Service) -> tuple[Pod, ...]:
        """The pods behind it. One without a selector has no pods of its own (Service.spec.selector)."""
        if service.id not in self._backends:
            self._backends[service.id] = self._topology.backends(service) if service.selector else ()
        return self._backends[service.id]

    def destinations(self, service: Service, probe: Probe) -> Iterator[tuple[str, int | None]]:
        """Where it leads: the ids of pods or outside hosts, and the port that is dialled there, where there is one."""
        named = next(p for p in service.ports if (p.port, p.protocol) == (probe.port, probe.protocol))
        for pod in self.backends(service):
            # A headless Service is only a name: nothing translates its ports.
            port = probe.port if service.headless else pod.port_number(named.target, probe.protocol)
            yield pod.id, port
        for end in service.backends:
            ports = [port.port for port in end.ports if (port.name, port.protocol) == (named.name, named.protocol)]
            yield end.to, ports[0] if ports else named.target if isinstance(named.target, int) else None
