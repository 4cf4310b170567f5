# SPDX-License-Identifier: Apache-2.0
"""tinyserve doctor"""

from __future__ import annotations

import click

from tinyserve.cli.completion import BOARD


@click.command(name="doctor")
@click.option("--board", type=BOARD, help="Mark what this board requires.")
@click.option("--emulate", is_flag=True, help="What the board's twin needs, not the board itself.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, board: str | None, emulate: bool, as_json: bool) -> int:
    """Show what this machine has, what is missing, and the command that installs each.

    Exits with status 6 where something needed is missing.
    """
    from tinyserve import boards, doctor

    findings = doctor.examine(boards.load(board) if board else None, emulate)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2))
    else:
        from tinyserve.cli.console import stdout
        from tinyserve.report.text.doctor import findings_table

        stdout().print(findings_table(findings))
    return 6 if any(finding.needed and not finding.ok for finding in findings) else 0
