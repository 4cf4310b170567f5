# SPDX-License-Identifier: Apache-2.0
"""tinyserve update"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tinyserve.cli.completion import BUNDLE
from tinyserve.cli.console import echo
from tinyserve.cli.field.connect import connection
from tinyserve.cli.options import PATH
from tinyserve.words import counted

if TYPE_CHECKING:
    from tinyserve.health.profile import Profile
    from tinyserve.slots.connection import Target


@click.command(name="update")
@click.argument("image", type=PATH)
@click.option("--no-confirm", is_flag=True, help="Leave the model on trial: it ends after three boots.")
@click.option(
    "--fleet", type=PATH, metavar="TOML", help="Bring it to the devices of this file, in stages; resumable."
)
@click.option(
    "--canary", default="1", show_default=True, metavar="N", help="Devices that have it first: 1, or 5%."
)
@click.option(
    "--then", multiple=True, default=["all"], metavar="N",
    help="Devices that have it after the next stage: 5, 10% or all; repeatable.  [default: all]",
)  # fmt: skip
@click.option(
    "--wait", "wait_s", type=click.FloatRange(0, 30 * 86_400), default=0.0, metavar="SECONDS",
    help="How long the devices of a stage are on trial before they are looked at.",
)  # fmt: skip
@click.option(
    "--watch", type=BUNDLE, metavar="BUNDLE",
    help="Compare counters with this bundle's profile after the wait: drift ends the rollout.",
)  # fmt: skip
@click.option(
    "--record", type=PATH, metavar="FILE",
    help="What happened to each device, a JSON line each.  [default: beside the fleet's file]",
)  # fmt: skip
@connection
def command(
    *,
    image: Path,
    no_confirm: bool,
    fleet: Path | None,
    canary: str,
    then: tuple[str, ...],
    wait_s: float,
    watch: Path | None,
    record: Path | None,
    target: Target,
) -> int:
    """Put a signed model image on a device, or on a fleet: upload, verify, prove, try, confirm.

    IMAGE is the directory that `tinyserve sign` wrote, or one image of it. The device checks signature,
    counter, core, interface and RAM, and computes the golden vector, before it serves the model. What it
    refuses leaves the model that it had, and ends with exit status 10 and the device's reason. An upload that
    was interrupted goes on where it ended.
    """
    from tinyserve.cli.progress import progress
    from tinyserve.slots.connection import connect
    from tinyserve.slots.update import images, update

    if fleet is not None:
        return _update_fleet(image, fleet, target, Staging(canary, then, wait_s, watch, record))
    offered = images(image)
    with progress() as report, connect(target, report) as device:
        done = update(device, offered, confirm=not no_confirm, progress=report)
    state = "confirmed" if done.confirmed else "on trial, not confirmed"
    before = "was there already, " if done.was_there else ""
    echo(f"slot {done.slot}: {done.image.path} {before}{state}")
    return 0


@dataclass(frozen=True)
class Staging:
    """How a fleet is updated: the options beside --fleet."""

    canary: str
    then: tuple[str, ...]
    wait_s: float
    watch: Path | None
    record: Path | None


def _update_fleet(image: Path, fleet: Path, target: Target, staging: Staging) -> int:
    from tinyserve.cli.progress import progress
    from tinyserve.errors import UsageError
    from tinyserve.locks import alone
    from tinyserve.slots.fleet import config
    from tinyserve.slots.fleet.record import Entry, Record
    from tinyserve.slots.fleet.rollout import Plan, Rollout
    from tinyserve.slots.fleet.stages import sizes
    from tinyserve.slots.update import images

    if target.port is not None or target.twin is not None:
        raise UsageError("--fleet names the devices", "leave --port and --emulate out")
    devices = config.load(fleet)
    offered = images(image)
    model = offered[0].model_sha256.hex()
    reference, labels = _reference(staging.watch, model)
    plan = Plan(offered, sizes(staging.canary, staging.then, len(devices)), staging.wait_s, reference, labels)
    place = staging.record or fleet.with_name(f"{fleet.stem}.rollout.jsonl")

    def say(entry: Entry) -> None:
        echo(f"{entry.device}: {entry.event}{f' ({entry.detail})' if entry.detail else ''}")

    with progress() as report, alone(place, report):
        absent = Rollout(devices, plan, Record(place, model), say, report).run()
    if absent:
        echo(f"not reached: {', '.join(absent)}; run the same command again for them", err=True)
        return 8
    echo(
        f"{len(devices[: plan.sizes[-1]])} of "
        f"{counted(len(devices), 'device has', 'devices have')} {offered[0].path.parent}"
    )
    return 0


def _reference(watch: Path | None, model: str) -> tuple[Profile | None, Sequence[str]]:
    from tinyserve import bundle as bundles
    from tinyserve.errors import ModelError
    from tinyserve.health import profile

    if watch is None:
        return None, ()
    made = bundles.load(watch)
    reference = profile.load(watch)
    if reference is None or made.manifest.model_sha256 != model:
        raise ModelError(
            f"--watch {watch}: has {'no reference profile' if reference is None else 'another model'}",
            "name the bundle that the image was signed from, converted with --representative DATA",
        )
    return reference, made.manifest.labels
