# SPDX-License-Identifier: Apache-2.0
"""The worker process: what it says is heard, and however it ends, the caller gets one clear error."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tinyserve.convert.worker import messages
from tinyserve.convert.worker.child import Worker
from tinyserve.errors import DataError, ModelError, ToolError

PREFACE = """
    import os, sys, time
    from tinyserve.convert.worker import messages
    def answer(reply):
        sys.stdout.buffer.write(messages.encode(reply)); sys.stdout.buffer.flush()
    sys.stdin.readline()
"""


@contextmanager
def worker(
    tmp_path: Path, body: str, timeout_s: float = 60.0
) -> Iterator[tuple[Worker, list[tuple[str, int, int]]]]:
    """A worker process that reads one request and then does ``body``."""
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(PREFACE) + textwrap.dedent(body))
    steps: list[tuple[str, int, int]] = []
    with Worker(lambda *step: steps.append(step), timeout_s, command=[sys.executable, str(script)]) as made:
        yield made, steps


REQUEST = messages.RunOriginal(Path("in"), Path("out"))


def test_steps_reach_the_callback_under_the_stages_name(tmp_path: Path) -> None:
    with worker(tmp_path, "answer(messages.Step('run', 3, 9)); answer(messages.Done('keras'))") as (
        made,
        steps,
    ):
        assert made.ask(REQUEST, "quantize").framework == "keras"
        assert steps == [("quantize", 3, 9)]


def test_an_understood_failure_keeps_its_class_and_hint(tmp_path: Path) -> None:
    with (
        worker(tmp_path, "answer(messages.Failed('DataError', 'what', 'try'))") as (made, _),
        pytest.raises(DataError) as caught,
    ):
        made.ask(REQUEST, "load")
    assert (caught.value.message, caught.value.hint) == ("what", "try")


def test_an_unexpected_failure_shows_the_log(tmp_path: Path) -> None:
    body = "sys.stderr.write('E tensorflow: node 7 exploded\\n'); sys.stderr.flush()\n"
    body += "answer(messages.Failed('ModelError', 'RuntimeError: boom', '', unexpected=True))"
    with worker(tmp_path, body) as (made, _), pytest.raises(ModelError, match="node 7 exploded"):
        made.ask(REQUEST, "load")


def test_a_crash_is_a_tool_error_with_the_last_words(tmp_path: Path) -> None:
    body = "sys.stderr.write('Check failed: rank\\n'); sys.stderr.flush(); os.abort()"
    with (
        worker(tmp_path, body) as (made, _),
        pytest.raises(ToolError, match=r"crashed \(signal 6\)") as caught,
    ):
        made.ask(REQUEST, "calibrate")
    assert "calibrate" in caught.value.message
    assert "Check failed: rank" in caught.value.message


def test_silence_ends_in_a_time_out_and_the_process_is_gone(tmp_path: Path) -> None:
    with worker(tmp_path, "time.sleep(600)", timeout_s=0.6) as (made, _):
        made._process = process = made._start()
        with pytest.raises(ToolError, match="no sign of life"):
            made.ask(REQUEST, "calibrate")
        assert process.poll() is not None


def test_leaving_the_block_ends_a_busy_process_and_its_files(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), worker(tmp_path, "time.sleep(600)") as (made, _):
        made._process = process = made._start()
        directory = made.directory
        raise KeyboardInterrupt
    assert process.poll() is not None
    assert not directory.exists()


def test_what_libraries_leave_in_the_temporary_directory_goes_with_the_process(tmp_path: Path) -> None:
    """TensorFlow writes generated code there, and deletes it in an exit handler that a kill forestalls."""
    body = """
        import tempfile
        left = tempfile.NamedTemporaryFile(prefix="__autograph_generated_file", suffix=".py", delete=False)
        answer(messages.Done(left.name))
        time.sleep(600)
    """
    with worker(tmp_path, body) as (made, _):
        left = Path(made.ask(REQUEST, "load").framework)
        assert left.exists()
    assert not left.exists()


def test_a_missing_interpreter_is_a_tool_error() -> None:
    with (
        Worker(lambda *_: None, command=["/nonexistent/python"]) as made,
        pytest.raises(ToolError, match="cannot start"),
    ):
        made.ask(REQUEST, "load")


def test_messages_survive_the_wire() -> None:
    request = messages.Quantize(Path("a b"), Path("ö"), Path("c"), "int8", keep_float=["x"])
    assert messages.decode_request(messages.encode(request)) == request
    assert messages.decode_reply(messages.encode(messages.Step("s", 1, 2))) == messages.Step("s", 1, 2)


def test_the_real_worker_keeps_library_noise_out_of_the_conversation(tmp_path: Path) -> None:
    """A request that fails on a missing file is answered, and the worker is there for the next one."""
    with Worker(lambda *_: None) as made:
        for _ in range(2):
            with pytest.raises(ModelError):
                made.run(
                    lambda sent, received: messages.RunTflite("tflm", tmp_path / "no.tflite", sent, received),
                    [np.zeros((1, 2), np.float32)],
                    "run",
                )
