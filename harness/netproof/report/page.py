"""What every HTML page shares: one file that opens from anywhere, with no outside resource and no server.

A page is `templates/NAME.html.j2` on `page.html.j2`, with NAME.css and NAME.js after page.css and page.js. The script
may read one block of JSON; a Content-Security-Policy allows this script and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from netproof.model.verdict import WHOSE
from netproof.report import findings, settling
from netproof.report.findings import Standing, seconds
from netproof.wording import count, link_docs, several

if TYPE_CHECKING:
    from jinja2 import Environment


def draw(name: str, data: Any, *, globals: Mapping[str, Any], **values: Any) -> str:
    """A whole page. `data` is what its script reads; `globals` are the functions that its template calls."""
    script = _read("page.js") + _read(f"{name}.js")
    return (
        _environment()
        .get_template(f"{name}.html.j2", globals=dict(globals))
        .render(
            **values,
            style=Markup(_read("page.css") + _read(f"{name}.css")),
            script=Markup(script),
            digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data=_json(data),
        )
    )


def prepare(name: str) -> None:
    """Compile a page's templates, which takes longer than to draw a small page: for who has to wait anyway."""
    for template in ("page", "parts", name):
        _environment().get_template(f"{template}.html.j2")


def slug(*words: str) -> str:
    """Words as an anchor."""
    return "-".join(re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") for word in words if word)


def anchor(**parts: str) -> str:
    """The part of an address that says what a page shows, as its script writes it."""
    return "#" + "&".join(f"{name}={quote(value, safe='/:,')}" for name, value in parts.items())


def _json(data: Any) -> Markup:
    """JSON for a script element: no `<`, so that no text of a cluster can end the element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _read(name: str) -> str:
    return (resources.files("netproof.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters |= {"seconds": seconds, "slug": slug, "several": several}
    environment.filters |= {"name": findings.name, "docs": link_docs}
    environment.tests["answered"] = lambda row: any(trait and trait.measured for trait in row)
    environment.globals |= {
        "findings": findings,
        "settling": settling,
        "Standing": Standing,
        "WHOSE": WHOSE,
        "count": count,
        "slug": slug,
    }
    return environment
