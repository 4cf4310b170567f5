# SPDX-License-Identifier: Apache-2.0
"""TreeEnsemble against a walk in Python: TFLM has no such operator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from flatbuffers import flexbuffers

from tests.compiler.ops.generate import Random
from tests.support.differential import run_c
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.compiler.lower import lower
from tinyserve.compiler.ops.trees import tree_branches, tree_ensemble
from tinyserve.compiler.ops.trees.tree_tables import Tables, packed
from tinyserve.compiler.passes.load import load
from tinyserve.compiler.program import PORTABLE, Choice, Target
from tinyserve.errors import ModelError, UnsupportedError

Array = npt.NDArray[Any]
SAMPLES = 40


@dataclass
class Ensemble:
    """An operator: its tables, its options, and what surrounds it."""

    dtype: str
    features: int
    outputs: int
    tables: Tables
    options: dict[str, Any]
    zero_point: int = 0

    def model(self) -> bytes:
        model = ModelBuilder()
        graph = model.graph()
        integer: dict[str, Any] = {} if self.dtype == "float32" else {"scale": 0.5}
        x = graph.input((1, self.features), self.dtype, **integer)
        y = graph.tensor((1, self.outputs), self.dtype, **integer, zero_point=self.zero_point)
        t = self.tables
        constants = [t.feature, t.threshold, t.children, t.roots, t.leaves, t.base]
        constants += [] if t.targets is None else [t.targets]
        graph.op(
            "TreeEnsemble", [x, *(graph.constant(values) for values in constants)], [y],
            custom_options=bytes(flexbuffers.Dumps(self.options)),
        )  # fmt: skip
        graph.output(y)
        return model.build()

    def expected(self, x: Array) -> Array:
        """One sample, node by node."""
        t, sums = self.tables, self.tables.base.astype(np.int64)
        for tree, root in enumerate(t.roots):
            node = int(root)
            while node >= 0:
                node = int(t.children[node][0 if x[t.feature[node]] <= t.threshold[node] else 1])
            if t.leaves.ndim == 2:
                sums = sums + t.leaves[-1 - node]
            else:
                sums[0 if t.targets is None else t.targets[tree]] += t.leaves[-1 - node]
        if self.dtype == "float32":
            real: Array = sums.astype(np.float32) * np.float32(self.options["scale"])
            return real
        shift = self.options["shift"]
        values = (sums * self.options["multiplier"] + ((1 << shift) >> 1)) >> shift
        limits = np.iinfo(self.dtype)
        stored: Array = np.clip(values + self.zero_point, limits.min, limits.max).astype(self.dtype)
        return stored

    def samples(self, r: Random) -> Array:
        """Random values, and such as lie on thresholds or right beside them."""
        x = r.values((SAMPLES, 1, self.features), self.dtype)
        for row in x[::2, 0]:
            node = r.integer(0, len(self.tables.feature) - 1)
            beside = (
                np.nextafter(self.tables.threshold[node], np.float32(np.inf))
                if r.chance(0.5) and self.dtype == "float32"
                else self.tables.threshold[node]
            )
            row[self.tables.feature[node]] = beside
        return x


def grow(r: Random, decisions: int, shape: str) -> Array:
    """The children [decisions][2] of one tree; leaves have no number yet (-1)."""
    children = np.full((decisions, 2), -1, np.int32)
    free = [(0, 0), (0, 1)]
    for node in range(1, decisions):
        if shape == "chain":
            parent, side = node - 1, 0
        else:
            parent, side = free.pop(r.integer(0, len(free) - 1))
        children[parent, side] = node
        free += [(node, 0), (node, 1)]
    return children


def random_ensemble(
    index: int,
    dtype: str,
    kind: str,
    *,
    features: int = 0,
    decisions: tuple[int, int] = (1, 30),
    shape: str = "random",
) -> Ensemble:
    """``kind``: votes (rows with one entry), rows, a mix of them, value (one output), or targets."""
    r = Random(index, 131, len(kind))
    features = features or r.integer(1, 20)
    outputs = 1 if kind == "value" else r.integer(2, 6)
    trees = r.integer(1, 8)
    sizes = [r.integer(*decisions) for _ in range(trees)]
    starts = np.cumsum([0, *sizes])
    children = np.concatenate(
        [
            np.where(c >= 0, c + start, c)
            for start, c in zip(starts, (grow(r, n, shape) for n in sizes), strict=False)
        ]
    )
    leaf = children < 0
    leaves = _leaves(r, kind, 12, outputs)
    children[leaf] = -1 - r.rng.integers(0, len(leaves), int(leaf.sum()))
    nodes = int(starts[-1])
    tables = Tables(
        feature=r.rng.integers(0, features, nodes).astype(np.int32),
        threshold=r.values((nodes,), dtype),
        children=children.astype(np.int32),
        roots=starts[:-1].astype(np.int32),
        leaves=leaves,
        base=r.rng.integers(-1000, 1000, outputs).astype(np.int32),
        targets=r.rng.integers(0, outputs, trees).astype(np.int32) if kind == "targets" else None,
    )
    options = (
        {"scale": 0.125}
        if dtype == "float32"
        else {"multiplier": r.integer(1, 50), "shift": r.integer(0, 12)}
    )
    return Ensemble(
        dtype, features, outputs, tables, options, r.zero_point(dtype) if dtype != "float32" else 0
    )


def _leaves(r: Random, kind: str, count: int, outputs: int) -> Array:
    if kind in ("value", "targets"):
        return r.values((count,), "int16")
    rows = r.rng.integers(0, 256, (count, outputs)).astype(np.uint8)
    for index in range(count if kind == "votes" else count // 2 if kind == "mix" else 0):
        rows[index] = 0
        rows[index, index % outputs] = 255
    return rows


def check(ensembles: list[Ensemble], directory: Path) -> None:
    """Compiles with all warnings as errors, and runs under ASan and UBSan."""
    inputs = [ensemble.samples(Random(index, 132)) for index, ensemble in enumerate(ensembles)]
    programs = [lower(load(ensemble.model()), PORTABLE, "case") for ensemble in ensembles]
    ran = run_c(
        [(program, [[x] for x in xs]) for program, xs in zip(programs, inputs, strict=True)], directory
    )
    for ensemble, xs, runs in zip(ensembles, inputs, ran, strict=True):
        got = np.concatenate([run.outputs[0] for run in runs])
        np.testing.assert_array_equal(got, np.stack([ensemble.expected(x[0]) for x in xs]))


@pytest.mark.parametrize("dtype", ["int8", "int16", "float32"])
def test_outputs_are_those_of_the_walk(dtype: str, tmp_path: Path) -> None:
    kinds = ("votes", "rows", "mix", "value", "targets")
    check([random_ensemble(index, dtype, kinds[index % 5]) for index in range(40)], tmp_path)


def test_what_narrow_nodes_do_not_hold(tmp_path: Path) -> None:
    cases: list[tuple[int, tuple[int, int], str]] = [
        (129, (1, 30), "random"),
        (300, (1, 5), "random"),
        (5, (254, 257), "chain"),
        (4, (600, 700), "random"),
    ]
    check(
        [
            random_ensemble(1, "int16", "mix", features=features, decisions=decisions, shape=shape)
            for features, decisions, shape in cases
        ],
        tmp_path,
    )


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", ["mix", "targets"])
@pytest.mark.parametrize("most_inline", [0, 4096])
def test_trees_as_code_say_the_same(
    most_inline: int, kind: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_branches, "_MOST_INLINE", most_inline)
    ensemble = random_ensemble(5, dtype, kind, decisions=(1, 200))
    compiled = compile_model(ensemble.model(), Target(optimize="speed"))
    assert [call.variant for call in compiled.program.calls] == ["branches"]
    x = ensemble.samples(Random(5, 134))
    (got,) = HostModel(compiled, sanitize=True).run_batch([x])
    np.testing.assert_array_equal(got[:, 0], np.stack([ensemble.expected(row[0]) for row in x]))


def test_a_layer_is_code_or_nodes_as_the_user_says() -> None:
    model = random_ensemble(6, "int16", "votes").model()
    targets = {
        "branches": Target(choices=(Choice("main_t1", "branches"),)),
        "portable": Target(optimize="speed", choices=(Choice("main_t1", "portable"),)),
    }
    for wanted, target in targets.items():
        assert [call.variant for call in compile_model(model, target).program.calls] == [wanted]


def test_nodes_are_a_word_where_they_fit() -> None:
    small = random_ensemble(1, "int16", "votes", features=128, decisions=(10, 10))
    words = packed(small.tables).words
    assert len(words) == len(small.tables.feature)
    assert len(
        packed(replace(small.tables, threshold=small.tables.threshold.astype(np.float32))).words
    ) == 2 * len(words)


def test_zeros_of_both_signs_are_equal_and_nan_goes_right() -> None:
    tables = Tables(
        feature=np.zeros(2, np.int32),
        threshold=np.array([-0.0, 0.0], np.float32),
        children=np.array([[-1, -2], [-1, -2]], np.int32),
        roots=np.array([0, 1], np.int32),
        leaves=np.array([1, 10], np.int16),
        base=np.zeros(1, np.int32),
        targets=None,
    )
    ensemble = Ensemble("float32", 1, 1, tables, {"scale": 1.0})
    x = np.array([-0.0, 0.0, -1e-45, 1e-45, -np.inf, np.inf, np.nan], np.float32).reshape(-1, 1, 1)
    (got,) = HostModel(compile_model(ensemble.model())).run_batch([x])
    assert got.reshape(-1).tolist() == [2, 2, 2, 20, 2, 20, 20]


def changed(name: str, change: Callable[[Array], Array]) -> Ensemble:
    made = random_ensemble(2, "int16", "targets", features=6, decisions=(5, 5))
    tables = replace(made.tables, **{name: change(np.array(getattr(made.tables, name)))})
    return replace(made, tables=tables)


def put(place: Any, value: int) -> Callable[[Array], Array]:
    def change(values: Array) -> Array:
        values[place] = value
        return values

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("feature", put(0, 6), "beyond the 6"),
        ("feature", put(0, -1), "beyond the 6"),
        ("children", put((4, 0), 0), "do not form trees"),
        ("children", put((0, 0), -1000), "a leaf beyond"),
        ("roots", put(0, 1), "do not form trees"),
        ("targets", put(0, -1), "a target beyond"),
        ("base", lambda base: base[:1], "base values"),
        ("leaves", lambda leaves: leaves[:, None], "leaves of shape"),
        ("leaves", lambda leaves: leaves[0], "leaves of shape"),
        ("leaves", lambda leaves: leaves.astype(np.int32) * 40000, "32 bits"),
        ("threshold", lambda threshold: threshold[:-1], "features for children"),
    ],
)  # fmt: skip
def test_tables_that_contradict_each_other(name: str, change: Callable[[Array], Array], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        compile_model(changed(name, change).model())


def test_a_node_before_its_parent() -> None:
    made = random_ensemble(2, "int16", "value", features=6, decisions=(1, 1))
    tables = Tables(
        np.zeros(2, np.int32), np.zeros(2, np.int16), np.array([[-1, -1], [0, -1]], np.int32),
        np.array([1], np.int32), made.tables.leaves, made.tables.base, None,
    )  # fmt: skip
    with pytest.raises(ModelError, match="before its parent"):
        compile_model(replace(made, tables=tables).model())


@pytest.mark.parametrize(
    "options", [{"shift": 31}, {"shift": -1}, {"multiplier": 0}, {"scale": 1e35}, {"scale": float("nan")}]
)
def test_options_that_mean_nothing(options: dict[str, Any]) -> None:
    made = random_ensemble(3, "int16", "value")
    with pytest.raises(ModelError, match="its options are"):
        compile_model(replace(made, options=made.options | options).model())


def test_too_large_a_tree_is_refused() -> None:
    made = random_ensemble(4, "int16", "value", decisions=(1, 1))
    count = tree_ensemble.MOST_NODES_PER_TREE + 1
    children = np.stack([np.arange(1, count + 1), np.full(count, -1)], axis=1).astype(np.int32)
    children[-1, 0] = -1
    tables = Tables(
        np.zeros(count, np.int32), np.zeros(count, np.int16), children,
        np.array([0], np.int32), made.tables.leaves, made.tables.base, None,
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"65,536 decision nodes.*\n.*max_depth"):
        compile_model(replace(made, tables=tables).model())
