# SPDX-License-Identifier: Apache-2.0
"""FeaturePixels: what cameras give, as RGB or grey. Kernels in ``kernels/pixels.h``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyserve.compiler.graph.types import DType, Node
from tinyserve.compiler.ops.features.support import FeatureOp
from tinyserve.compiler.ops.support import checks
from tinyserve.compiler.ops.support.custom_options import option
from tinyserve.compiler.program import Params

FORMS = ("rgb565", "yuv422", "grey")
_CHANNELS = {"rgb565": (2, 3), "yuv422": (2, 3), "grey": (3, 1)}


@dataclass(frozen=True)
class PixelsParams(Params, c_type="ts_pixels_params"):
    count: int
    first: int
    video: int


class Pixels(FeatureOp):
    """uint8 [..][2] of a camera, or [..][3] of RGB, to [..][3] of RGB or [..][1] of grey.

    ``form``: 0 RGB565, 1 YUV 4:2:2, 2 RGB to grey. ``first``: which byte of the two has red (is luminance);
    ``video``: YUV of the range of video.
    """

    name = "FeaturePixels"
    types = (DType.UINT8,)
    header = "pixels.h"

    def params(self, node: Node) -> PixelsParams:
        form = FORMS[option(node, "form", 0, len(FORMS) - 1)]
        taken, given = _CHANNELS[form]
        count = node.output.elements // given
        if node.input("input").elements != count * taken or node.output.elements != count * given:
            raise checks.invalid(node, f"{form} makes {given} values of {taken}")
        if form == "yuv422" and count % 2:
            raise checks.invalid(node, f"{count} pixels: two share their colour")
        return PixelsParams(count, option(node, "first", 0, 1), option(node, "video", 0, 1))

    def function(self, node: Node) -> str:
        return f"ts_pixels_{FORMS[option(node, 'form', 0, len(FORMS) - 1)]}"


OPS = (Pixels(),)
