# SPDX-License-Identifier: Apache-2.0
"""tinyserve serve"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH

if TYPE_CHECKING:
    from tinyserve.serve.observe.log import Style


@click.command(name="serve")
@click.argument("fleet", type=PATH)
@click.option(
    "--spill", type=click.Choice(["host"]), help="What answers when the members can't in time: this computer."
)
@click.option(
    "--cache", type=click.IntRange(min=0, max=10_000_000), default=0, metavar="N",
    help="Keep the last N answers per model, by the input's bytes.",
)  # fmt: skip
@click.option(
    "--log", "style", type=click.Choice(["text", "json"]),
    help="Write what members and models do to stderr, a line each.  [default: faults alone]",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Read FLEET and the models, then exit.")
def command(*, fleet: Path, spill: str | None, cache: int, style: Style | None, check: bool) -> None:
    """Serve the boards, twins and hosts of FLEET (a fleet.toml) over the Open Inference Protocol.

    Its addresses are printed on stdout when it listens. SIGTERM and Ctrl-C end it: what was admitted is
    answered first.
    """
    from tinyserve.cli.progress import progress
    from tinyserve.serve import config, credentials, served

    parsed = config.load(fleet)
    if check:
        credentials.load(parsed)
        with progress() as report:
            for name in parsed.models:
                loaded = served.load(name, parsed, report)
                echo(f"{name} {loaded.version}: {loaded.sha256}")
        return
    from tinyserve.serve.gateway import Options
    from tinyserve.serve.observe import log
    from tinyserve.serve.running import Addresses, run

    def announce(addresses: Addresses) -> None:
        echo(addresses.rest)
        if addresses.grpc:
            echo(f"grpc://{addresses.grpc}")

    level = logging.WARNING if style is None else logging.INFO
    with log.configured(style or "text", level=level), progress() as report:
        run(parsed, Options(spill == "host", cache), announce, report)
