# SPDX-License-Identifier: Apache-2.0
"""Random pipelines of classifiers: every kind of node, in any order that fits, on conditions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.compiler.ops.generate import Random
from tests.slots.models import classifier
from tinyserve.errors import DataError
from tinyserve.pipeline.compose import compose
from tinyserve.pipeline.spec import Pipeline, parse

CLASSES = 4
_TRIES = 40


def write_models(directory: Path) -> None:
    """m0.tflite to m2.tflite, classifiers of 16 numbers."""
    for number, hidden in enumerate((8, 40, 16)):
        (directory / f"m{number}.tflite").write_bytes(classifier(number + 1, hidden))


def generated(seed: int, directory: Path) -> Pipeline:
    """Up to eight nodes over the models of ``write_models``. Nodes that do not fit are tried and left out:
    what they raise is a DataError, or the test that asked for this fails."""
    r = Random(seed, 191)
    nodes: list[dict[str, Any]] = [{"name": "n0", "model": "m0.tflite"}]
    wanted = r.integer(2, 8)
    for _ in range(_TRIES):
        if len(nodes) == wanted:
            break
        names = [node["name"] for node in nodes]
        node = {"name": f"n{len(nodes)}"} | _NODES[r.choice(tuple(_NODES))](r, names)
        if r.chance(0.7):
            node["when"] = _condition(r, names)
        if _fits([*nodes, node], directory):
            nodes.append(node)
    return _pipeline(nodes)


def _pipeline(nodes: list[dict[str, Any]]) -> Pipeline:
    """Every node on the device is an output (a decision's events are in any case)."""
    shown = [node["name"] for node in nodes if node.get("kind") != "decision" and "where" not in node]
    lines = []
    for node in nodes:
        lines += ["[[nodes]]", *(f"{field} = {json.dumps(value)}" for field, value in node.items())]
    lines += ["[outputs]", *(f'o_{name} = "{name}"' for name in shown[:16])]
    return parse("\n".join(lines).encode(), "pipeline.toml")


def _fits(nodes: list[dict[str, Any]], directory: Path) -> bool:
    try:
        compose(_pipeline(nodes), directory)
    except DataError:
        return False
    return True


def _model(r: Random, names: list[str]) -> dict[str, Any]:
    more: dict[str, Any] = {"input": [r.choice(names) for _ in range(4)]} if r.chance(0.4) else {}
    if r.chance(0.2):
        more["where"] = "gateway"
    return {"model": f"m{r.integer(0, 2)}.tflite"} | more


def _mix(r: Random, names: list[str]) -> dict[str, Any]:
    chosen = list(dict.fromkeys(r.choice(names) for _ in range(r.integer(2, 3))))
    weights = {"weights": [float(r.integer(0, 3)) for _ in chosen]} if r.chance(0.5) else {}
    return {"kind": r.choice(("average", "vote")), "input": chosen} | weights


def _guard(r: Random, names: list[str]) -> dict[str, Any]:
    low = [0.1, 0.0, 0.2, 0.05] if r.chance(0.3) else 0.125
    high = {"high": r.choice((0.5, 0.9))} if r.chance(0.7) else {}
    instead = {"instead": 0.3} if r.chance(0.5) else {}
    return {"kind": "guard", "input": r.choice(names), "low": low} | high | instead


def _top(r: Random, names: list[str]) -> dict[str, Any]:
    least = {"least": r.choice((0.25, 0.5))} if r.chance(0.5) else {}
    margin = r.choice((0.0, 0.1, 0.3))
    return {"kind": "top", "input": r.choice(names), "count": r.integer(1, CLASSES), "margin": margin} | least


def _anomaly(r: Random, names: list[str]) -> dict[str, Any]:
    node: dict[str, Any] = {"kind": "anomaly", "input": r.choice(names)}
    if r.chance(0.4):
        return node | {"against": r.choice(names)}
    centroids = r.rng.random((r.integer(1, 4), CLASSES)).tolist()
    scales = {"scales": [0.5, 1.0, 2.0, 0.1]} if r.chance(0.5) else {}
    return node | {"centroids": centroids} | scales


def _decision(r: Random, names: list[str]) -> dict[str, Any]:
    hold = r.integer(1, 3)
    within = {"within": hold + r.integer(0, 3)} if r.chance(0.6) else {}
    return {
        "kind": "decision", "input": r.choice(names), "enter": r.choice((0.3, 0.6)), "hold": hold,
        "smoothing": r.integer(1, 4), "refractory": r.integer(0, 3), "margin": r.choice((0.0, 0.1)),
    } | within  # fmt: skip


_NODES = {
    "model": _model, "mix": _mix, "guard": _guard, "top": _top, "anomaly": _anomaly, "decision": _decision,
}  # fmt: skip


def _condition(r: Random, names: list[str], depth: int = 0) -> str:
    if depth < 2 and r.chance(0.3):
        parts = [_condition(r, names, depth + 1) for _ in range(2)]
        return f"({r.choice((' and ', ' or ')).join(parts)})"
    if r.chance(0.15):
        return f"not ({_condition(r, names, depth + 1)})" if depth < 2 else f"ran({r.choice(names)})"
    name = r.choice(names)
    place = r.choice((name, name, name, f"{name}.0", f"{name}.ok"))
    entry = f"{place}[{r.choice((0, 0, 1, CLASSES - 1))}]"
    operand = r.choice((entry, f"max({place})", f"min({place})", f"mean({place})", f"margin({place})"))
    return f"{operand} {r.choice(('>=', '>', '<', '<='))} {r.choice(('0.1', '0.25', '0.5', '0.8'))}"
