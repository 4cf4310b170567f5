# SPDX-License-Identifier: Apache-2.0
"""From a bundle to signed images, one per slot: a model is linked for the slot that it lies in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tinyserve.boards.types import Board
from tinyserve.bundle import Bundle
from tinyserve.compiler.program import Target
from tinyserve.errors import ModelError, UnsupportedError
from tinyserve.files import write
from tinyserve.firmware.interface import ModelInterface, interface_of
from tinyserve.firmware.toolchain import Name as ToolchainName
from tinyserve.progress import Progress, silent
from tinyserve.slots import body
from tinyserve.slots.body import Array
from tinyserve.slots.image import Facts, Version, sign
from tinyserve.slots.layout import SLOT_COUNT, layout_of


@dataclass(frozen=True)
class Signing:
    """How images are made. ``counter``: devices refuse images below the one they last confirmed.
    ``next_key``: the key that they want later images signed with. ``sample``: which held-out sample is the
    golden vector."""

    key: Ed25519PrivateKey
    counter: int
    version: Version
    next_key: Ed25519PublicKey | None = None
    sample: int = 0
    toolchain: ToolchainName = "zig"


@dataclass(frozen=True)
class SignedImage:
    """An image on disk, for one slot."""

    path: Path
    slot: int
    image_bytes: int
    code_bytes: int
    memory_bytes: int


def image_path(directory: Path, slot: int) -> Path:
    """Where ``sign_bundle`` writes the image of a slot."""
    return directory / f"slot{slot}.img"


def sign_bundle(
    made: Bundle,
    board: Board,
    signing: Signing,
    directory: Path,
    *,
    target: Target,
    progress: Progress = silent,
) -> list[SignedImage]:
    """Compiles, links and signs a bundle's model for both slots of a board, into ``directory``.

    Raises ModelError where it can't be compiled, UnsupportedError for a float32 model, FitError, ToolError.
    """
    layout = layout_of(board)
    compiled = body.compile_for_slots(made.model_bytes(), target)
    golden = golden_vector(made, interface_of(compiled), signing.sample)
    signed = []
    for slot in range(SLOT_COUNT):
        progress("linking for each slot", slot, SLOT_COUNT)
        linked = body.make(
            compiled, body.Place(board, layout, slot), golden, directory / f"slot{slot}",
            model_id=made.manifest.mlperf_id or made.manifest.name, toolchain=signing.toolchain,
        )  # fmt: skip
        facts = Facts(
            model_sha256=linked.model_sha256,
            abi=body.ABI,
            core=board.core.name,
            slot_address=layout.slots[slot],
            arena_bytes=linked.memory_bytes,
            counter=signing.counter,
            golden=linked.golden,
            version=signing.version,
            next_key=signing.next_key,
        )
        image = sign(linked.data, facts, signing.key)
        path = image_path(directory, slot)
        write(path, image)
        signed.append(SignedImage(path, slot, len(image), linked.golden.offset, linked.memory_bytes))
    return signed


def golden_vector(made: Bundle, model: ModelInterface, sample: int = 0) -> tuple[list[Array], list[Array]]:
    """A held-out sample and the outputs that the reference gives for it.

    Raises ModelError for a bundle without samples, UnsupportedError for outputs that differ between cores.
    """
    if any(tensor.kind == "FLOAT" for tensor in (*model.inputs, *model.outputs)):
        raise UnsupportedError(
            f"{made.manifest.name} computes in float32: its bytes differ between cores, so that no device "
            "can prove itself by them",
            "convert with --quantize int8 or int16x8",
        )
    samples = made.samples()
    if len(samples) <= sample:
        raise ModelError(
            f"{made.path}: {len(samples)} held-out samples, number {sample} is wanted for the golden vector",
            "convert again with --samples, or name another one",
        )
    given = [np.ascontiguousarray(array[sample]) for array in samples.inputs]
    wanted = [np.ascontiguousarray(array[sample]) for array in samples.expected]
    return given, wanted
