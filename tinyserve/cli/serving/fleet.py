# SPDX-License-Identifier: Apache-2.0
"""tinyserve fleet"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH, chain

_server = chain(
    click.option(
        "--url", default="http://127.0.0.1:8000", show_default=True, help="Where the server listens."
    ),
    click.option("--token-file", type=PATH, metavar="FILE", help="The server's bearer token."),
    click.option(
        "--authority", type=PATH, metavar="PEM", help="Certificate that the server's is checked by."
    ),
)


@click.group(name="fleet")
def command() -> None:
    """Show what the members of a running server do, or restart them."""


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_server
def status(*, as_json: bool, url: str, token_file: Path | None, authority: Path | None) -> None:
    """Show models and members, their state and why they do not serve. Exit status 8 if a model has none that
    does."""
    import msgspec

    from tinyserve.errors import DeviceError
    from tinyserve.report.serving import fleet as text
    from tinyserve.serve.asking import Server

    found = Server(url, token_file, authority).status()
    if as_json:
        echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        for line in text.lines(found):
            echo(line)
    idle = [model.name for model in found.models if model.state != "READY"]
    if idle:
        raise DeviceError(f"no member serves {', '.join(idle)}", "`tinyserve fleet reset MEMBER`")


@command.command()
@click.argument("name")
@_server
def reset(*, name: str, url: str, token_file: Path | None, authority: Path | None) -> None:
    """Restart the member NAME, or each member of the group NAME; others take over what it computes."""
    from tinyserve.serve.asking import Server

    Server(url, token_file, authority).reset(name)
