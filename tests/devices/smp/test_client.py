# SPDX-License-Identifier: Apache-2.0
"""What a client says of lines on which no answer comes, whatever else does."""

from __future__ import annotations

import re
import time

import pytest

from tinyserve.devices.link import Link, NoAnswer
from tinyserve.devices.smp.client import OS, Command, SmpClient

ECHO = Command(OS, 0, "echo")


class Noise(Link):
    """A device that says the same for ever."""

    def __init__(self, said: bytes) -> None:
        super().__init__("a device")
        self._said = said

    def _send(self, data: bytes) -> None:
        pass

    def _receive(self, timeout_s: float) -> bytes:
        time.sleep(min(timeout_s, 0.01))
        return self._said


@pytest.mark.parametrize(
    "said", [b"", b"I (123) wifi: connected\r\n", b"half a line", b"\x06\x09AAAA\n", b"\xff\n"]
)
def test_no_answer_is_said_with_the_whole_time_and_how_often_was_asked(said: bytes) -> None:
    client = SmpClient(Noise(said), timeout_s=0.1, tries=2)
    with pytest.raises(NoAnswer, match=re.escape("within 0.1 s")) as caught:
        client.read(ECHO)
    assert "(asked 2 times for echo)" in caught.value.message
