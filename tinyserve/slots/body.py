# SPDX-License-Identifier: Apache-2.0
"""The body of a model image: the compiled model, linked for a slot's address, and its golden vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from tinyserve.boards.types import Board, Region
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.program import Interface, Target
from tinyserve.devices.symbols import Symbols
from tinyserve.errors import FitError, ModelError, UnsupportedError
from tinyserve.firmware.build import COMPILE_TIMEOUT_S, Firmware, build
from tinyserve.firmware.interface import ModelInterface, interface_of
from tinyserve.firmware.render import (
    LINKER_SCRIPT,
    SHIM,
    Contents,
    Project,
    linker_script,
    port_of,
    write_project,
)
from tinyserve.firmware.toolchain import Name as ToolchainName
from tinyserve.slots.image import HEADER_BYTES, Golden
from tinyserve.slots.layout import MODEL_STACK_BYTES, Layout

ABI = 2
"""Of the entry table, as firmware_templates/serve/model_table.h has it."""
MODEL_NAME = "model"
MOST_TENSORS = 8
ALIGNMENT = 16
_TEMPLATE = "serve/body.ld"
_TLV_BYTES = 512
"""Flash at the end of a slot that the body leaves to the TLVs."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Place:
    """A slot of a board."""

    board: Board
    layout: Layout
    slot: int

    @property
    def room(self) -> Region:
        """Flash of a body: behind the header, before the TLVs."""
        layout = self.layout
        return Region(layout.slots[self.slot] + HEADER_BYTES, layout.slot_bytes - HEADER_BYTES - _TLV_BYTES)


@dataclass(frozen=True)
class Body:
    """``data`` lies behind the image's header. ``memory_bytes``: RAM for the arena and the inputs.
    ``stack_bytes`` of an inference, None where it is not known."""

    data: bytes
    golden: Golden
    memory_bytes: int
    model_sha256: bytes
    stack_bytes: int | None


def compile_for_slots(data: bytes, target: Target) -> Compiled:
    """The model as C that gets context and arena from its caller. Raises ModelError."""
    return compile_model(data, target, MODEL_NAME, interface=Interface(instance="caller"))


def memory_bytes(model: ModelInterface) -> int:
    """RAM that a model needs in a firmware with slots: its arena, and the inputs as hosts send them."""
    return aligned(model.arena_bytes) + aligned(sum(aligned(tensor.nbytes) for tensor in model.inputs))


def aligned(count: int) -> int:
    """Up to the alignment of the arena and of each input."""
    return -(-count // ALIGNMENT) * ALIGNMENT


def make(
    compiled: Compiled,
    place: Place,
    golden: tuple[Sequence[Array], Sequence[Array]],
    directory: Path,
    *,
    model_id: str = "",
    toolchain: ToolchainName = "zig",
) -> Body:
    """Builds the body for a slot in ``directory``.

    ``golden``: the inputs of one sample and the outputs they must give, in the model's own types. Raises
    FitError where the slot is too small, ToolError, and ModelError for a golden vector of other sizes.
    """
    model = interface_of(compiled)
    if max(len(model.inputs), len(model.outputs)) > MOST_TENSORS:
        raise UnsupportedError(
            f"{model_id or model.name} has more than {MOST_TENSORS} inputs or outputs: no image holds them",
            "build it into a firmware of its own: tinyserve build",
        )
    vector = _golden_bytes(golden, model)
    project = render_body(compiled, place, directory, model_id or model.name)
    linked = build(project, toolchain, timeout_s=COMPILE_TIMEOUT_S)
    stack = linked.stack.invoke_bytes if linked.stack else None
    if stack is not None and stack > MODEL_STACK_BYTES:
        raise FitError(
            f"an inference takes {stack:,} bytes of stack, firmware with slots has {MODEL_STACK_BYTES:,}",
            "build the model into a firmware of its own: tinyserve build",
        )
    code = _loaded(linked, project)
    given, wanted = vector
    data = code + given + wanted
    room = place.room.bytes
    if len(data) > room:
        raise FitError(
            f"{place.board.id}: the model takes {len(data):,} bytes of its slot's {room:,}",
            "--optimize size, or a board with more flash (tinyserve boards)",
        )
    return Body(
        data=data,
        golden=Golden(len(code), len(given), len(wanted)),
        memory_bytes=memory_bytes(model),
        model_sha256=bytes.fromhex(model.sha256),
        stack_bytes=stack,
    )


def render_body(compiled: Compiled, place: Place, directory: Path, model_id: str) -> Project:
    """Writes the project that a body is linked from: the model, its table, and what the core lacks."""
    model = interface_of(compiled)
    placed = msgspec.structs.replace(place.board, flash=place.room)
    contents = Contents({"model": model, "model_id": model_id, "board": placed})
    contents.add_part("serve/entry.c", "model")
    contents.add_part("serve/model_table.h", "model")
    contents.add_part("common/tensor_io.h", "model")
    contents.add_event_type()
    contents.add_runtime(SHIM)
    contents.add_model(compiled)
    contents.files[LINKER_SCRIPT] = linker_script(placed, 0, template=_TEMPLATE)
    write_project(directory, contents.files)
    return Project(
        directory=directory,
        board=placed,
        port=port_of(place.board, emulate=True),
        engine="aot",
        model=model,
        compiled=compiled,
        sources=tuple(contents.sources),
        defines={f"TS_{model.name.upper()}_PROFILE": "1"},
        stack_bytes=1 << 20,  # the firmware's, which build() therefore leaves alone
        script=_TEMPLATE,
    )


def _loaded(firmware: Firmware, project: Project) -> bytes:
    """The bytes that the ELF puts into the slot, without gaps."""
    assert project.board.flash is not None
    start = project.board.flash.origin
    segments = Symbols(firmware.elf).segments
    end = max(segment.address + len(segment.data) for segment in segments)
    image = bytearray(b"\xff" * (end - start))
    for segment in segments:
        at = segment.address - start
        image[at : at + len(segment.data)] = segment.data
    return bytes(image) + b"\xff" * (aligned(len(image)) - len(image))


def _golden_bytes(
    golden: tuple[Sequence[Array], Sequence[Array]], model: ModelInterface
) -> tuple[bytes, bytes]:
    given, wanted = (b"".join(np.ascontiguousarray(array).tobytes() for array in side) for side in golden)
    if len(given) != model.input_bytes or len(wanted) != sum(tensor.nbytes for tensor in model.outputs):
        raise ModelError(
            "the bundle's held-out samples have other sizes than the model's inputs and outputs",
            "convert again",
        )
    return given, wanted
