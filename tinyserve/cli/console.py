# SPDX-License-Identifier: Apache-2.0
"""The consoles: results go to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tinyserve.escapes import terminal

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_COLUMNS = 120


def stdout() -> Console:
    """For results. A pipe has no width: lines are not folded to 80 columns there. With --plain there are no
    frames and no colours."""
    plain = _is_plain()
    return _console(width=None if sys.stdout.isatty() and not plain else _PIPE_COLUMNS, plain=plain)


def _is_plain() -> bool:
    """Whether the command line says --plain."""
    import click

    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("plain"))


def stderr() -> Console:
    """For what moves while a command runs."""
    return _console(stderr=True)


def echo(text: str, err: bool = False) -> None:
    """A line that is no table, with what it quotes made visible; on stderr with ``err``. Where that stream
    is gone
    or can't be written, nothing is said of it."""
    import click

    with contextlib.suppress(*((OSError, ValueError) if err else ())):
        click.echo(terminal(text), err=err)


def _console(width: int | None = None, stderr: bool = False, plain: bool = False) -> Console:
    """A console to which no string is markup, and no name an escape sequence: styles are the reports' own."""
    from rich.console import Console, ConsoleOptions, Group, RenderableType
    from rich.panel import Panel
    from rich.segment import Segment
    from rich.text import Text

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Left to the command line, which knows what it means: rich would exit with 1."""
            raise  # noqa: PLE0704 - called where BrokenPipeError is handled

        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(terminal(text), **how)

        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            if isinstance(renderable, Text) and terminal(renderable.plain) != renderable.plain:
                renderable = renderable.copy()
                renderable.plain = terminal(renderable.plain)
            if plain and isinstance(renderable, Panel):
                renderable = Group(renderable.title or "", renderable.renderable)
            return iter(super().render(renderable, options))

    return Plain(
        width=width, stderr=stderr, markup=False, emoji=False, highlight=False,
        no_color=plain, color_system=None if plain else "auto",
    )  # fmt: skip
