# SPDX-License-Identifier: Apache-2.0
"""tinyserve health"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli.completion import BUNDLE
from tinyserve.cli.console import echo
from tinyserve.cli.field.connect import connection
from tinyserve.cli.options import PATH

if TYPE_CHECKING:
    from tinyserve.bundle import Bundle, Manifest
    from tinyserve.health.counters import Counters
    from tinyserve.health.profile import Profile
    from tinyserve.health.verdict import Verdict
    from tinyserve.slots.audit import Audit
    from tinyserve.slots.connection import Target
    from tinyserve.slots.fleet.watch import Reading


@click.command(name="health")
@click.argument("bundle", type=BUNDLE)
@click.option(
    "--merge", "readings", multiple=True, type=PATH, metavar="JSON",
    help="Add an earlier --json, of this device or of others; repeatable. Alone it needs no device.",
)  # fmt: skip
@click.option("--fleet", type=PATH, metavar="TOML", help="Read all devices of this file, and their sum.")
@click.option(
    "--audit", "audited", type=click.IntRange(1, 100_000), metavar="N",
    help="Compute N inputs on the device and on this computer: differing bytes are a hardware fault.",
)  # fmt: skip
@click.option("--clear", is_flag=True, help="Reset the device's counters after reading them.")
@click.option(
    "--min-count", type=click.IntRange(min=0), default=0, show_default=True, metavar="K",
    help="Leave counts below K out of the files, for privacy.",
)  # fmt: skip
@click.option("--json", "json_file", type=PATH, metavar="FILE", help="Write counters and verdict as JSON.")
@click.option("--prometheus", type=PATH, metavar="FILE", help="Write them as Prometheus text.")
@click.option(
    "--html", type=PATH, metavar="FILE", help="Write a page with the histograms over the reference's."
)
@click.option("--parquet", type=PATH, metavar="FILE", help="Write the histograms as a table.")
@click.option(
    "--tfdv", type=PATH, metavar="FILE",
    help="Write them as statistics that TensorFlow Data Validation reads.",
)  # fmt: skip
@connection
def command(
    *,
    bundle: Path,
    readings: tuple[Path, ...],
    fleet: Path | None,
    audited: int | None,
    clear: bool,
    min_count: int,
    json_file: Path | None,
    prometheus: Path | None,
    html: Path | None,
    parquet: Path | None,
    tfdv: Path | None,
    target: Target,
) -> int:
    """Read a device's counters, and compare them with the profile in BUNDLE: exit status 3 on drift.

    The profile is of the representative data that the bundle was converted with. Devices count sixteenths of
    the values' range, scores and classes; inputs never leave them.
    """
    from tinyserve import bundle as bundles
    from tinyserve.errors import DeviceError, ModelError, UsageError
    from tinyserve.health import profile
    from tinyserve.health.counters import merged
    from tinyserve.health.reach import reach
    from tinyserve.health.verdict import FALSE_ALARM_RATE, judge
    from tinyserve.report.health.files import hidden, read_json
    from tinyserve.report.text.health import audit_lines, health_lines, reach_line

    made = bundles.load(bundle)
    reference = profile.load(bundle)
    if reference is None:
        raise ModelError(
            f"{bundle} has no reference profile", "convert again with --representative DATA: real data"
        )
    counted = [read_json(path) for path in readings]
    audit = None
    absent = False
    if fleet is not None:
        read = _read_fleet(fleet, made, reference, clear)
        counted += [one.counters for one in read if one.counters is not None]
        absent = any(one.counters is None for one in read)
        if not counted:
            raise DeviceError(f"{fleet}: no device gave counters", "connect them, and try again")
    elif target.twin is not None or target.port is not None or not counted:
        seen, audit = _read_device(target, clear, made, audited)
        counted.append(seen)
    elif audited is not None:
        raise UsageError("--audit asks a device", "--port or --emulate names one")
    seen = merged(counted)
    if seen.model_sha256 != made.manifest.model_sha256:
        raise ModelError(
            f"the counters are of model {seen.model_sha256[:16] or 'none'}, {bundle} has "
            f"{made.manifest.model_sha256[:16]}",
            "name the bundle that the device's image was signed from: tinyserve slots shows its model",
        )
    verdict = judge(reference, seen, made.manifest.labels)
    forms = Forms(json_file, prometheus, html, parquet, tfdv)
    forms.write(made.manifest, reference, hidden(seen, min_count), verdict)
    for line in health_lines(seen, verdict):
        echo(line)
    can_find = reach(reference, FALSE_ALARM_RATE, seen.looked_at) if verdict.state == "ok" else None
    if can_find is not None:
        echo(reach_line(can_find))
    if audit is not None:
        for line in audit_lines(audit):
            echo(line)
        audit.check()
    return 3 if verdict.state == "drift" else 8 if absent else 0


def _read_fleet(fleet: Path, made: Bundle, reference: Profile, clear: bool) -> list[Reading]:
    """Of each device, said in a line each."""
    from tinyserve.cli.progress import progress
    from tinyserve.health.verdict import judge
    from tinyserve.report.text.health import reading_line
    from tinyserve.slots.fleet import config
    from tinyserve.slots.fleet.watch import read_fleet

    with progress() as report:
        found = read_fleet(config.load(fleet), made.manifest.model_sha256, clear, report)
    for one in found:
        verdict = judge(reference, one.counters, made.manifest.labels) if one.counters else None
        echo(reading_line(one, verdict))
    return found


@dataclass(frozen=True)
class Forms:
    """The files that are wanted."""

    json: Path | None
    prometheus: Path | None
    html: Path | None
    parquet: Path | None
    tfdv: Path | None

    def write(self, manifest: Manifest, reference: Profile, seen: Counters, verdict: Verdict) -> None:
        """Raises FileSystemError."""
        from tinyserve.files import write
        from tinyserve.report.health import files, table, tfdv
        from tinyserve.report.health.series import series_of
        from tinyserve.report.html.health import as_html

        series = series_of(reference, seen, manifest)
        name = manifest.name
        made: list[tuple[Path | None, Callable[[], bytes]]] = [
            (self.json, lambda: files.as_json(seen, verdict)),
            (self.prometheus, lambda: files.as_prometheus(name, seen, verdict)),
            (self.html, lambda: as_html(name, series, seen, verdict)),
            (self.parquet, lambda: table.as_parquet(series, seen)),
            (self.tfdv, lambda: tfdv.as_tfdv(series, reference, seen)),
        ]
        for path, content in made:
            if path is not None:
                write(path, content())


def _read_device(
    target: Target, clear: bool, made: Bundle, audited: int | None
) -> tuple[Counters, Audit | None]:
    from tinyserve.cli.progress import progress
    from tinyserve.health.counters import read
    from tinyserve.slots.audit import audit
    from tinyserve.slots.connection import connect

    with progress() as report, connect(target, report) as device:
        state = device.health()
        seen = read(state.data, state.sha256)
        if clear:
            device.clear_health()
        return seen, audit(device, made, audited, report) if audited is not None else None
