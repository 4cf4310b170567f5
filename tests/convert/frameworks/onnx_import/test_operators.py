# SPDX-License-Identifier: Apache-2.0
"""Single operators as they are exported: exact, or refused with the node's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.convert.frameworks.networks.reference import differences, imported
from tinyserve.compiler.graph import reader
from tinyserve.compiler.passes.load import load
from tinyserve.convert.frameworks.onnx_import.trace import session_of
from tinyserve.errors import ModelError, UnsupportedError

_LEAST_DB = 100.0

MODELS = {
    "quotients_of_negative_integers": (
        "float[1,9] x", "int64[a,b] y",
        """w = Mul(x, five) whole = Cast<to = 7>(w) y = Div(whole, three)""",
        "float five = {9.0}, int64 three = {3}",
    ),
    "remainders_like_those_of_c": (
        "float[1,9] x", "int64[a,b] y",
        """w = Mul(x, five) whole = Cast<to = 7>(w) y = Mod<fmod = 1>(whole, three)""",
        "float five = {9.0}, int64 three = {3}",
    ),
    "largest": (
        "float[1,4,6] x", "float[a,b,c] y, int64[a,b,c] i", "y, i = TopK<axis = 1>(x, k)", "int64[1] k = {2}"
    ),
    "smallest": (
        "float[1,6] x", "float[a,b] y, int64[a,b] i", "y, i = TopK<largest = 0>(x, k)", "int64[1] k = {3}"
    ),
    "triangle": ("float[1,4,4] x", "float[a,b,c] y", "y = Trilu<upper = 0>(x, k)", "int64 k = {-1}"),
    "scattered_rows": (
        "float[2,3] x, float[1,3] u", "float[a,b] y", "y = ScatterND(x, i, u)", "int64[1,1] i = {1}"
    ),
    "scattered_elements": (
        "float[1,5] x, float[1,2] u", "float[a,b] y", "y = ScatterElements<axis = 1>(x, i, u)",
        "int64[1,2] i = {-1, 1}",
    ),
    "gathered_elements": (
        "float[1,2,3] x", "float[a,b,c] y", "y = GatherElements<axis = 2>(x, i)", "int64[1,1,2] i = {2, -3}"
    ),
    "gathered_from_the_end": (
        "float[1,4,6] x, int64[1,2] i", "float[a,b,c,d] y",
        "n = Sub(i, three) y = Gather<axis = 1>(x, n)", "int64 three = {3}",
    ),
    "one_hot_from_the_end_and_out_of_range": (
        "int64[1,4] i", "float[a,b,c] y", "n = Mul(i, j) y = OneHot<axis = 1>(n, depth, v)",
        "int64[4] j = {-1, -5, 5, -6}, int64 depth = {5}, float[2] v = {-1, 2}",
    ),
    "slices_to_the_end_and_integers_without_a_limit": (
        "float[1,6] x", "int64[a,b] y",
        "s = Slice(x, one, far, one) m = Mul(s, ten) w = Cast<to = 7>(m) y = Clip(w, low, high)",
        "int64[1] one = {1}, int64[1] far = {9223372036854775807}, float ten = {10}, "
        "int64 low = {-9223372036854775808}, int64 high = {9223372036854775807}",
    ),
    "not_a_number": (
        "float[1,5] x", "float[a,b] y",
        "r = Sqrt(x) n = IsNaN(r) y = Where(n, zero, r)", "float zero = {0.0}",
    ),
    "pooled_with_gaps_and_padding": (
        "float[1,2,7,6] x", "float[a,b,c,d] y",
        "y = MaxPool<kernel_shape = [3, 2], dilations = [2, 3], pads = [2, 1, 1, 1], strides = [1, 2]>(x)",
        "",
    ),
    "roots": ("float[1,9] x", "float[a,b] y", "a = Abs(x) y = Pow(a, p)", "float p = {0.75}"),
    "powers_of_two_values": ("float[1,9] x, float[1,9] p", "float[a,b] y", "a = Abs(x) y = Pow(a, p)", ""),
    "angles": ("float[1,9] x", "float[a,b] y", "w = Mul(x, s) y = Atan(w)", "float s = {3.0}"),
    "hyperbolic": (
        "float[1,9] x", "float[a,b] y",
        "a = Sinh(x) b = Asinh(a) c = Cosh(b) d = Acosh(c) t = Tanh(d) y = Atanh(t)", "",
    ),
    "tangent": ("float[1,9] x", "float[a,b] y", "y = Tan(x)", ""),
    "diagonal": ("float[1,2,4,4] x", "float[a,b] y", 'y = Einsum<equation = "bijj->bi">(x)', ""),
    "one_number": ("float[1,5] x", "float y", "y = ReduceMax<keepdims = 0>(x)", ""),
    "a_transposition_that_moves_nothing": (  # what comes behind must not go into the weights before
        "float[1,3] x", "float[a,b] p, float[a,b] y",
        "p = MatMul(x, w) t = Transpose<perm = [0, 1]>(p) y = Sub(t, b)",
        "float[3,2] w = {1, 2, 3, 4, 5, 6}, float[1] b = {0.5}",
    ),
    "sums_on_one_element": (
        "float[1,5] x, float[1,4] u", "float[a,b] y",
        "y = ScatterElements<axis = 1, reduction = \"add\">(x, i, u)",
        "int64[1,4] i = {1, -4, 3, 1}",
    ),
    "the_largest_on_one_element": (
        "float[1,2,3] x, float[3,3] u", "float[a,b,c] y", "y = ScatterND<reduction = \"max\">(x, i, u)",
        "int64[3,2] i = {0, 1, 0, 0, 0, 1}",
    ),
    "batches_of_places": (
        "float[1,2,3,2] x", "float[a,b,c] y", "y = GatherND<batch_dims = 2>(x, i)",
        "int64[1,2,1] i = {2, -3}",
    ),
    "the_first_of_the_largest": (
        "float[1,2,5] x", "float[a,b,c] y", "r = Relu(x) y = Hardmax<axis = -1>(r)", ""
    ),
    "kept_by_a_condition": (
        "float[1,2,3] x", "float[n] y", "y = Compress(x, c)", "bool[6] c = {1, 0, 0, 1, 1, 0}"
    ),
    "logarithms_of_large_sums": (
        "float[1,3,4] x", "float[a,b] y", "w = Mul(x, s) y = ReduceLogSumExp<keepdims = 0>(w, a)",
        "float s = {200.0}, int64[1] a = {-1}",
    ),
    "arcs": (
        "float[1,9] x", "float[a,b] y, float[a,b] z", "t = Tanh(x) y = Asin(t) z = Acos(t)", ""
    ),
    "what_is_infinite": (
        "float[1,9] x", "float[a,b] y", "w = Mul(x, s) e = Exp(w) n = IsInf(e) y = Where(n, x, w)",
        "float s = {300.0}",
    ),
    "parts_turned_around": (
        "float[1,4,2] x", "float[a,b,c] y", "y = ReverseSequence<batch_axis = 0, time_axis = 1>(x, n)",
        "int64[1] n = {3}",
    ),
    "norms": ("float[1,2,3,4] x", "float[a,b,c,d] y", "y = GlobalLpPool<p = 2>(x)", ""),
    "a_row_of_zeros_has_no_norm": (
        "float[1,8] x", "float[a,b] y",
        "s = ReduceSum(x, a) l = LogSoftmax<axis = 1>(s) y = LpNormalization<axis = 1, p = 1>(l)",
        "int64[1] a = {1}",
    ),
}  # fmt: skip
BRANCHES = {
    "a_branch_that_is_known": """
        s = Shape(x) n = Gather(s, two) known = Equal(n, two)
        y = If(known) <
            then_branch = a () => (float[d,e,f] p) { q = Mul(x, x) p = Neg(q) },
            else_branch = b () => (float[d,e,f] p) { p = Exp(x) } >""",
    "turns_that_are_counted": """
        start = Identity(x)
        last, all = Loop(three, yes, start) <
            body = b (int64 i, bool go, float[1,4,2] v) => (bool on, float[1,4,2] w, float[1,4,2] each)
            { on = Identity(go) f = Cast<to = 1>(i) s = Mul(v, x) w = Add(s, f) each = Tanh(w) } >
        total = ReduceSum<keepdims = 0>(all, zero) y = Add(last, total)""",
}


def model(inputs: str, outputs: str, nodes: str, constants: str, opset: int = 18) -> onnx.ModelProto:
    """From ONNX's own text form."""
    held = f"<{constants}>" if constants else ""
    text = f'<ir_version: 8, opset_import: ["" : {opset}]> g ({inputs}) => ({outputs}) {held} {{ {nodes} }}'
    return onnx.parser.parse_model(text)


@pytest.mark.parametrize("name", MODELS)
def test_they_are_exact_and_have_kernels(name: str, tmp_path: Path) -> None:
    source = model(*MODELS[name])
    assert not [str(one) for one in differences(source, tmp_path) if not _is_exact(one)]
    load(imported(source, tmp_path)[0].tflite, ())


@pytest.mark.parametrize("name", BRANCHES)
def test_inner_graphs_that_no_input_changes_are_put_in_their_place(name: str, tmp_path: Path) -> None:
    constants = "int64 two = {2}, int64 three = {3}, bool yes = {1}, int64[1] zero = {0}"
    source = model("float[1,4,2] x", "float[a,b,c] y", BRANCHES[name], constants)
    found = differences(source, tmp_path)
    assert not [str(one) for one in found if not _is_exact(one)]
    assert reader.read(imported(source, tmp_path)[0].tflite).main.nodes, "it depends on its input"


def test_a_branch_that_the_input_chooses_is_refused_by_name(tmp_path: Path) -> None:
    nodes = """s = ReduceSum<keepdims = 0>(x) above = Greater(s, zero)
        y = If(above) < then_branch = a () => (float[d,e] p) { p = Neg(x) },
                        else_branch = b () => (float[d,e] p) { p = Exp(x) } >"""
    with pytest.raises(UnsupportedError, match="If 'y'"):
        imported(model("float[1,4] x", "float[a,b] y", nodes, "float zero = {0}"), tmp_path)


@pytest.mark.parametrize("node", ["Mul(i, j)", "Max(j, i)", "Where(c, i, j)"])
def test_integers_of_more_than_32_bits_are_refused_by_name(node: str, tmp_path: Path) -> None:
    made = model("int64[1,3] i", "int64[a,b] y", f"c = Greater(i, one) y = {node}",
                 "int64[3] j = {5000000007, 3, -2}, int64 one = {1}")  # fmt: skip
    with pytest.raises(UnsupportedError, match="the constant 'j' holds 5000000007"):
        imported(made, tmp_path)


def test_a_loop_without_an_end_is_refused_before_it_runs(tmp_path: Path) -> None:
    nodes = """last = Loop("", yes, x) < body = b (int64 i, bool go, float[1,4] v) => (bool on, float[1,4] w)
               { on = Identity(go) w = Neg(v) } > y = Neg(last)"""
    source = model(
        "float[1,4] x", "float[a,b] y", nodes.replace('""', "none"), "bool yes = {1}, int64 none = {1}"
    )
    source.graph.node[0].input[0] = ""
    with pytest.raises(UnsupportedError, match="Loop 'last' is a loop"):
        imported(source, tmp_path)


@pytest.mark.parametrize(("infinite", "exact"), [(True, True), (False, True)])
def test_rows_of_which_a_mask_leaves_nothing(infinite: bool, exact: bool, tmp_path: Path) -> None:
    """-inf makes NaN of a row, which exporters turn into zeros; the lowest number shares it out evenly."""
    hidden = -np.inf if infinite else np.finfo(np.float32).min
    nodes = [
        helper.make_node("Where", ["mask", "zero", "hidden"], ["added"]),
        helper.make_node("Add", ["x", "added"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"], axis=-1),
        helper.make_node("IsNaN", ["shares"], ["lost"]),
        helper.make_node("Where", ["lost", "zero", "shares"], ["y"]),
    ]
    constants = {"zero": np.float32(0), "hidden": np.float32(hidden),
                 "mask": np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]], bool)}  # fmt: skip
    infos = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 3, 3]) for n in ("x", "y")]
    held = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    graph = helper.make_graph(nodes, "attention", infos[:1], infos[1:], held)
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    assert all(_is_exact(one) for one in differences(source, tmp_path)) is exact


@pytest.mark.parametrize(
    "node",
    [
        "Attention<q_num_heads = 2, kv_num_heads = 2>(x, x, x)",
        "Attention<q_num_heads = 1, kv_num_heads = 1, is_causal = 1>(x, x, x)",
        "RotaryEmbedding<num_heads = 2>(x, cos, sin, at)",
        "CenterCropPad<axes = [1]>(x, seven)",
        "Swish(x)",
    ],
)
def test_operators_of_the_newest_sets(node: str, tmp_path: Path) -> None:
    """Those that ONNX defines by others are written as those."""
    held = "float[6,1] cos = {0}, float[6,1] sin = {0}, int64[1,5] at = {0, 1, 2, 3, 4}, int64[1] seven = {7}"
    held = held.replace("{0}", "{0.1, 0.2, 0.3, 0.4, 0.5, 0.6}")
    source = model("float[1,5,4] x", "float[a,b,c] y", f"y = {node}", held, opset=24)
    try:
        session_of(source)
    except ModelError as error:
        if "knows operator sets up to" not in error.message:
            raise
        pytest.skip(error.message)
    assert all(_is_exact(one) for one in differences(source, tmp_path))


def test_a_newer_operator_set_than_onnxruntimes_is_called_that() -> None:
    source = model("float[1,5,4] x", "float[1,5,4] y", "y = Relu(x)", "", opset=18)
    source.opset_import[0].version = 1000
    with pytest.raises(ModelError, match=r"operator sets up to \d+, not the model's") as caught:
        session_of(source)
    assert "opset_version=" in caught.value.hint


def _is_exact(one: object) -> bool:
    decibels, agreement = getattr(one, "sqnr_db", None), getattr(one, "agreement", None)
    return (decibels is None or decibels >= _LEAST_DB) and agreement in (None, 1.0)


def test_the_value_of_a_border_is_a_scalar(tmp_path: Path) -> None:
    """TensorFlow's quantizer refuses a whole model for a PADV2 with a list of one value."""
    border = "y = Pad(x, p, v)"
    source = model("float[1,4] x", "float[a,b] y", border, "int64[4] p = {0, 1, 0, 2}, float v = {0.5}")
    made, _ = imported(source, tmp_path)
    (node,) = reader.read(made.tflite).main.nodes
    assert node.name == "PADV2" and node.inputs[2] is not None and node.inputs[2].shape == ()
    assert all(_is_exact(one) for one in differences(source, tmp_path))


@pytest.mark.parametrize(("ratio", "training", "refused"), [(0.5, 1, True), (0.0, 1, False), (0.5, 0, False)])
def test_what_drops_out_in_each_call_is_refused_by_name(
    ratio: float, training: int, refused: bool, tmp_path: Path
) -> None:
    source = model(
        "float[1,4] x", "float[a,b] y", "w = Dropout(x, r, t) y = Neg(w)",
        f"float r = {{{ratio}}}, bool t = {{{training}}}",
    )  # fmt: skip
    if not refused:
        assert all(_is_exact(one) for one in differences(source, tmp_path))
        return
    with pytest.raises(UnsupportedError, match=r"Dropout 'w'.*training mode") as caught:
        imported(source, tmp_path)
    assert "eval()" in caught.value.hint


def test_an_lstm_with_projected_states_is_named(tmp_path: Path) -> None:
    nodes = "all, h, c = LSTM<hidden_size = 4>(x, w, r) y = Neg(h)"
    source = model("float[3,1,2] x", "float[a,b,c] y", nodes, "float[1,16,2] w = {0}, float[1,16,3] r = {0}")
    for tensor, shape in zip(source.graph.initializer, ((1, 16, 2), (1, 16, 3)), strict=True):
        tensor.CopyFrom(numpy_helper.from_array(np.ones(shape, np.float32), tensor.name))
    with pytest.raises(UnsupportedError, match="LSTM 'all' has projected states"):
        imported(source, tmp_path)


@pytest.mark.parametrize(
    "step",
    [
        "y = PRelu(x, slopes)",
        "y = InstanceNormalization(x, one, one)",
        "a = Abs(x) m = ReduceMean<axes = [1, 2, 3, 4]>(a) y = Pow(a, m)",
        "m = ReduceMean(x) a = Less(x, one) b = Less(m, one) c = Or(a, b) y = Cast<to = 1>(c)",
    ],
)
def test_volumes_meet_no_kernel_that_broadcasts_four_axes(step: str, tmp_path: Path) -> None:
    """LiteRT ends the process that calibrates there."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[1,1,2,3,4] x) => (float[a,b,c,d,e] y)
        <float[1,1,1,1] slopes = {{-0.3}}, float[1] one = {{1.5}}> {{ {step} }}"""
    model = onnx.parser.parse_model(text)
    assert all(one.is_right for one in differences(model, tmp_path))
    for node in reader.read(imported(model, tmp_path)[0].tflite).main.nodes:
        if node.name in ("PRELU", "POW", "SQUARED_DIFFERENCE", "LOGICAL_OR"):
            assert all(len(one.shape) <= 4 for one in node.inputs if one is not None), node.name
