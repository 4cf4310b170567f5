# SPDX-License-Identifier: Apache-2.0
"""Which boards a model fits, before anything is built: weights and arena are known, code is allowed for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinyserve.boards.types import Board, Region
from tinyserve.compiler.compile import Compiled

Fit = Literal["fits", "tight", "too large"]

CODE_BYTES = 28 * 1024
"""Flash of kernels, generated code, protocol and start-up: as the example models have, rounded up."""
RAM_BYTES = 5 * 1024
"""RAM of the stack (4 KiB) and of everything but the arena and the protocol's input buffer, rounded up."""
CODE_BANK_BYTES = 32 * 1024
"""Code in tightly coupled memory takes whole banks of it (i.MX RT's FlexRAM)."""
TIGHT = 0.9
"""Beyond this part of a region an estimate can't promise that it fits."""


@dataclass(frozen=True)
class Demand:
    """What the bench firmware of a model needs, about."""

    flash_bytes: int
    ram_bytes: int
    constant_bytes: int = 0
    """Of ``flash_bytes``: weights and tables."""


def demand(compiled: Compiled) -> Demand:
    """Flash and RAM of the bench firmware, estimated from the compiled model."""
    constants = sum(constant.nbytes for constant in compiled.program.constants)
    inputs = sum(tensor.nbytes for tensor in compiled.program.input_tensors)
    return Demand(constants + CODE_BYTES, compiled.plan.arena_bytes + inputs + RAM_BYTES, constants)


def fit(needs: Demand, board: Board) -> Fit:
    """How the demand compares with the board's flash and RAM; a computer has no limit."""
    shares = [_share(needs.flash_bytes, board.flash), _share(ram_on(needs, board), board.ram)]
    if max(shares) > 1:
        return "too large"
    return "tight" if max(shares) > TIGHT else "fits"


def ram_on(needs: Demand, board: Board) -> int:
    """RAM that the demand takes of a board, bytes, with what its start-up copies there."""
    code = needs.flash_bytes - needs.constant_bytes
    return needs.ram_bytes + copied_bytes(code, needs.constant_bytes, board)


def copied_bytes(code_bytes: int, constant_bytes: int, board: Board) -> int:
    """RAM that the board's start-up fills with code and constants from flash, bytes; a twin leaves them
    there."""
    copied = constant_bytes if board.constants_in == "ram" else 0
    if board.code_in == "ram":
        copied += -(-code_bytes // CODE_BANK_BYTES) * CODE_BANK_BYTES
    return copied


def _share(used: int, region: Region | None) -> float:
    return used / region.bytes if region else 0.0
