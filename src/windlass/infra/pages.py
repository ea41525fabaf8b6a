"""Pages that stand by themselves: no script, nothing loaded, one style whose hash is in the page's policy.

What a stranger said reaches a page through one gate: `finalize` makes the invisible visible, and Jinja2 escapes it.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from windlass.infra.escapes import visible


def render(package: str, template: str, styles: tuple[str, ...], **values: Any) -> str:
    """The page that `template` of `package` makes of `values`; it gets `style` (the files of `styles` in a row) and `style_hash` too."""
    style = "".join(text(package, name) for name in styles)
    return _template(package, template).render(
        style=Markup(style),  # noqa: S704  # our own files
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        **values,
    )


def text(package: str, name: str) -> str:
    """A file that lies in a package of ours."""
    return resources.files(package).joinpath(name).read_text("utf-8")


@lru_cache(maxsize=8)
def _template(package: str, name: str) -> Template:
    environment = Environment(
        loader=FunctionLoader(lambda file: text(package, file)),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _shown(value: Any) -> Any:
    return visible(value) if type(value) is str else value
