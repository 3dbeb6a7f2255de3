"""netproof: NetworkPolicy conformance against real CNIs."""

import sys

__version__ = "0.1.0"
__all__ = ["__version__"]

# pytest rewrites the asserts of all that a plugin's package imports, and does so in every process where no bytecode may
# be written: a third of a second. There is no public way to decline it but a word in every module.
for _finder in sys.meta_path:
    getattr(_finder, "_must_rewrite", set()).discard(__name__)
