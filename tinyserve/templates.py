"""Renders the Jinja templates of firmware projects."""

from __future__ import annotations

from collections.abc import Mapping

import jinja2

from tinyserve.resources import data_directory


def render_template(name: str, context: Mapping[str, object]) -> str:
    """A template's text; files without a .j2 are taken as they are."""
    root = data_directory("firmware_templates")
    plain = root / name
    if plain.is_file():
        return plain.read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(root),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(f"{name}.j2").render(context)
