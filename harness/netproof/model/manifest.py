"""A Kubernetes object as plain data. Dialects and deliberately odd objects go the same way: none has its own type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]
