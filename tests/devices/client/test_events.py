# SPDX-License-Identifier: Apache-2.0
"""Events in the answer to ``ts-infer%``: read whole, and refused where they contradict the model."""

from __future__ import annotations

import pytest

from tinyserve.compiler.events import Event
from tinyserve.devices.client.answers import parse_events
from tinyserve.errors import DeviceError
from tinyserve.report.protocol import explain

SIZES = (4, 300, 0)


def test_an_event_brings_the_bytes_of_its_outputs() -> None:
    lines = [
        "ts-ticks-[5]",
        "ts-event-[event,3,41,656000,0,0]",
        "ts-ticks-[6]",
        "ts-event-[large,0,42,672000,0,2]",
        f"ts-payload-[{'01' * 4}]",
        f"ts-payload-[{'02' * 256}]",
        f"ts-payload-[{'03' * 44}]",
    ]
    assert parse_events(lines, SIZES) == [
        Event("event", 3, 41, 656000),
        Event("large", 0, 42, 672000, (b"\1" * 4, b"\2" * 256 + b"\3" * 44)),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        ["ts-event-[event,-1,0,0,0,0]"],
        ["ts-event-[event,4294967295,0,0,0,0]"],
        ["ts-event-[Ev ent,1,0,0,0,0]"],
        ["ts-event-[event,1,0,0,0]"],
        ["ts-event-[event,1,0,0,2,2]", "ts-payload-[]"],
        ["ts-event-[event,1,0,0,0,1]"],
        ["ts-event-[event,1,0,0,0,1]", "ts-ticks-[1]"],
        ["ts-event-[event,1,0,0,0,1]", "ts-payload-[0102]"],
        ["ts-event-[event,1,0,0,0,1]", "ts-payload-[0102030405]"],
        ["ts-event-[event,1,0,0,0,1]", "ts-payload-[010203zz]"],
        ["ts-event-[event,1,0,99999999999999999999,0,0]"],
        ["ts-payload-[01]"],
    ],
)
def test_what_contradicts_the_model_is_malformed(lines: list[str]) -> None:
    with pytest.raises(DeviceError, match="malformed"):
        parse_events(lines, SIZES)


def test_the_monitor_says_what_an_event_is() -> None:
    assert explain("ts-event-[event,3,41,656000,0,0]") == "event: class 3 in inference 41, at sample 656000"
    assert explain("ts-event-[large,0,41,656000,1,1]").startswith("large is asked for in inference 41")
