# SPDX-License-Identifier: Apache-2.0
"""Small random ONNX networks: every operator that the import knows, random shapes, one or two inputs and
outputs, opsets from 7 to the newest. The same seed gives the same network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from tinyserve.convert.frameworks.onnx_import import branches

Array = npt.NDArray[Any]
OPSETS = tuple(range(7, onnx.defs.onnx_opset_version() + 1))
_IR = 8
onnxruntime.set_default_logger_severity(4)


class Network:
    """Grows node by node; each is run at once, so that shapes are known. A node that onnxruntime refuses is
    not taken."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.opset = int(self.random.choice(OPSETS))
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self.inputs: dict[str, Array] = {}
        self.values: dict[str, Array] = {}

    def input(self, shape: tuple[int, ...], dtype: Any = np.float32) -> str:
        name = f"in_{len(self.inputs)}"
        floats = np.dtype(dtype).kind == "f"
        array = self.random.normal(size=shape) if floats else self.random.integers(0, 5, shape)
        self.inputs[name] = self.values[name] = array.astype(dtype)
        return name

    def constant(self, array: Any) -> str:
        name = f"const_{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def weights(self, *shape: int, scale: float = 0.4) -> str:
        return self.constant(self.random.normal(0, scale, shape).astype(np.float32))

    def add(self, op: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str] | None:
        """The names of the node's results, or None where onnxruntime does not take it."""
        names = [f"{op.lower()}_{len(self.nodes)}_{i}" for i in range(outputs)]
        node = helper.make_node(op, inputs, names, name=f"node_{len(self.nodes)}_{op}", **attributes)
        read = [*inputs, *sorted(branches.captured(node))]
        given = {n: self.values.get(n, self.constants.get(n)) for n in dict.fromkeys(read) if n}
        try:
            results = _run(node, {n: a for n, a in given.items() if a is not None}, names, self.opset)
        except Exception:
            return None
        if any(r.size == 0 for r in results):
            return None
        if any(
            not np.isfinite(r).all() or np.abs(r).max(initial=0) > 1e4 for r in results if r.dtype.kind == "f"
        ):
            return None
        self.nodes.append(node)
        self.values.update(zip(names, results, strict=True))
        return names

    def one(self, op: str, inputs: list[str], **attributes: Any) -> str | None:
        made = self.add(op, inputs, **attributes)
        return made[0] if made else None

    def chain(self, x: str, *ops: str) -> str | None:
        """Operators of one input, one after the other."""
        made: str | None = x
        for op in ops:
            made = made and self.one(op, [made])
        return made

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.values[name].shape)

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.random.integers(len(choices)))]

    def model(self, outputs: list[str]) -> Any:
        inputs = [_info(name, array) for name, array in self.inputs.items()]
        results = [_info(name, self.values[name]) for name in outputs]
        initializers = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", inputs, results, initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=_IR)


def _info(name: str, array: Array) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _run(node: Any, given: dict[str, Array], names: list[str], opset: int) -> list[Array]:
    outputs = [onnx.ValueInfoProto(name=name) for name in names if name]
    graph = helper.make_graph([node], "one", [_info(n, a) for n, a in given.items()], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=_IR)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return [np.asarray(a) for a in session.run(None, given)]


Layer = Callable[[Network, str], "str | None"]


# --- images and sequences: (N, C, ...)


def conv(net: Network, x: str) -> str | None:
    _, channels, *extents = net.shape(x)
    groups = net.pick(1, 1, 1, channels, *([2] if channels % 2 == 0 else []))
    outputs = groups * int(net.random.integers(1, 4)) if groups > 1 else int(net.random.integers(1, 7))
    kernel = [int(net.random.integers(1, min(4, e) + 1)) for e in extents]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "group": groups}
    attributes["strides"] = [int(net.pick(1, 1, 2)) for _ in extents]
    attributes["dilations"] = [int(net.pick(1, 1, 1, 2)) for _ in extents]
    inputs = [x, net.weights(outputs, channels // groups, *kernel)]
    if net.pick(True, False):
        inputs.append(net.weights(outputs))
    return net.one("Conv", inputs, **attributes, **_padding(net, kernel))


def _padding(net: Network, kernel: list[int]) -> dict[str, Any]:
    how = net.pick("pads", "pads", "none", "SAME_UPPER", "SAME_LOWER", "VALID")
    if how == "pads":
        return {"pads": [int(net.random.integers(0, k // 2 + 1)) for k in (*kernel, *kernel)]}
    return {} if how == "none" else {"auto_pad": how}


def conv_transpose(net: Network, x: str) -> str | None:
    _, channels, *extents = net.shape(x)
    if len(extents) == 3:
        return None
    groups = net.pick(1, 1, channels)
    kernel = [int(net.random.integers(1, 4)) for _ in extents]
    strides = [int(net.pick(1, 2, 2, 3)) for _ in extents]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "group": groups}
    if net.pick(True, False):
        attributes["pads"] = [int(net.random.integers(0, k // 2 + 1)) for k in (*kernel, *kernel)]
    if net.pick(True, False):
        attributes["output_padding"] = [int(net.random.integers(0, s)) for s in strides]
    if net.pick(True, False, False):
        attributes["dilations"] = [int(net.pick(1, 2)) for _ in extents]
    weights = net.weights(channels, int(net.random.integers(1, 4)), *kernel)
    return net.one("ConvTranspose", [x, weights], **attributes)


def pool(net: Network, x: str) -> str | None:
    extents = net.shape(x)[2:]
    kernel = [int(net.random.integers(1, min(3, e) + 1)) for e in extents]
    op = net.pick("MaxPool", "AveragePool")
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": [int(net.pick(1, 2)) for _ in extents]}
    if op == "AveragePool":
        attributes["count_include_pad"] = int(net.pick(0, 1))
    padding = _padding(net, kernel)
    if net.opset >= 10 and net.pick(True, False) and "auto_pad" not in padding:
        attributes["ceil_mode"] = 1
    if op == "MaxPool" and net.opset >= 10 and net.pick(True, False, False) and "auto_pad" not in padding:
        attributes["dilations"] = [int(net.pick(1, 2)) for _ in extents]
    return net.one(op, [x], **attributes, **padding)


def global_pool(net: Network, x: str) -> str | None:
    return net.one(net.pick("GlobalAveragePool", "GlobalMaxPool"), [x])


def batch_norm(net: Network, x: str) -> str | None:
    c = net.shape(x)[1]
    variance = net.constant(net.random.uniform(0.3, 2, c).astype(np.float32))
    return net.one("BatchNormalization", [x, net.weights(c), net.weights(c), net.weights(c), variance])


def _varies(rows: Array) -> bool:
    """No row is a constant, whose sums are off by what normalizing then multiplies, nor so short that pools
    make it one for other inputs."""
    return rows.shape[1] >= 8 and bool((rows.std(axis=1) > 1e-2 * np.abs(rows).max(axis=1)).all())


def instance_norm(net: Network, x: str) -> str | None:
    c = net.shape(x)[1]
    if not _varies(net.values[x][0].reshape(c, -1)):
        return None
    return net.one("InstanceNormalization", [x, net.weights(c, scale=1), net.weights(c)])


def group_norm(net: Network, x: str) -> str | None:
    """As PyTorch exports it."""
    c = net.shape(x)[1]
    if c % 2 or not _varies(net.values[x][0].reshape(2, -1)):
        return None
    flat = net.one("Reshape", [x, net.constant(np.array([0, 2, -1]))])
    normed = flat and net.one(
        "InstanceNormalization",
        [flat, net.constant(np.ones(2, np.float32)), net.constant(np.zeros(2, np.float32))],
    )
    return normed and net.one("Reshape", [normed, net.constant(np.array(net.shape(x)))])


def resize(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    if net.opset < 11 or len(shape) == 5:
        return None
    mode = net.pick("nearest", "linear", "cubic") if len(shape) == 4 else net.pick("nearest", "linear")
    attributes: dict[str, Any] = {
        "mode": mode,
        "coordinate_transformation_mode": net.pick(
            "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"
        ),
    }
    if mode == "nearest":
        attributes["nearest_mode"] = net.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    scales = [1.0, 1.0, *(float(net.pick(2.0, 1.5, 0.5, 3.0, 1.0)) for _ in shape[2:])]
    if net.pick(True, False):
        return net.one("Resize", [x, "", net.constant(np.array(scales, np.float32))], **attributes)
    sizes = [max(1, int(e * s)) for e, s in zip(shape, scales, strict=True)]
    return net.one("Resize", [x, "", "", net.constant(np.array(sizes, np.int64))], **attributes)


def depth_to_space(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    if len(shape) != 4:
        return None
    if shape[1] % 4 == 0:
        return net.one(
            "DepthToSpace", [x], blocksize=2, **({"mode": net.pick("DCR", "CRD")} if net.opset >= 11 else {})
        )
    return net.one("SpaceToDepth", [x], blocksize=2)


def local_response(net: Network, x: str) -> str | None:
    return net.one("LRN", [x], size=3) if len(net.shape(x)) == 4 else None


# --- any shape


def pad(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    spatial = range(1, len(shape))
    mode = net.pick("constant", "reflect", "edge", *(["wrap"] if net.opset >= 19 else []))
    pads = [0] * (2 * len(shape))
    for axis in spatial:
        for side in (0, 1):
            pads[side * len(shape) + axis] = int(net.random.integers(0, min(3, shape[axis])))
    if net.opset < 11:
        return net.one("Pad", [x], mode=mode, pads=pads)
    return net.one("Pad", [x, net.constant(np.array(pads, np.int64))], mode=mode)


_ACTIVATIONS: dict[str, dict[str, Any]] = {
    "Relu": {}, "LeakyRelu": {"alpha": 0.2}, "Sigmoid": {}, "Tanh": {}, "Elu": {"alpha": 1.3}, "Selu": {},
    "Softplus": {}, "HardSigmoid": {}, "Abs": {}, "Neg": {}, "Exp": {}, "Softsign": {}, "Erf": {},
    "HardSwish": {}, "Mish": {}, "Celu": {"alpha": 0.7}, "Gelu": {}, "Sign": {}, "Floor": {}, "Sin": {},
    "ThresholdedRelu": {"alpha": 0.3}, "Identity": {}, "Ceil": {}, "Cos": {}, "Shrink": {"lambd": 0.4},
    "Atan": {}, "Asinh": {}, "Sinh": {}, "Cosh": {}, "IsNaN": {},
}  # fmt: skip


def activation(net: Network, x: str) -> str | None:
    op = net.pick(*_ACTIVATIONS)
    attributes = dict(_ACTIVATIONS[op])
    whole = np.abs(net.values[x] - np.rint(net.values[x]))
    steps = {"Floor": whole, "Ceil": whole, "Shrink": np.abs(net.values[x]) - 0.4}
    if np.abs(steps.get(op, np.ones(1))).min() < 1e-3:
        return None  # rounding decides
    if op == "Gelu" and net.pick(True, False):
        attributes["approximate"] = "tanh"
    made = net.one(op, [x], **attributes)
    return made and (net.one("Where", [made, x, net.weights(1)]) if op == "IsNaN" else made)


def clip(net: Network, x: str) -> str | None:
    low, high = net.pick((0.0, 6.0), (-1.0, 1.0), (-0.4, 0.7), (0.0, 0.5))
    if net.opset < 11:
        return net.one("Clip", [x], min=low, max=high)
    return net.one("Clip", [x, net.constant(np.float32(low)), net.constant(np.float32(high))])


def prelu(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    if len(shape) < 3:
        return None
    return net.one("PRelu", [x, net.weights(shape[1], *(1,) * (len(shape) - 2))])


def arithmetic(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    op = net.pick("Add", "Sub", "Mul", "Div", "Max", "Min")
    kept = [n if net.pick(True, False) else 1 for n in shape]
    if net.pick(True, False) and len(kept) > 1:
        kept = kept[int(net.random.integers(1, len(kept))) :]
    other = net.constant(net.random.uniform(0.5, 2, kept).astype(np.float32) * net.pick(1, -1))
    return net.one(op, [x, other] if net.pick(True, True, False) or op == "Div" else [other, x])


def residual(net: Network, x: str) -> str | None:
    """With another value of the same shape."""
    same = [n for n in net.values if net.shape(n) == net.shape(x) and net.values[n].dtype == np.float32]
    return net.one(net.pick("Add", "Mul", "Sub", "Max"), [x, str(net.pick(*same))])


def concat(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    axis = int(net.random.integers(1, len(shape)))
    same = [
        n for n, v in net.values.items()
        if v.ndim == len(shape) and v.dtype == np.float32
        and all(a == b for i, (a, b) in enumerate(zip(v.shape, shape, strict=True)) if i != axis)
    ]  # fmt: skip
    return net.one("Concat", [x, str(net.pick(*same))], axis=int(net.pick(axis, axis - len(shape))))


def slice_(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    axis = int(net.random.integers(1, len(shape)))
    if shape[axis] < 2:
        return None
    start, step = int(net.random.integers(0, shape[axis] - 1)), int(net.pick(1, 1, 2))
    bounds, extra = (
        ([start], [int(net.pick(shape[axis], 2**31 - 1, -1 if start < shape[axis] - 1 else 99))]),
        [axis],
    )
    if net.opset < 10:
        return net.one("Slice", [x], starts=bounds[0], ends=bounds[1], axes=extra)
    if net.pick(False, False, True):
        bounds, step = ([-1], [-(2**31)]), -1
    lists = [*bounds, extra, [step]]
    return net.one("Slice", [x, *(net.constant(np.array(v, np.int64)) for v in lists)])


def split(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    axis = int(net.random.integers(1, len(shape)))
    if shape[axis] < 2:
        return None
    sizes = [shape[axis] // 2, shape[axis] - shape[axis] // 2]
    if net.opset < 13:
        made = net.add("Split", [x], 2, axis=axis, split=sizes)
    else:
        made = net.add("Split", [x, net.constant(np.array(sizes, np.int64))], 2, axis=axis)
    return made[int(net.pick(0, 1))] if made else None


def transpose(net: Network, x: str) -> str | None:
    rank = len(net.shape(x))
    return net.one("Transpose", [x], perm=[0, *(1 + net.random.permutation(rank - 1)).tolist()])


def reshape(net: Network, x: str) -> str | None:
    shape = list(net.shape(x))
    if len(shape) < 3:
        return None
    axis = int(net.random.integers(1, len(shape) - 1))
    merged = [*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]]
    if net.pick(True, False) and len(shape) < 5:
        even = next((i for i in range(1, len(shape)) if shape[i] % 2 == 0), None)
        if even is not None:
            merged = [*shape[:even], 2, shape[even] // 2, *shape[even + 1 :]]
    return net.one("Reshape", [x, net.constant(np.array(merged, np.int64))])


def gather(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    axis = int(net.random.integers(1, len(shape)))
    indices = net.random.integers(-shape[axis], shape[axis], int(net.random.integers(1, 4)))
    return net.one("Gather", [x, net.constant(indices.astype(np.int64))], axis=axis)


_REDUCTIONS = (
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceL1", "ReduceSumSquare",
    "ReduceLogSumExp", "ReduceProd",
)  # fmt: skip


def reduce_(net: Network, x: str) -> str | None:
    rank = len(net.shape(x))
    op = net.pick(*_REDUCTIONS)
    count = int(net.random.integers(1, rank))
    axes = sorted((1 + net.random.permutation(rank - 1)[:count]).tolist())
    keep = int(net.pick(0, 1)) if rank - count > 1 else 1
    as_input = net.opset >= (13 if op == "ReduceSum" else 18)
    if as_input:
        return net.one(op, [x, net.constant(np.array(axes, np.int64))], keepdims=keep)
    return net.one(op, [x], axes=axes, keepdims=keep)


def softmax(net: Network, x: str) -> str | None:
    axis = int(net.random.integers(1, len(net.shape(x))))
    return net.one(net.pick("Softmax", "LogSoftmax"), [x], axis=axis)


def layer_norm(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    if net.opset < 17 or shape[-1] < 2:
        return None
    return net.one(
        "LayerNormalization", [x, net.weights(shape[-1], scale=1), net.weights(shape[-1])], axis=-1
    )


def l2_norm(net: Network, x: str) -> str | None:
    return net.one(
        "LpNormalization", [x], axis=int(net.random.integers(1, len(net.shape(x)))), p=int(net.pick(1, 2))
    )


def power(net: Network, x: str) -> str | None:
    exponent = float(net.pick(2.0, 3.0, 0.5, 1.5, -0.75))
    base = x if exponent == int(exponent) else net.one("Abs", [x])
    return base and net.one("Pow", [base, net.constant(np.float32(exponent))])


def matmul(net: Network, x: str) -> str | None:
    return net.one("MatMul", [x, net.weights(net.shape(x)[-1], int(net.random.integers(1, 6)))])


def left_matmul(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    return (
        net.one("MatMul", [net.weights(int(net.random.integers(1, 5)), shape[-2]), x])
        if len(shape) > 2
        else None
    )


def attention(net: Network, x: str) -> str | None:
    """x times itself transposed, softmax, times x."""
    rank = len(net.shape(x))
    if rank < 3:
        return None
    turned = net.one("Transpose", [x], perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = turned and net.one("MatMul", [x, turned])
    shares = scores and net.one("Softmax", [scores], axis=rank - 1)
    return shares and net.one("MatMul", [shares, x])


def flatten_gemm(net: Network, x: str) -> str | None:
    flat = net.one("Flatten", [x], axis=1)
    if flat is None:
        return None
    width, outputs = net.shape(flat)[1], int(net.random.integers(1, 8))
    attributes = {
        "transB": int(net.pick(0, 1)),
        "alpha": float(net.pick(1, 0.5)),
        "beta": float(net.pick(1, 2)),
    }
    weights = net.weights(*((outputs, width) if attributes["transB"] else (width, outputs)), scale=0.2)
    return net.one("Gemm", [flat, weights, net.weights(outputs)], **attributes)


def einsum(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    if net.opset < 12 or len(shape) not in (3, 4):
        return None
    if len(shape) == 3:
        return net.one("Einsum", [x, net.weights(shape[2], 3)], equation="abc,cd->adb")
    return net.one("Einsum", [x, x], equation=net.pick("abcd,abed->abce", "abcd,abcd->abd", "abcd,aecd->abe"))


def recurrent(net: Network, x: str) -> str | None:
    """(N, T, F), or any three axes of which the first is the batch."""
    shape = net.shape(x)
    if len(shape) != 3 or shape[1] > 12:
        return None
    op, units = net.pick("LSTM", "GRU", "RNN"), int(net.random.integers(1, 6))
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    direction = net.pick("forward", "reverse", "bidirectional")
    d = 2 if direction == "bidirectional" else 1
    steps = net.one("Transpose", [x], perm=[1, 0, 2])
    if steps is None:
        return None
    inputs = [steps, net.weights(d, gates * units, shape[2]), net.weights(d, gates * units, units)]
    if net.pick(True, False):
        inputs.append(net.weights(d, 2 * gates * units))
        if net.pick(True, False):
            inputs += ["", *(net.weights(d, 1, units) for _ in range(2 if op == "LSTM" else 1))]
    attributes = {"linear_before_reset": int(net.pick(0, 1))} if op == "GRU" else {}
    made = net.add(op, inputs, 2, hidden_size=units, direction=direction, **attributes)
    if made is None:
        return None
    if net.pick(True, False):
        return net.one("Transpose", [made[1]], perm=[1, 0, 2])
    moved = net.one("Transpose", [made[0]], perm=[2, 0, 1, 3])
    return moved and net.one("Reshape", [moved, net.constant(np.array([1, shape[1], d * units]))])


def where(net: Network, x: str) -> str | None:
    above = net.one("Greater", [x, net.constant(np.float32(0.1))])
    return above and net.one("Where", [above, x, net.constant(np.float32(-0.3))])


def embedding(net: Network, x: str) -> str | None:
    """Of the places of the largest values."""
    axis = len(net.shape(x)) - 1
    if axis < 1:
        return None
    best = np.sort(net.values[x], axis)
    if net.shape(x)[axis] > 1 and (best[..., -1] - best[..., -2]).min() < 1e-3:
        return None  # equals: either answer is right
    found = net.one("ArgMax", [x], axis=axis, keepdims=0)
    if found is None or not net.shape(found):
        return None
    return net.one("Gather", [net.weights(net.shape(x)[axis], 3), found], axis=0)


def top(net: Network, x: str) -> str | None:
    """The largest or smallest, where no two are equal."""
    axis = int(net.random.integers(1, len(net.shape(x)))) if len(net.shape(x)) > 1 else 0
    values = np.sort(net.values[x], axis)
    if values.shape[axis] > 1 and np.diff(values, axis=axis).min() < 1e-3:
        return None
    count = int(net.random.integers(1, values.shape[axis] + 1))
    largest = {"largest": int(net.pick(0, 1))} if net.opset >= 11 else {}
    made = net.add("TopK", [x, net.constant(np.array([count], np.int64))], 2, axis=axis, **largest)
    return made[0] if made else None


def scatter(net: Network, x: str) -> str | None:
    """Some elements from elsewhere."""
    shape = net.shape(x)
    axis = len(shape) - 1
    places = net.constant(net.random.permutation(shape[axis])[: max(1, shape[axis] // 2)])
    row = np.broadcast_to(net.constants[places], (*shape[:-1], net.constants[places].size)).copy()
    if net.opset >= 11 and net.pick(True, False):
        taken = net.one("GatherElements", [x, net.constant(row)], axis=axis)
        taken = taken and net.one("Neg", [taken])
        return taken and net.one(
            "ScatterElements", [x, net.constant(row[..., ::-1].copy()), taken], axis=axis
        )
    if net.opset < 11:
        return None
    count = int(net.pick(1, 1, 3))
    index = np.array([[int(net.random.integers(n)) for n in shape[:2]] for _ in range(count)], np.int64)
    if net.opset < 16 or (len({tuple(row) for row in index}) == count > 1 and net.pick(True, False)):
        return net.one("ScatterND", [x, net.constant(index), net.weights(count, *shape[2:])])
    how = net.pick("add", "mul", *(["max", "min"] if net.opset >= 18 else []))
    return net.one("ScatterND", [x, net.constant(index), net.weights(count, *shape[2:])], reduction=how)


def rare(net: Network, x: str) -> str | None:
    """Operators that few models have."""
    shape, last = net.shape(x), len(net.shape(x)) - 1
    rows = np.sort(net.values[x], -1)
    close = shape[-1] > 1 and np.diff(rows, axis=-1).min() < 1e-3
    choices: dict[str, Callable[[], str | None]] = {
        "Hardmax": lambda: None if close else net.one("Hardmax", [x], axis=last),
        "Compress": lambda: net.one(
            "Compress", [x, net.constant(np.arange(shape[-1]) % 2 == 0)], axis=last
        ),
        "GlobalLpPool": lambda: net.one("GlobalLpPool", [x], p=int(net.pick(1, 2))) if last > 1 else None,
        "GatherND": lambda: net.one(
            "GatherND", [x, net.constant(net.random.integers(0, shape[1], (1, 2, 1)))], batch_dims=1
        ) if net.opset >= 12 else None,
        "ReverseSequence": lambda: net.one(
            "ReverseSequence", [x, net.constant(np.array([int(net.random.integers(1, shape[1] + 1))]))],
            batch_axis=0, time_axis=1,
        ) if net.opset >= 10 else None,
        "CenterCropPad": lambda: net.one(
            "CenterCropPad", [x, net.constant(np.array([int(net.pick(2, 5, 7))]))], axes=[1]
        ) if net.opset >= 18 else None,
        "Asin": lambda: net.chain(x, "Tanh", "Asin"),
        "Acos": lambda: net.chain(x, "Tanh", "Acos"),
        "CumProd": lambda: net.one(
            "CumProd", [x, net.constant(np.int64(last))], reverse=int(net.pick(0, 1)),
            exclusive=int(net.pick(0, 1)),
        ) if net.opset >= 26 else None,
        "Swish": lambda: net.one("Swish", [x]) if net.opset >= 24 else None,
        "RMSNormalization": lambda: net.one(
            "RMSNormalization", [x, net.weights(shape[-1])], axis=-1
        ) if net.opset >= 23 else None,
    }  # fmt: skip
    return choices[net.pick(*choices)]() if last else None


def attend(net: Network, x: str) -> str | None:
    """The operator Attention, whose heads lie in the last axis."""
    shape = net.shape(x)
    if net.opset < 23 or len(shape) != 3:
        return None
    heads = int(net.pick(1, 2))
    parts = [net.one("MatMul", [x, net.weights(shape[-1], 4)]) for _ in range(3)]
    if any(part is None for part in parts):
        return None
    return net.one(
        "Attention", [str(part) for part in parts], q_num_heads=heads, kv_num_heads=heads,
        is_causal=int(net.pick(0, 1)),
    )  # fmt: skip


def triangle(net: Network, x: str) -> str | None:
    if net.opset < 14 or len(net.shape(x)) < 3:
        return None
    return net.one("Trilu", [x, net.constant(np.int64(net.pick(-1, 0, 1)))], upper=int(net.pick(0, 1)))


def integers(net: Network, x: str) -> str | None:
    """Cut to integers of both signs, divided, and floats again."""
    steps = net.one("Mul", [x, net.constant(np.float32(7.3))])
    if steps is None or np.abs(net.values[steps] - np.rint(net.values[steps])).min() < 1e-3:
        return None
    whole = net.one("Cast", [steps], to=7)
    divisor = net.constant(np.int64(net.pick(2, 3, -2)))
    some = whole and net.one(net.pick("Div", "Mul", "Add"), [whole, divisor])
    return some and net.one("Cast", [some], to=1)


def branch(net: Network, x: str) -> str | None:
    """An If of a condition that is known."""
    rank = helper.make_tensor_value_info("r", 1, net.shape(x))
    graphs = [
        helper.make_graph([helper.make_node(op, [x], [f"{op}_{len(net.nodes)}"])], op, [], [rank])
        for op in ("Neg", "Sigmoid")
    ]
    for graph in graphs:
        graph.output[0].name = graph.node[0].output[0]
    condition = net.constant(np.array(bool(net.pick(True, False))))
    return net.one("If", [condition], then_branch=graphs[0], else_branch=graphs[1])


def expand(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    single = [axis for axis in range(1, len(shape)) if shape[axis] == 1]
    if not single:
        return net.one("Tile", [x, net.constant(np.array([1] * (len(shape) - 1) + [2], np.int64))])
    target = list(shape)
    target[single[0]] = 3
    return net.one("Expand", [x, net.constant(np.array(target, np.int64))])


def squeeze(net: Network, x: str) -> str | None:
    shape = net.shape(x)
    single = [axis for axis in range(1, len(shape)) if shape[axis] == 1]
    op, axes = ("Squeeze", single[:1]) if single and len(shape) > 2 else ("Unsqueeze", [int(net.pick(1, -1))])
    if op == "Unsqueeze" and len(shape) > 3:
        return None
    if net.opset < 13:
        return net.one(op, [x], axes=[a % (len(shape) + (op == "Unsqueeze")) for a in axes])
    return net.one(op, [x, net.constant(np.array(axes, np.int64))])


IMAGES: tuple[Layer, ...] = (
    conv, conv, conv, conv_transpose, pool, pool, global_pool, batch_norm, instance_norm, group_norm, resize,
    depth_to_space, local_response, prelu,
)  # fmt: skip
ANY: tuple[Layer, ...] = (
    pad, activation, activation, activation, clip, arithmetic, arithmetic, residual, concat, slice_, split,
    transpose, reshape, gather, reduce_, softmax, layer_norm, l2_norm, power, matmul, left_matmul, attention,
    flatten_gemm, einsum, recurrent, where, embedding, expand, squeeze, top, scatter, triangle, integers,
    branch, rare, rare, attend,
)  # fmt: skip
_MOST_ELEMENTS = 6000


def network(seed: int) -> Any:
    """A ModelProto of two to nine layers that onnxruntime runs: it may refuse what it takes in parts."""
    for attempt in range(9):
        made = _network(seed + 1_000_003 * attempt)
        try:
            onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
            onnx.checker.check_model(made)
        except Exception:
            continue
        return made
    raise AssertionError(f"no network of seed {seed} runs")


def _network(seed: int) -> Any:
    net = Network(seed)
    rank = int(net.pick(2, 3, 3, 4, 4, 4, 5))
    shape = (1, *(int(n) for n in net.random.integers(1, 9, rank - 1)))
    if net.pick(True, False, False) and rank > 2:
        shape = (1, *(int(net.random.integers(3, 7)),) * (rank - 1))  # C = H = W: no shape tells the layout
    x = net.input(shape)
    if net.pick(True, False, False):
        net.input(shape)
    outputs: list[str] = []
    for _ in range(int(net.random.integers(2, 10))):
        layers = IMAGES if len(net.shape(x)) >= 3 and net.random.random() < 0.5 else ANY
        made = net.pick(*layers)(net, x)
        if (
            made is None
            or not net.shape(made)
            or net.shape(made)[0] != 1
            or net.values[made].size > _MOST_ELEMENTS
        ):
            continue
        if net.values[made].size == 0 or net.values[made].dtype != np.float32:
            continue
        x = made
        if net.random.random() < 0.15:
            outputs.append(x)
    if x in net.inputs:
        x = net.one("Relu", [x]) or x
    second = next((name for name in net.inputs if name == "in_1"), None)
    if second is not None and not any(second in node.input for node in net.nodes):
        tail = net.one("Sigmoid", [second])
        outputs.append(tail or x)
    return net.model(list(dict.fromkeys([*outputs, x])))
