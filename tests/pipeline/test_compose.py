# SPDX-License-Identifier: Apache-2.0
"""A pipeline gives what its models give one by one: random topologies, conditions, votes, gateways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.generate import Random
from tests.pipeline.reference import Reference, escalated
from tests.slots.models import classifier
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.pipeline.compose import RAN, compose
from tinyserve.pipeline.spec import AverageNode, ModelNode, Pipeline, VoteNode, parse

SAMPLES = 120
HIDDEN = (8, 64, 16, 24)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    for index, hidden in enumerate(HIDDEN):
        (directory / f"m{index}.tflite").write_bytes(classifier(index + 1, hidden))
    return directory


def comparison(r: Random, name: str) -> str:
    kind = r.choice(("entry", "max", "min", "mean", "argmax", "margin"))
    sign = r.choice((">=", "<=", ">", "<"))
    level = r.integer(1, 255) / 256 + 1 / 1000  # between two steps: no rounding decides
    if kind == "entry":
        return f"{name}[{r.integer(0, 3)}] {sign} {level}"
    if kind == "argmax":
        return f"argmax({name}) {r.choice(('==', '!=', '>='))} {r.integer(0, 3)}"
    return f"{kind}({name}) {sign} {level}"


def condition(r: Random, names: list[str], depth: int = 2) -> str:
    kind = r.choice(("one", "and", "or", "not", "ran")) if depth else "one"
    if kind == "one":
        return comparison(r, r.choice(names))
    if kind == "ran":
        return f"ran({r.choice(names)}) and {comparison(r, r.choice(names))}"
    if kind == "not":
        return f"not ({comparison(r, r.choice(names))})"
    return f" {kind} ".join(f"({condition(r, names, depth - 1)})" for _ in range(r.integer(2, 3)))


def random_pipeline(r: Random) -> str:
    lines = ['[[nodes]]\nname = "n0"\nmodel = "m0.tflite"']
    names = ["n0"]
    for number in range(1, r.integer(2, 6)):
        name, kind = f"n{number}", r.choice(("model", "model", "gateway", "average", "vote"))
        when = f"when = '{condition(r, names)}'" if kind == "gateway" or r.chance(0.6) else ""
        lines.append(f'[[nodes]]\nname = "{name}"\n{when}')
        if kind in ("model", "gateway"):
            lines.append(f'model = "m{r.integer(0, len(HIDDEN) - 1)}.tflite"')
            lines.append('where = "gateway"' if kind == "gateway" else "")
        else:
            models = [one for one in names if lines_of(lines, one)]
            given = [r.choice(models) for _ in range(r.integer(1, 3))]
            lines.append(f'kind = "{kind}"\ninput = {given}'.replace("'", '"'))
            lines.append(f"weights = {[r.integer(1, 4) for _ in given]}" if r.chance(0.4) else "")
        if kind != "gateway":
            names.append(name)
    places = [r.choice(names) for _ in range(r.integer(1, 3))]
    return "\n".join([*lines, f"[outputs]\nscores = {places}".replace("'", '"')])


def lines_of(lines: list[str], name: str) -> bool:
    """Whether a node is a model."""
    text = "\n".join(lines)
    return 'model = "' in text.partition(f'name = "{name}"')[2].partition("[[nodes]]")[0]


@pytest.mark.parametrize("seed", range(16))
def test_random_pipelines_give_what_their_models_give_one_by_one(seed: int, models: Path) -> None:
    r = Random(seed, 77)
    text = random_pipeline(r)
    pipeline = parse(text.encode(), "pipeline.toml")
    composed = compose(pipeline, models)
    x = r.rng.integers(-128, 128, (SAMPLES, 1, 16)).astype(np.int8)
    outputs, events = HostModel(compile_model(composed.data)).events([x])
    given = dict(zip(composed.output_names, outputs, strict=True))
    reference = Reference(pipeline, models)
    wanted = [reference.run(one) for one in x]
    names = [node.name for node in pipeline.nodes]
    if RAN in given:
        ran = [[one.ran[name] for name in names] for one in wanted]
        assert given[RAN][:, 0].tolist() == ran, text
    places = pipeline.outputs["scores"]
    for found, one in zip(given["scores"], wanted, strict=True):
        place = next((place for place in places if one.ran[place]), places[-1])
        expected = one.real.get(place, np.zeros(4))
        real = (
            found.astype(np.float32) if found.dtype == np.float32 else (found.astype(np.float32) + 128) / 256
        )
        np.testing.assert_allclose(real.reshape(-1), expected, atol=0.5001 / 256 if len(places) > 1 else 1e-6)
    for node in pipeline.nodes:
        if isinstance(node, ModelNode) and node.where == "gateway":
            asked = [(n, (x[n].tobytes(),)) for n, one in enumerate(wanted) if one.ran[node.name]]
            assert escalated(events, node.name) == asked


def test_between_them_the_random_pipelines_have_every_kind() -> None:
    nodes = [
        node for seed in range(16) for node in parse(random_pipeline(Random(seed, 77)).encode(), "p").nodes
    ]
    assert {type(node) for node in nodes} == {ModelNode, AverageNode, VoteNode}
    assert any(node.when and "not" in node.when for node in nodes)
    assert any(isinstance(node, ModelNode) and node.where == "gateway" for node in nodes)


def composed_of(text: str, models: Path) -> tuple[Pipeline, list[np.ndarray], np.ndarray]:
    pipeline = parse(text.encode(), "pipeline.toml")
    x = np.random.default_rng(1).integers(-128, 128, (40, 1, 16)).astype(np.int8)
    return pipeline, HostModel(compile_model(compose(pipeline, models).data)).run_batch([x]), x


def requantized() -> bytes:
    """Scores of 16 classes as an input of the classifiers takes them."""
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 16), "int8", 1 / 256, -128), graph.tensor((1, 16), "int8", 0.05, 0)
    graph.op("QUANTIZE", [x], [y])
    graph.output(y)
    return model.build()


def test_a_model_of_stacked_outputs_takes_them_side_by_side(models: Path) -> None:
    text = """
    nodes = [{name = "a", model = "m0.tflite"}, {name = "b", model = "m1.tflite"},
             {name = "c", model = "m2.tflite"}, {name = "d", model = "m3.tflite"},
             {name = "top", model = "m0.tflite", input = ["a", "b", "c", "d"]}]
    """
    _, outputs, x = composed_of(text, models)
    parts = [
        HostModel(compile_model((models / f"m{n}.tflite").read_bytes())).run_batch([x])[0] for n in range(4)
    ]
    (stacked,) = HostModel(compile_model(requantized())).run_batch([np.concatenate(parts, axis=-1)])
    (wanted,) = HostModel(compile_model((models / "m0.tflite").read_bytes())).run_batch([stacked])
    assert np.array_equal(outputs[0], wanted)


def test_an_inner_arena_is_as_large_as_the_largest_stage(models: Path) -> None:
    text = "nodes = [{name = 'a', model = 'm0.tflite'},"
    text += (
        ", ".join(f"{{name = 'n{n}', model = 'm1.tflite', when = 'max(a) > 0.{n}5'}}" for n in range(6)) + "]"
    )
    composed = compose(parse(text.encode(), "p"), models)
    alone = compile_model((models / "m1.tflite").read_bytes()).plan.arena_bytes
    together = compile_model(composed.data).plan.arena_bytes
    assert together < 2 * alone  # six of them, and what their outputs, flags and conditions take
