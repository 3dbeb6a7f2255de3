"""What policies mean for every pod to every pod at once: exact, for thousands of pods and policies.

The matrix is held in factors, never cell by cell:

1. Pods that no policy tells apart (labels equal as far as selectors look, the same ports, in the same ipBlocks) are one
   *class* (`Evaluator.alike`).
2. A cell needs both of its sides, and a side is a matter of its subject's policies only. So each class has, for each
   direction and port, one row of bits over all classes: far ends that it allows, and far ends that are left open.
3. A row's far ends fall into *blocks* that the subject's own policies do not tell apart. One member of a block is
   judged, by the evaluator itself, and answers for its block: no rule of the API is said a second time here.

What of a cell is not a matter of classes is asked of the evaluator: pods on a node's own network.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from netproof.errors import InputError
from netproof.model import Pod, Probe, Specified
from netproof.model.topology import Family, Protocol
from netproof.policy.evaluator import Evaluator
from netproof.policy.rules import Direction, Leaf, leaves

DIRECTIONS: tuple[Direction, Direction] = ("egress", "ingress")


class MatrixRow(NamedTuple):
    """Bit n is the class n as the far end."""

    allowed: int
    left_open: int


class WholeMatrix:
    """Sources are rows, destinations are columns, for each of `ports`; probes go to pods' addresses of one family."""

    def __init__(
        self, evaluator: Evaluator, pods: Iterable[Pod], ports: Sequence[tuple[int, Protocol]], family: Family = 4
    ) -> None:
        """Raises InputError for a pod that the evaluator does not know."""
        self._evaluator, self._family, self.ports = evaluator, family, tuple(ports)
        self.classes: list[list[str]] = []
        """The ids of each class's pods."""
        self._class_of: dict[str, int] = {}
        self._alone = 0
        """The classes of one pod that is on a node's own network."""
        by_ports: defaultdict[object, int] = defaultdict(int)
        known: dict[Hashable, int] = {}
        for pod in pods:
            key = evaluator.classify(pod.id, family)
            place = known.setdefault(pod.id if key is None else key, len(known))
            if place == len(self.classes):
                self.classes.append([])
                if key is None:
                    self._alone |= 1 << place
                else:
                    by_ports[pod.ports] |= 1 << place
            self.classes[place].append(pod.id)
            self._class_of[pod.id] = place
        self._by_ports = list(by_ports.values())
        self._masks: dict[Leaf, tuple[int, int]] = {}
        self._rows: dict[tuple[Direction, tuple[int, str]], list[MatrixRow]] = {
            (direction, port): [] for direction in DIRECTIONS for port in self.ports
        }
        for place in range(len(self.classes)):
            for direction in DIRECTIONS:
                self._judge(direction, place)

    def __getitem__(self, asked: Probe) -> Specified:
        """What is specified for an echo probe to a pod's address. Raises InputError for what the matrix has not."""
        port = (asked.port, asked.protocol)
        known = {asked.source, asked.destination} <= self._class_of.keys() and port in self.ports
        if not known or asked.via != "pod" or asked.kind != "echo" or asked.family != self._family:
            raise InputError(f"{asked}: not in this matrix")
        if asked.source == asked.destination:
            return Specified.CONNECTED
        source, destination = self._class_of[asked.source], self._class_of[asked.destination]
        if self._alone >> source & 1 or self._alone >> destination & 1:
            return self._evaluator.decide(asked).specified
        egress, ingress = self._rows["egress", port][source], self._rows["ingress", port][destination]
        connected, denied = _both(egress, ingress, destination, source)
        return Specified.CONNECTED if connected else Specified.DENIED if denied else Specified.UNSPECIFIED

    @property
    def cells(self) -> int:
        """Every pod to every other pod on every port."""
        return len(self._class_of) * (len(self._class_of) - 1) * len(self.ports)

    def counts(self) -> Counter[Specified]:
        """How many of the cells are what."""
        found: Counter[Specified] = Counter()
        sizes: defaultdict[int, int] = defaultdict(int)
        for place, members in enumerate(self.classes):
            if not self._alone >> place & 1:
                sizes[len(members)] |= 1 << place
        for port in self.ports:
            egress, ingress = self._rows["egress", port], self._rows["ingress", port]
            allowed = transpose([row.allowed for row in ingress])
            possible = transpose([row.allowed | row.left_open for row in ingress])
            for source, members in enumerate(self.classes):
                row = egress[source]
                connected = row.allowed & allowed[source]
                perhaps = (row.allowed | row.left_open) & possible[source] & ~connected
                for size, mask in sizes.items():
                    found[Specified.CONNECTED] += len(members) * size * (connected & mask).bit_count()
                    found[Specified.UNSPECIFIED] += len(members) * size * (perhaps & mask).bit_count()
                # A pod to itself is no cell.
                found[Specified.CONNECTED] -= len(members) * (connected >> source & 1)
                found[Specified.UNSPECIFIED] -= len(members) * (perhaps >> source & 1)
            found.update(self._asked_one_by_one(port))
        found[Specified.DENIED] = self.cells - found[Specified.CONNECTED] - found[Specified.UNSPECIFIED]
        return found

    def _asked_one_by_one(self, port: tuple[int, Protocol]) -> Counter[Specified]:
        found: Counter[Specified] = Counter()
        hosts = [members[0] for place, members in enumerate(self.classes) if self._alone >> place & 1]
        for host in hosts:
            for place, members in enumerate(self.classes):
                if members[0] == host:
                    continue
                ways = [(host, members[0])] if self._alone >> place & 1 else [(host, members[0]), (members[0], host)]
                for source, destination in ways:
                    asked = Probe(
                        source=source, destination=destination, port=port[0], protocol=port[1], family=self._family
                    )
                    found[self._evaluator.decide(asked).specified] += len(members)
        return found

    def _judge(self, direction: Direction, place: int) -> None:
        """Add the class's row for each port."""
        subject = self.classes[place][0]
        blocks = [] if self._alone >> place & 1 else self._blocks(direction, subject)
        firsts = [self.classes[(block & -block).bit_length() - 1][0] for block in blocks]
        for port in self.ports:
            allowed = left_open = 0
            for block, first in zip(blocks, firsts, strict=True):
                side = self._evaluator.decide_direction(direction, subject, first, *port, family=self._family)
                if side.allowed:
                    allowed |= block
                elif side.allowed is None:
                    left_open |= block
            self._rows[direction, port].append(MatrixRow(allowed, left_open))

    def _blocks(self, direction: Direction, subject: str) -> list[int]:
        """Far ends that none of the subject's policies tells apart, each block as bits of classes."""
        policies = self._evaluator.governing(direction, subject, self._family)
        if not policies:
            return [sum(self._by_ports)]
        rules = (rule for policy in policies for rule in policy.rules if rule.direction == direction)
        blocks = self._by_ports
        for leaf in dict.fromkeys(leaf for rule in rules for leaf in leaves(rule.peers or ())):
            for mask in self._meant(leaf):
                blocks = [part for block in blocks for part in (block & mask, block & ~mask) if part]
        return blocks

    def _meant(self, leaf: Leaf) -> tuple[int, int]:
        """The classes that a peer surely means, and those that it perhaps means."""
        if leaf not in self._masks:
            surely = perhaps = 0
            for place, members in enumerate(self.classes):
                meant = self._evaluator.means(leaf, members[0], self._family)
                if meant:
                    surely |= 1 << place
                elif meant is None:
                    perhaps |= 1 << place
            self._masks[leaf] = (surely, perhaps)
        return self._masks[leaf]


def _both(egress: MatrixRow, ingress: MatrixRow, destination: int, source: int) -> tuple[bool, bool]:
    """Whether a cell is connected, and whether it is denied."""
    sides = [
        (row.allowed >> far & 1, row.left_open >> far & 1) for row, far in ((egress, destination), (ingress, source))
    ]
    return all(allowed for allowed, _ in sides), any(not (allowed or open) for allowed, open in sides)


def transpose(rows: Sequence[int]) -> list[int]:
    """A square of bits, each row an int with bit n for column n, with rows and columns exchanged."""
    texts = [f"{row:0{len(rows)}b}" for row in reversed(rows)]
    return [int("".join(column), 2) for column in zip(*texts, strict=True)][::-1]
