# SPDX-License-Identifier: Apache-2.0
"""tinyserve profile"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, EMULATOR, SOURCE
from tinyserve.cli.options import PATH, SOURCE_HELP, Making


@click.command(name="profile", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.option("--board", required=True, type=BOARD, help="The board, or its twin for a real one.")
@options.twin_anyway
@click.option("--emulator", type=EMULATOR, help="The emulator: unicorn, qemu, renode or host.")
@click.option("--json", "as_json", type=PATH, metavar="FILE", help="Write the profile as JSON.")
@click.option("--html", "as_html", type=PATH, metavar="FILE", help="Write the profile as an HTML page.")
@options.making
def command(
    *,
    source: Path,
    board: str,
    emulator: str | None,
    as_json: Path | None,
    as_html: Path | None,
    making: Making,
) -> None:
    """Count instructions per layer and per function of one inference, with bytes read and written.

    Exact and repeatable in Unicorn, QEMU and, with valgrind, on this computer (--board host).
    """
    import msgspec

    from tinyserve import boards, files, workflow
    from tinyserve.bench.counts import profiling
    from tinyserve.cli.console import stdout
    from tinyserve.cli.progress import progress
    from tinyserve.report.html import profile as profile_html
    from tinyserve.report.text.profile import profile_view

    for path in (as_json, as_html):
        if path is not None:
            files.check_writable(path)
    chosen = boards.load(board)
    kind = workflow.choose_emulator(chosen, True, emulator, None) or ""
    with progress() as report:
        made, firmware = making.firmware(source, chosen, report, emulate=workflow.is_twin(chosen))
        profile = profiling.run(made, firmware, kind, making.optimize, report)
    stdout().print(profile_view(profile))
    if as_json is not None:
        files.write(as_json, msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n")
    if as_html is not None:
        files.write(as_html, profile_html.encode(profile).encode())
