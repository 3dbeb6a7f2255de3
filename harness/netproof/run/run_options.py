"""What the user asked of a run, the same for each of its CNIs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """`token`: the secret word without which agents do not answer. `worker`: the xdist worker's name, or ''."""

    run_id: str
    token: str
    report_dir: Path
    command: str = ""
    artifacts: str = ""
    reuse_cluster: str = ""
    keep_cluster: str = "never"
    fault: str = ""
    worker: str = ""
