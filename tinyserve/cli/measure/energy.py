# SPDX-License-Identifier: Apache-2.0
"""tinyserve energy"""

from __future__ import annotations

from pathlib import Path

import click

from tinyserve.cli.options import PATH
from tinyserve.words import counted

_METER_HELP = "ppk2[:PORT], joulescope, lpm01a:PORT, serial:PORT or file:TRACE.csv."


@click.group(name="energy")
def command() -> None:
    """Record a current trace with a meter, and report the energy per inference.

    `bench --energy METER` does both around a bench on a real board.
    """


@command.command()
@click.option("--meter", required=True, metavar="METER", help=_METER_HELP)
@click.option("-o", "--output", type=PATH, required=True, metavar="CSV", help="File for the recorded trace.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds to record; Ctrl-C stops early and keeps the samples so far.",
)
@click.option(
    "--supply-v",
    type=click.FloatRange(min=0, min_open=True),
    metavar="V",
    help="Supply voltage.  [default: 3.3]",
)
def record(meter: str, output: Path, seconds: float, supply_v: float | None) -> None:
    """Record a trace to a CSV file."""
    import time
    from contextlib import closing

    from tinyserve.bench import energy
    from tinyserve.bench.energy import trace
    from tinyserve.bench.energy.meter import Recording
    from tinyserve.cli.progress import progress
    from tinyserve.files import check_writable

    check_writable(output)
    with closing(energy.open_meter(meter, supply_v)) as device, progress() as report:
        with Recording(device) as recording:
            end = time.monotonic() + seconds
            try:
                while (left := end - time.monotonic()) > 0 and not recording.failed():
                    report("recording", round(seconds - left), round(seconds))
                    time.sleep(min(left, 0.1))
            except KeyboardInterrupt:
                click.echo("stopped early", err=True)
        trace.save(recording.trace, output)
    click.echo(f"{output}: {counted(len(recording.trace), 'sample')}, {recording.trace.dropped:,} dropped")


@command.command()
@click.argument("trace_file", type=PATH, metavar="TRACE")
@click.option(
    "--supply-v",
    type=click.FloatRange(min=0, min_open=True),
    metavar="V",
    help="Supply voltage, where the trace file does not state it.",
)
@click.option(
    "--per-window",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of inferences per window.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(trace_file: Path, supply_v: float | None, per_window: int, as_json: bool) -> None:
    """Energy per inference of a recorded trace: windows cut, idle subtracted."""
    from tinyserve.bench.energy import trace
    from tinyserve.bench.energy.analysis import measure

    found = measure(trace.load(trace_file, supply_v), per_window)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    from tinyserve.cli.console import stdout
    from tinyserve.report.text.energy import energy_table

    stdout().print(energy_table(found))
