"""tinyserve device"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.options import PATH, SOURCE_HELP

if TYPE_CHECKING:
    from tinyserve.codegen.program import Optimize
    from tinyserve.firmware.toolchain import Name as ToolchainName


@click.command(name="device", epilog=SOURCE_HELP)
@click.argument("source", type=PATH)
@click.option("--board", required=True, metavar="NAME", help="The board whose twin is started.")
@click.option("--emulator", metavar="KIND", help="unicorn, qemu, renode or host.")
@click.option("--pty", is_flag=True, help="Serve on a pseudo-terminal, until Ctrl-C.", required=True)
@click.option("--energy-mode", is_flag=True, help="MLPerf Tiny's: time stamps are edges of a pin, not lines.")
@options.optimize
@options.engine
@options.toolchain
@options.conversion
def command(
    *,
    source: Path,
    board: str,
    emulator: str | None,
    pty: bool,
    energy_mode: bool,
    optimize: Optimize,
    engine: str,
    toolchain: ToolchainName,
    representative: str | None,
    quantize: str,
    bundle: Path | None,
) -> None:
    """Leave an emulated board standing on a pty, as a serial port for any MLPerf Tiny runner.

    The port's path is printed on stdout as soon as programs may open it.
    """
    from tinyserve import boards, road
    from tinyserve.cli.progress import progress
    from tinyserve.devices import open_device
    from tinyserve.devices.pty import serve

    chosen = boards.load(board)
    kind = road.choose_emulator(chosen, True, emulator, None)
    with progress() as report:
        made = road.to_bundle(source, road.Conversion(representative, quantize, bundle), report)
        compiled = road.to_compiled(made, chosen, optimize, report, engine=engine)
        build = road.Build(optimize, engine, toolchain, road.is_twin(chosen), energy_mode=energy_mode)
        firmware = road.to_firmware(made, compiled, chosen, build, report)
    with open_device(firmware, chosen, emulator=kind) as device:
        click.echo(device.description, err=True)
        serve(device, click.echo)
