# SPDX-License-Identifier: Apache-2.0
"""tinyserve mlperf-runner"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD
from tinyserve.cli.options import PATH, Making

if TYPE_CHECKING:
    from tinyserve.devices.runner import Runner


@click.command(
    name="mlperf-runner",
    context_settings={"ignore_unknown_options": True},
    epilog="Example: tinyserve mlperf-runner tiny/benchmark/runner --model kws.tflite --board nano33"
    " -- --mode=p --dataset_path=datasets",
)
@click.argument("directory", type=PATH)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENTS]")
@click.option("--board", required=True, type=BOARD, help="The board, or whose twin is started.")
@click.option("--model", "source", type=PATH, metavar="SOURCE", help="What the twin runs; not with --port.")
@click.option("--port", metavar="PORT", help="A board that runs the firmware already; 'auto' finds it.")
@click.option(
    "--python", default=sys.executable, metavar="EXE",
    help="Interpreter with the runner's packages.  [default: tinyserve's own]",
)  # fmt: skip
@click.option(
    "--recordings", type=PATH, metavar="DIR",
    help="What stands for the interface board's SD card in the streaming test, for a twin.  "
    "[default: sd_card in DIRECTORY]",
)  # fmt: skip
@options.making
def command(
    *,
    directory: Path,
    arguments: tuple[str, ...],
    board: str,
    source: Path | None,
    port: str | None,
    python: str,
    recordings: Path | None,
    making: Making,
) -> int:
    """Run MLCommons' MLPerf Tiny runner, unmodified, on a board or its twin.

    DIRECTORY is benchmark/runner of a checkout of mlcommons/tiny; ARGUMENTS are the runner's own. The
    runner scans USB devices for ports: the board's port, or the twin's pseudo-terminal, is offered under the
    id of the first dut in its devices.yaml. The exit status is the runner's, or 128 plus the number of the
    signal that ended it. For the twin of a streaming model (sww01) it also finds an interface board, which
    plays recordings into the twin.

    A twin's time stamps are estimates of a cycle model; figures that the runner derives from them are no
    measurements.
    """
    from tinyserve import boards
    from tinyserve.devices.runner import Runner
    from tinyserve.errors import UsageError

    if making.feed != "whole":
        raise UsageError(
            "--feed rows: MLPerf Tiny's runner sends an input once and infers it many times",
            "leave --feed rows out; `tinyserve bench --feed rows` measures it",
        )
    runner = Runner(directory, arguments, python)
    runner.check()
    chosen = boards.load(board)
    if (port is None) == (source is None):
        raise UsageError("either a twin or a board", "--model SOURCE for the twin, or --port for the board")
    if port is not None:
        from tinyserve.devices.ports import is_url
        from tinyserve.devices.serial import require_port

        found = require_port(chosen, port)
        if is_url(found):
            raise UsageError(f"--port {port}: the runner opens ports of this computer alone", "name one")
        runner.start(found)
        try:
            return runner.wait()
        finally:
            runner.stop()
    assert source is not None
    return _on_twin(runner, source, board, making, recordings or directory / SD_CARD)


def _on_twin(runner: Runner, source: Path, board: str, making: Making, recordings: Path) -> int:
    from tinyserve import boards, workflow
    from tinyserve.cli.progress import progress
    from tinyserve.devices import open_device
    from tinyserve.devices.pty import serve
    from tinyserve.devices.runner import InterfaceBoard

    chosen = boards.load(board)
    kind = workflow.choose_emulator(chosen, True, None, None)
    with progress() as report:
        firmware = making.timed_twin(source, chosen, report, emulate=workflow.is_twin(chosen))
    with open_device(firmware, chosen, emulator=kind) as device:
        click.echo(f"{device.description}; times are estimates", err=True)
        try:
            if not firmware.project.hears:
                serve(device, runner.start, runner.is_over, pulse_s=PULSE_S)
                return runner.wait()
            with InterfaceBoard(device, recordings) as heard:
                serve(
                    device, lambda port: runner.start(port, heard.port), runner.is_over, pulse_s=PULSE_S,
                    poll=heard.poll,
                )  # fmt: skip
            return runner.wait()
        finally:
            runner.stop()


SD_CARD = "sd_card"
PULSE_S = 2.0
"""The runner gives up after five seconds without a line, which an emulated inference may take."""
