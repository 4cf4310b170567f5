# SPDX-License-Identifier: Apache-2.0
"""Bytes of arena of image models on a core, with and without layers that are computed by rows.

    TINYSERVE_MODELS=directory python benchmarks/memory.py [--core CORE] [--count] [--only MODEL]

The MLPerf Tiny models come from the directory; MobileNetV2 and the U-Net have random weights. The bound is
what the tensors' rows need at the busiest moment of the best bands, perfectly packed and without what kernels
work in. --count builds the firmware and gives the instructions of an inference on the emulated core.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import image_models
from tinyserve import boards, workflow
from tinyserve.boards.types import Board
from tinyserve.compiler import ops
from tinyserve.compiler.bands.search import Search
from tinyserve.compiler.bands.stages import KernelCost, Kernels
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.lower import kernels_of, lower
from tinyserve.compiler.program import Optimize, Target
from tinyserve.devices import open_device
from tinyserve.devices.client import Client
from tinyserve.firmware.build import build
from tinyserve.firmware.render import render

MODELS: dict[str, Callable[[], bytes]] = {
    "kws_ref_model": lambda: _stored("kws_ref_model"),
    "pretrainedResnet_quant": lambda: _stored("pretrainedResnet_quant"),
    "vww_96_int8": lambda: _stored("vww_96_int8"),
    "mobilenet_v2_0.35_144": lambda: image_models.mobilenet_v2(0.35, 144),
    "mobilenet_v2_1.0_224": lambda: image_models.mobilenet_v2(1.0, 224),
    "u_net_96": image_models.u_net,
}


_PREFERENCES: tuple[Optimize, ...] = ("balanced", "ram")


def _stored(name: str) -> bytes:
    directory = os.environ.get("TINYSERVE_MODELS")
    if not directory:
        raise SystemExit("TINYSERVE_MODELS must name the directory of the MLPerf Tiny models, or use --only")
    return (Path(directory) / f"{name}.tflite").read_bytes()


@dataclass(frozen=True)
class WithoutScratch:
    """Kernels that work in no memory of their own."""

    kernels: Kernels

    def slab_costs(self, node: Node, whole: Node) -> Mapping[str, KernelCost]:
        return self.kernels.slab_costs(node, whole)

    def slab_scratch(self, node: Node, variant: str | None) -> int:
        return 0


def bound(compiled: Compiled, target: Target) -> int:
    """Bytes below which no choice of bands that the search knows can come."""
    registry = ops.registry()
    plain = lower(compiled.model, target, "plain")
    kernels = WithoutScratch(kernels_of(compiled.model, target))
    search = Search(compiled.model.main, plain, lambda node: registry[node.name], kernels)
    found = search.selections()
    return min([one.nbytes for one in found], default=compiled.plan.arena_bytes)


def rows(data: bytes, board: Board, count: bool) -> Iterator[str]:
    """The cells of a model: bytes with whole tensors, by default, the smallest, the bound; fed by rows."""
    for optimize in _PREFERENCES:
        compiled = compile_model(data, workflow.target(board, optimize))
        instructions = f" ({_instructions(compiled, board):,})" if count else ""
        yield f"{compiled.plan.arena_bytes:,}{instructions}"
        if optimize == "balanced":
            assert compiled.program.rows is not None
            yield f"{compiled.program.rows.whole_bytes:,}"
    yield f"{bound(compiled, workflow.target(board, 'balanced')):,}"
    for optimize in _PREFERENCES:
        fed = compile_model(data, workflow.target(board, optimize, feed="rows"))
        instructions = f" ({_instructions(fed, board):,})" if count else ""
        yield f"{fed.plan.arena_bytes:,}{instructions}"


def _instructions(compiled: Compiled, board: Board) -> int:
    with tempfile.TemporaryDirectory() as directory:
        firmware = build(render(compiled, board, Path(directory), emulate=True))
        with open_device(firmware, board, "qemu" if "m55" in board.id else "unicorn") as device:
            client = Client(device.link)
            for index, tensor in enumerate(compiled.program.input_tensors):
                pattern = (np.arange(tensor.elements, dtype=np.int64) * 31 + 7).astype(np.int8)
                client.load(pattern.tobytes(), index)
            (instructions,) = client.infer(1, 1)
    return int(instructions)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--core", default="cortex-m4", help="the core, as `tinyserve boards` names it")
    parser.add_argument("--only", action="append", choices=MODELS, help="a model; repeatable")
    parser.add_argument("--count", action="store_true", help="instructions of one inference, too (slow)")
    chosen = parser.parse_args(arguments)
    table = Table("model", title=f"bytes of arena on {chosen.core}")
    for column in ("by default", "whole tensors", "--optimize ram", "bound", "fed", "fed, ram"):
        table.add_column(column, justify="right")
    board = boards.load(chosen.core)
    for name in chosen.only or MODELS:
        table.add_row(name, *rows(MODELS[name](), board, chosen.count))
    Console().print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
