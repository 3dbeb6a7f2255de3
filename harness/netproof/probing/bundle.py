"""The agent as one file, which travels into every pod and peer: an archive that `python3` runs."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent / "agent"
START = "import sys\nfrom agent.main import main\nsys.exit(main(sys.argv[1:]))\n"


@cache
def archive() -> bytes:
    """The same bytes for the same source: pods are told apart by them."""
    made = io.BytesIO()
    texts = {f"agent/{path.name}": path.read_text(encoding="utf-8") for path in sorted(SOURCE.glob("*.py"))}
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in {"__main__.py": START, **texts}.items():
            bundle.writestr(zipfile.ZipInfo(name), text, compress_type=zipfile.ZIP_DEFLATED)
    return made.getvalue()
