# SPDX-License-Identifier: Apache-2.0
"""tinyserve predict"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli import options
from tinyserve.cli.completion import BOARD, SOURCE
from tinyserve.cli.console import echo
from tinyserve.cli.options import PATH, SOURCE_HELP, Converting

if TYPE_CHECKING:
    from tinyserve.bundle import Bundle
    from tinyserve.predict.engines import Runner
    from tinyserve.predict.mqtt.address import Messages
    from tinyserve.predict.run import Summary
    from tinyserve.predict.watch import Outcome, Predict


@dataclass(frozen=True)
class Place:
    """What computes, as the options name it."""

    on: str
    board: str | None
    port: str | None
    jobs: int | None
    scheduler: str
    model_name: str
    token_file: Path | None


@click.command(name="predict", epilog=SOURCE_HELP)
@click.argument("source", type=SOURCE)
@click.argument("data")
@click.option(
    "--out", required=True, metavar="PLACE",
    help="A .sqlite database, postgresql://USER@HOST/DATABASE, mqtt://USER@HOST/TOPIC, or a directory for"
    " Parquet files.",
)  # fmt: skip
@click.option(
    "--query", default="", metavar="SQL",
    help="What to read from DATA, which then is a .sqlite file or postgresql://…: a row is a sample.",
)  # fmt: skip
@click.option(
    "--on", "place", default="host", show_default=True, metavar="PLACE",
    help="What computes: host, twin, or the URL of an inference endpoint.",
)  # fmt: skip
@click.option("--board", type=BOARD, help="The board whose twins compute, or the one at --port.")
@click.option("--port", metavar="PORT", help="Serial port of a real board that computes.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Threads, twins or connections.  [default: cores]")
@click.option(
    "--scheduler", default="", metavar="ADDRESS", help="A Dask cluster that computes: tcp://HOST:PORT."
)
@click.option(
    "--model-name", default="", metavar="NAME", help="What an endpoint calls it.  [default: its name]"
)
@click.option("--token-file", type=PATH, metavar="FILE", help="An endpoint's bearer token.")
@click.option("--output", default="", metavar="NAME", help="The output to keep, of a model that has several.")
@click.option(
    "--verify", default="0%", show_default=True, metavar="SHARE",
    help="Compute that share again with the portable kernels: 0.1%.",
)  # fmt: skip
@click.option(
    "--expect", "expects", multiple=True, metavar="CLASS=LOW%..HIGH%",
    help="Publish only if the class has that share; repeatable.",
)  # fmt: skip
@click.option(
    "--drift", is_flag=True, help="Publish only if the data looks like what the model was converted with."
)
@click.option(
    "--piece",
    type=click.IntRange(1, 1 << 20),
    default=8192,
    show_default=True,
    help="Samples written at once.",
)
@click.option(
    "--watch", "every_s", type=click.FloatRange(0.05, 86_400), metavar="SECONDS",
    help="Look for files in the directory DATA that often, without end; each is a job of its own. Of mqtt://…:"
    " what has come until then.",
)  # fmt: skip
@click.option("--broker-password", type=PATH, metavar="FILE", help="The password of the broker's user.")
@click.option(
    "--broker-authority", type=PATH, metavar="PEM", help="Certificate that the broker's is checked by."
)
@click.option(
    "--spool", type=PATH, default="tinyserve.spool", show_default=True, metavar="DIR",
    help="Where messages wait that are not predicted, or not sent yet.",
)  # fmt: skip
@options.conversion
def command(
    *,
    source: Path,
    data: str,
    out: str,
    query: str,
    place: str,
    board: str | None,
    port: str | None,
    jobs: int | None,
    scheduler: str,
    model_name: str,
    token_file: Path | None,
    output: str,
    verify: str,
    expects: tuple[str, ...],
    drift: bool,
    piece: int,
    every_s: float | None,
    broker_password: Path | None,
    broker_authority: Path | None,
    spool: Path,
    converting: Converting,
) -> None:
    """Write predictions of all samples of DATA to a database or Parquet files.

    Each sample is there exactly once, however often this is run and whatever ended it before: run again, it
    goes on where it was. All become visible at once, when all are there and as --expect wants them (else
    exit status 3). DATA: .npz, .npy, .csv, .parquet, images, audio, a directory of them, a database, or
    mqtt://USER@HOST/FILTER with --watch.
    """
    from tinyserve import workflow
    from tinyserve.bench.accuracy.dataset import output_place
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError
    from tinyserve.predict import gate
    from tinyserve.predict.mqtt.address import Messages, is_mqtt
    from tinyserve.predict.run import Settings, predict
    from tinyserve.report.serving import predict as text

    if every_s is not None and query:
        raise UsageError("--watch looks for files, --query asks a database", "give one of them")
    messages = Messages(broker_password, broker_authority, spool)
    if is_mqtt(data) and every_s is None:
        raise UsageError(f"{data}: how long are messages collected?", "--watch SECONDS")
    wanted = tuple(gate.parse(one) for one in expects)
    share = _share(verify)
    with progress() as report:
        made = workflow.to_bundle(source, converting.conversion(), report)
        runner = _runner(made, Place(place, board, port, jobs, scheduler, model_name, token_file))
        settings = Settings(
            output_place(made.manifest, output), piece, converting.settings().reading, share, wanted, drift
        )

        def of(samples: Path, place: str) -> Summary:
            return predict(
                made, samples, out=place, runner=runner, settings=settings, messages=messages, progress=report
            )

        if every_s is not None:
            _report(_jobs(data, out, made, of, every_s=every_s, messages=messages), out)
        with _data(data, query, made) as samples:
            summary = of(samples, out)
    for line in text.lines(summary, out):
        echo(line)


def _jobs(
    data: str, out: str, made: Bundle, predict: Predict, *, every_s: float, messages: Messages
) -> Iterator[Outcome]:
    from tinyserve.predict.mqtt.address import is_mqtt
    from tinyserve.predict.watch import watch

    if not is_mqtt(data):
        return watch(Path(data), out, predict, every_s)
    from tinyserve.predict.mqtt.collect import collect

    def say(line: str) -> None:
        echo(line, err=True)

    return collect(data, out, made, predict, every_s=every_s, messages=messages, say=say)


def _report(outcomes: Iterator[Outcome], out: str) -> None:
    """Until Ctrl-C or SIGTERM."""
    from tinyserve.errors import TinyserveError
    from tinyserve.predict.watch import place_of
    from tinyserve.report.serving import predict as text

    for path, outcome in outcomes:
        if isinstance(outcome, TinyserveError):
            echo(f"{path}: {outcome}", err=True)
            continue
        echo(f"{path}:")
        for line in text.lines(outcome, place_of(out, path)):
            echo(line)


@contextmanager
def _data(data: str, query: str, made: Bundle) -> Iterator[Path]:
    """Where the samples lie: of a database, in a copy that is gone afterwards."""
    from tinyserve.databases import is_url, without_password
    from tinyserve.datasets import queries
    from tinyserve.errors import UsageError

    if not query:
        if is_url(data):
            raise UsageError(f"{without_password(data)}: what is to be read?", 'name it: --query "SELECT …"')
        yield Path(data)
        return
    if not is_url(data) and not Path(data).is_file():
        raise UsageError(f"{data}: no such file", "a .sqlite file, or postgresql://USER@HOST/DATABASE")
    with tempfile.TemporaryDirectory(prefix="tinyserve-") as folder:
        rows = Path(folder, "query")
        rows.mkdir()
        queries.save(data, query, made.manifest.inputs, rows)
        yield rows


def _runner(made: Bundle, asked: Place) -> Runner:
    from tinyserve import platforms
    from tinyserve.errors import UsageError
    from tinyserve.predict import engines

    if asked.scheduler and (asked.port or asked.on != "host"):
        raise UsageError("--scheduler is a place that computes, too", "leave out --on and --port")
    if asked.port is not None or asked.on == "twin":
        if asked.board is None:
            raise UsageError("no board is named", "--board nano33; `tinyserve boards` lists them")
        count = 1 if asked.port is not None else asked.jobs or platforms.here().processors()
        return engines.Devices(made, engines.members(asked.board, asked.port or "twin", count))
    if "://" in asked.on:
        name = asked.model_name or made.manifest.name
        return engines.Endpoint(
            made, asked.on.rstrip("/"), name, asked.jobs or 4, token_file=asked.token_file
        )
    if asked.on != "host":
        raise UsageError(f"--on {asked.on}: not a place that computes", "host, twin, or http://HOST:PORT")
    return engines.Host(made, asked.jobs, asked.scheduler)


def _share(text: str) -> float:
    from tinyserve.errors import UsageError

    try:
        share = float(text.strip().removesuffix("%")) / (100 if "%" in text else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--verify {text}: not a share", "for example --verify 0.1%")
    return share
