# SPDX-License-Identifier: Apache-2.0
"""What leads on where an operator has no kernel: it depends on who wrote the operator, and on who has it."""

from __future__ import annotations

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.ops.support import tflm_resolver

_TFLM_HAS_IT = "use `--engine tflm`, which has it"
_REPLACE = "TFLM lacks it, too: replace the layer before converting, or add the operator with `--ops DIR`"


def hint(node: Node) -> str:
    """What to try instead of an operator that this engine lacks."""
    return foreign(node) or (_TFLM_HAS_IT if tflm_resolver.has(node) else _REPLACE)


def foreign(node: Node) -> str:
    """What to try where the operator is no layer but another tool's output; empty for all others."""
    if not node.custom:
        return ""
    if node.name == "ethos-u":
        return (
            "Vela compiled this file for an Ethos-U NPU: give the .tflite from before, which runs on any core"
        )
    if node.name.startswith("edgetpu-custom-op"):
        return (
            "edgetpu_compiler made this file for the Edge TPU: give the .tflite from before, "
            "which runs on any core"
        )
    if node.name == "TFLM_DECODE":
        return (
            "its compressed weights are of a kind that only the application can decode, or damaged: give the "
            ".tflite from before they were compressed"
        )
    if node.name.startswith("Flex"):
        return (
            f"it is TensorFlow's own {node.name[4:]}, which no microcontroller has: replace the layer that "
            "brings it by layers of TFLite's builtin operators, and convert without SELECT_TF_OPS"
        )
    return ""
