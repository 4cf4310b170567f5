# SPDX-License-Identifier: Apache-2.0
"""The worker process ends with the conversation, whatever it is doing."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tinyserve.convert.worker import messages

_BUSY = """
    import threading
    from tinyserve.convert import server
    from tinyserve.convert.worker import messages
    def answer(self, request):
        self.say("busy", 0, 0)
        threading.Event().wait()
    server.Server.answer = answer
    server.main()
"""


def test_it_ends_in_the_middle_of_its_work_when_the_parent_has_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_BUSY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(messages.encode(messages.RunOriginal(Path("in"), Path("out"))))
        process.stdin.flush()
        assert b"busy" in process.stdout.readline()
        process.stdin.close()  # as the parent's death does
        try:
            assert process.wait(60) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            pytest.fail("the worker goes on for nobody")
