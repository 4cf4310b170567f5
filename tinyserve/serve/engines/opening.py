# SPDX-License-Identifier: Apache-2.0
"""Opens the engine that a member's link names."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tinyserve import boards, workflow
from tinyserve.errors import UsageError
from tinyserve.progress import silent
from tinyserve.serve.config import MemberSpec
from tinyserve.serve.engines.base import Engine
from tinyserve.serve.engines.device import DeviceEngine
from tinyserve.serve.engines.host import HostEngine
from tinyserve.serve.engines.twin import TwinEngine
from tinyserve.serve.served import Served

if TYPE_CHECKING:
    from tinyserve.firmware.build import Firmware


def open_engine(spec: MemberSpec, model: Served, firmwares: Firmwares) -> Engine:
    """The member's engine, checked: its firmware holds this model, and its answer to a known input is right.

    Raises DeviceError (absent, other firmware, wrong answer), ToolError (no compiler, no emulator) and what
    building a twin's firmware raises.
    """
    engine: Engine
    if spec.kind == "host":
        engine = HostEngine(model)
    elif spec.directory:
        engine = TwinEngine(spec, model.sha256)
    elif spec.kind == "twin":
        engine = TwinEngine(spec, model.sha256, firmwares.get(spec, model).elf)
    else:
        engine = DeviceEngine(spec, model.sha256)
    try:
        engine.check(model)
        engine.keep()
    except BaseException:
        engine.close()
        raise
    return engine


class Firmwares:
    """Twins' firmware, built once for all that run the same. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._built: dict[tuple[str, str, str], Firmware] = {}

    def get(self, spec: MemberSpec, model: Served) -> Firmware:
        """That of a member with this model. Raises what building raises."""
        key = (spec.board, spec.optimize, model.sha256)
        with self._lock:
            if key not in self._built:
                self._built[key] = _build(spec, model)
            return self._built[key]


def _build(spec: MemberSpec, model: Served) -> Firmware:
    board = boards.load(spec.board)
    if not workflow.has_twin(board):
        raise UsageError(f"{spec.name}: {board.id} has no twin", "name its port as its link")
    build = workflow.Build(spec.optimize, emulate=workflow.is_twin(board))
    compiled = workflow.to_compiled(model.made, board, build, silent)
    return workflow.to_firmware(model.made, compiled, board, build, silent)
