# SPDX-License-Identifier: Apache-2.0
"""A fleet's state on the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from tinyserve.escapes import visible
from tinyserve.serve.status import FleetStatus, MemberStatus
from tinyserve.words import counted


def lines(fleet: FleetStatus) -> Iterator[str]:
    """Per model a line, and a line for each member."""
    for model in fleet.models:
        yield (
            f"{visible(model.name)} {visible(model.version)}: {model.state.lower()}"
            f"{f' ({visible(model.reason)})' if model.reason else ''}, {model.inferences:,} answered,"
            f" {model.waiting:,} waiting, model {model.sha256[:12]}"
        )
        yield from (f"  drift: {visible(words)}" for words in model.drift)
        width = max((len(visible(one.name)) for one in model.members), default=0)
        yield from (_member(one, width) for one in model.members)


def _member(one: MemberStatus, width: int) -> str:
    place = "this computer" if one.kind == "host" else f"{one.kind} {visible(one.board)}"
    if one.kind == "board":
        place += f" at {visible(one.link)}"
    text = f"  {visible(one.name):{width}}  {one.state:8}  {place}, {counted(one.inferences, 'inference')}"
    if one.bound_ms:
        text += f", at most {one.bound_ms:.4g} ms"
    if one.firmware:
        text += f", firmware {visible(one.firmware)[:16]}"
    if one.faults:
        text += f", {one.faults} fault{'s' if one.faults > 1 else ''}"
    return f"{text}: {visible(one.reason)}" if one.reason else text
