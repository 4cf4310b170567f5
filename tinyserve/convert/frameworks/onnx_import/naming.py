# SPDX-License-Identifier: Apache-2.0
"""Nodes of an ONNX model as messages name them, and the operator set that they are of."""

from __future__ import annotations

from typing import Any


def describe(node: Any) -> str:
    """A node as messages name it: by its own name, or by what it computes."""
    scopes = [entry.value for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
    name = module_path(scopes[0]) if scopes else node.name
    return f"{node.op_type} '{name or (node.output[0] if node.output else '')}'"


def module_path(scopes: str) -> str:
    """ "['', 'encoder', 'encoder.attn', 'linear_3']" as 'encoder.attn.linear_3'."""
    parts = [part.strip().strip("'\"") for part in scopes.strip("[]").split(",")]
    parts = [part for part in parts if part]
    if not parts:
        return ""
    return parts[0] if len(parts) == 1 else f"{parts[-2]}.{parts[-1]}"


def opset(model: Any) -> int:
    """The newest version of ONNX's own operators that a model uses; 0 where it names none."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
