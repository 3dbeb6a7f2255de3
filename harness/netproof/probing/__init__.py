"""Packets on the wire: the agent in the pod, the client that drives it, and rounds until a matrix is settled."""

from netproof.probing.client import Fleet
from netproof.probing.rounds import Reading, Round, Rounds
from netproof.probing.settle import Settled, settle

__all__ = ["Fleet", "Reading", "Round", "Rounds", "Settled", "settle"]
