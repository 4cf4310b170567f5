"""tinyserve setup"""

from __future__ import annotations

import click


@click.command(name="setup")
@click.option(
    "--frontend", "frontends", multiple=True, required=True, metavar="NAME",
    help="keras2, onnx or pytorch: installed apart, in the cache directory; repeatable.",
)  # fmt: skip
def command(frontends: tuple[str, ...]) -> None:
    """Install what clashes with other packages: front ends get an environment of their own."""
    from tinyserve.cli.progress import progress
    from tinyserve.convert import provision

    with progress() as report:
        places = [(name, provision.provision(name, report)) for name in frontends]
    for name, place in places:
        click.echo(f"{name}: {place}")
