# SPDX-License-Identifier: Apache-2.0
"""Inferences on a device while a meter records."""

from __future__ import annotations

import time

from tinyserve.bench.energy.analysis import measure
from tinyserve.bench.energy.meter import Meter, Recording
from tinyserve.bench.result import Energy
from tinyserve.devices.client import Client

IDLE_S = 0.25


def run(meter: Meter, client: Client, runs: int) -> Energy:
    """Energy of ``runs`` inferences of the input that is loaded, with idle time before and after them.

    Raises DeviceError when meter or device fail, DataError when the trace shows no inference.
    """
    with Recording(meter) as recording:
        time.sleep(IDLE_S)
        client.infer(runs, 0)
        time.sleep(IDLE_S)
    return measure(recording.trace)
