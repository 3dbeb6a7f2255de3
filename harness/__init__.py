"""netproof: NetworkPolicy conformance against real CNIs."""

__version__ = "0.1.0"
__all__ = ["__version__"]
