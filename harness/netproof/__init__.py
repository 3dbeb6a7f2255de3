"""netproof: NetworkPolicy conformance against real CNIs.

PYTEST_DONT_REWRITE: nothing here asserts.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
