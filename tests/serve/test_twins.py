# SPDX-License-Identifier: Apache-2.0
"""A twin in the gateway, and one at a serial port that is unplugged and plugged in again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.models import classifier_bundle
from tests.serve.running import Served, serving
from tests.serve.test_tritonclient import given, samples
from tinyserve import boards, workflow
from tinyserve.bundle import Bundle
from tinyserve.devices import open_device, pty
from tinyserve.errors import DeviceError
from tinyserve.predict.engines import members
from tinyserve.progress import silent
from tinyserve.serve import member
from tinyserve.serve.engines import Firmwares, open_engine
from tinyserve.serve.served import Served as Model

BOARD = "cortex-m0"
FLEET = """
[models.shapes]
source = "{bundle}"
[groups.lab]
board = "{board}"
[members.twin]
group = "lab"
link = "twin"
[members.desk]
group = "lab"
link = "{port}"
"""


@contextmanager
def plugged_in(shapes: Bundle, link: Path) -> Iterator[None]:
    """The board's twin at a pseudo-terminal, which ``link`` points to as a udev rule's would."""
    board = boards.load(BOARD)
    build = workflow.Build(emulate=True)
    firmware = workflow.to_firmware(
        shapes, workflow.to_compiled(shapes, board, build, silent), board, build, silent
    )
    over, ready = threading.Event(), threading.Event()

    def announce(path: str) -> None:
        link.symlink_to(path)
        ready.set()

    def run() -> None:
        with open_device(firmware, board, emulator="unicorn") as device:
            pty.serve(device, announce, over.is_set)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        link.unlink()
        over.set()
        thread.join(30)


def ran_on(served: Served, shapes: Bundle, count: int) -> set[str]:
    """Asks so often, at once, checks the bytes, and says which members answered."""
    import tritonclient.grpc

    inputs, expected = samples(shapes)
    found = set()
    with tritonclient.grpc.InferenceServerClient(served.grpc) as client:
        rows = [index % len(inputs) for index in range(count)]
        answer = client.infer("shapes", [given(tritonclient.grpc, inputs[rows])])
        assert answer.as_numpy("scores").tobytes() == expected[rows].tobytes()
        found |= set(answer.get_response().parameters["member"].string_param.split(","))
    return found


def test_twins_and_boards_answer_with_tflms_bytes_and_come_and_go(
    shapes: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "FIRST_PAUSE_S", 0.1)
    port = tmp_path / "ttyDESK"
    fleet = FLEET.format(bundle=shapes.path, board=BOARD, port=port)
    with serving(fleet, tmp_path, members=1) as served:
        assert ran_on(served, shapes, 2) == {"twin"}
        with plugged_in(shapes, port):
            served.wait_ready(2)
            found: set[str] = set()
            deadline = time.monotonic() + 60
            while found != {"twin", "desk"} and time.monotonic() < deadline:  # by the times that each took
                found |= ran_on(served, shapes, 12)
            assert found == {"twin", "desk"}
            desk = next(m for m in served.inside(served.running.gateway.members) if m.name == "desk")
            assert desk.identity is not None and desk.identity.port == str(port)
        deadline = time.monotonic() + 30
        while desk.state == "ready" and time.monotonic() < deadline:
            ran_on(served, shapes, 4)
        assert desk.state != "ready" and desk.reason
        assert ran_on(served, shapes, 2) == {"twin"}
        with plugged_in(shapes, port):
            served.wait_ready(2)
        assert not os.path.lexists(port)


def test_a_board_with_another_model_does_not_serve(shapes: Bundle, tmp_path: Path) -> None:
    other = classifier_bundle(tmp_path, "other", seed=2)
    port = tmp_path / "ttyDESK"
    fleet = FLEET.format(bundle=other.path, board=BOARD, port=port).replace('link = "twin"', 'link = "host"')
    with plugged_in(shapes, port), serving(fleet, tmp_path, members=1) as served:
        desk = next(m for m in served.inside(served.running.gateway.members) if m.name == "desk")
        deadline = time.monotonic() + 60
        while desk.state == "starting" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "the firmware of another model" in desk.reason


def test_a_twin_whose_process_dies_fails_alone_and_leaves_nothing(shapes: Bundle) -> None:
    model = Model("shapes", "1", shapes)
    (spec,) = members(BOARD, "twin", 1)
    engine = open_engine(spec, model, Firmwares())
    sample, expected = model.golden
    assert engine.run(sample, False).outputs == expected
    engine.interrupt()
    with pytest.raises(DeviceError, match="process has ended"):
        engine.run(sample, False)
    engine.close()
    engine.close()
