# SPDX-License-Identifier: Apache-2.0
"""Writes shuffle.tflite: one ChannelShuffle of 3 groups on 4x4 pixels of 12 channels, in int8."""

from __future__ import annotations

import argparse
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers

SHAPE = (1, 4, 4, 12)
GROUPS = 3


def tensor(name: str) -> schema.TensorT:
    made = schema.TensorT()
    made.name, made.shape, made.type = name, list(SHAPE), schema.TensorType.INT8
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale, made.quantization.zeroPoint = np.float32([0.05]), np.int64([-3])
    return made


def model() -> bytes:
    """The model's file; a converter writes the same for a layer that was left as custom."""
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, 32
    code.customCode, code.version = "ChannelShuffle", 1
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    operator.customOptions = list(flexbuffers.Dumps({"groups": GROUPS}))
    graph = schema.SubGraphT()
    graph.name, graph.inputs, graph.outputs = "main", [0], [1]
    graph.tensors, graph.operators = [tensor("x"), tensor("shuffled")], [operator]
    whole = schema.ModelT()
    whole.version, whole.buffers, whole.operatorCodes, whole.subgraphs = (
        3,
        [schema.BufferT()],
        [code],
        [graph],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("build/custom_op"))
    directory = arguments.parse_args().out
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "shuffle.tflite").write_bytes(model())
    print(directory / "shuffle.tflite")
