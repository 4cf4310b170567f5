# SPDX-License-Identifier: Apache-2.0
"""FeatureFrames: a stream of samples cut into overlapping frames. Kernel in ``kernels/frames.h``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import MOST, FeatureOp, samples_of
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Buffer, Params

_SUFFIX = {DType.INT8: "s8", DType.UINT8: "s8", DType.INT16: "s16", DType.FLOAT32: "f32"}


@dataclass(frozen=True)
class FramesParams(Params, c_type="ts_frames_params"):
    samples: int
    width: int
    frames: int
    length: int
    hop: int
    kept: int


class Frames(FeatureOp):
    """[samples][width] to [frames][length][width], each ``hop`` samples after the one before.

    With ``history`` the frames go on across inferences: they begin with the newest samples of the inferences
    before, zeros before the first.
    """

    name = "FeatureFrames"
    types = _SUFFIX
    header = "frames.h"

    def params(self, node: Node) -> FramesParams:
        width, length = option(node, "width", 1, MOST), option(node, "length", 1, MOST)
        hop, history = option(node, "hop", 1, MOST), option(node, "history", 0, 1)
        samples, kept = samples_of(node, width), max(0, length - hop) * history
        if history and samples % hop:
            raise checks.invalid(node, f"{samples} samples are no multiple of the hop {hop}")
        if samples + kept < length:
            raise checks.invalid(node, f"{samples} samples have no frame of {length}")
        frames = 1 + (samples + kept - length) // hop
        checks.elements(node, node.output, frames * length * width, "output")
        return FramesParams(
            samples=samples,
            width=width,
            frames=frames,
            length=length,
            hop=hop,
            kept=kept,
        )

    def working(self, node: Node, lowering: Lowering) -> Sequence[Buffer | None]:
        params = self.params(node)
        if not params.kept:
            return (None,)
        nbytes = params.kept * params.width * node.output.dtype.itemsize
        return (lowering.state(f"{node.output.name}_newest", nbytes),)

    def function(self, node: Node) -> str:
        return f"ts_frames_{_SUFFIX[node.output.dtype]}"


OPS = (Frames(),)
