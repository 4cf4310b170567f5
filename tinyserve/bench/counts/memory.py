# SPDX-License-Identifier: Apache-2.0
"""Flash and RAM of a built firmware as the bench reports them."""

from __future__ import annotations

from tinyserve.bench.result import Memory, Part
from tinyserve.boards.types import Board
from tinyserve.firmware.build import Firmware
from tinyserve.firmware.sizes import Sizes


def memory_of(
    firmware: Firmware, board: Board, stack_used: int | None = None, stack_size: int | None = None
) -> Memory:
    """The firmware's sizes against the board's, with what the device said of its stack."""
    sizes = firmware.sizes
    plan = firmware.project.compiled.plan
    return Memory(
        flash_bytes=sizes.flash_bytes if sizes else 0,
        ram_bytes=sizes.ram_bytes if sizes else 0,
        arena_bytes=plan.arena_bytes,
        flash_limit_bytes=board.flash.bytes if board.flash else None,
        ram_limit_bytes=board.ram.bytes if board.ram else None,
        stack_used_bytes=stack_used,
        stack_size_bytes=stack_size,
        invoke_stack_bytes=firmware.stack.invoke_bytes if firmware.stack else None,
        invoke_stack_is_bound=firmware.stack.complete if firmware.stack else True,
        flash_parts=_flash_parts(sizes) if sizes else [],
        ram_parts=_ram_parts(sizes) if sizes else [],
        elsewhere_parts=[Part(name, nbytes) for name, nbytes in sizes.elsewhere] if sizes else [],
    )


def _flash_parts(sizes: Sizes) -> list[Part]:
    parts = [
        Part("weights", sizes.weights_bytes),
        Part("kernels and model", sizes.model_bytes),
        Part("protocol", sizes.firmware_bytes),
        Part("arithmetic runtime", sizes.runtime_bytes),
        Part("start-up", sizes.startup_bytes),
        Part("initialised data", sizes.data_bytes),
        Part("other", sizes.other_flash_bytes),
    ]
    return [part for part in parts if part.bytes]


def _ram_parts(sizes: Sizes) -> list[Part]:
    parts = [
        Part("arena and state", sizes.arena_bytes),
        Part("stack", sizes.stack_bytes),
        Part("initialised data", sizes.data_bytes),
        Part("copied from flash at start", sizes.copied_bytes),
        Part("input copy, protocol, other", sizes.other_ram_bytes),
    ]
    return [part for part in parts if part.bytes]
