# SPDX-License-Identifier: Apache-2.0
"""Limits, best classes, unusual values: what numpy gives, and one message for what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.compiler.ops.generate import Random
from tests.pipeline.reference import Reference
from tests.slots.models import classifier
from tests.support.flatbuffer_builder import ModelBuilder
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.errors import DataError
from tinyserve.pipeline.compose import compose
from tinyserve.pipeline.spec import parse

Array = npt.NDArray[np.float32]
SAMPLES = 60
SMALL = '[[nodes]]\nname = "small"\nmodel = "m.tflite"\n'


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """m.tflite: a classifier; same.tflite: gives its four float32 inputs as they are."""
    directory = tmp_path_factory.mktemp("models")
    (directory / "m.tflite").write_bytes(classifier(3, 16))
    model = ModelBuilder()
    graph = model.graph()
    x, y = graph.input((1, 4), "float32", name="x"), graph.tensor((1, 4), "float32", name="y")
    graph.op("MUL", [x, graph.constant(np.ones(4, np.float32))], [y])
    graph.output(y)
    (directory / "same.tflite").write_bytes(model.build())
    return directory


def outputs(text: str, directory: Path, samples: npt.NDArray[np.generic]) -> dict[str, list[Array]]:
    """By name what each sample gives."""
    composed = compose(parse(text.encode(), "pipeline.toml"), directory)
    model, found = HostModel(compile_model(composed.data)), []
    for sample in samples:
        found.append(model.run([sample]))
    names = composed.output_names
    return {name: [one[place] for one in found] for place, name in enumerate(names)}


def same(directory: Path, node: str, out: str, values: Array) -> dict[str, list[Array]]:
    text = f'[[nodes]]\nname = "same"\nmodel = "same.tflite"\n[[nodes]]\n{node}\n[outputs]\n{out}'
    return outputs(text, directory, values.reshape(-1, 1, 4))


def unusual(rng: np.random.Generator, count: int = 200) -> Array:
    """Some beyond every limit, some no numbers."""
    values = (rng.normal(size=(count, 4)) * 3).astype(np.float32)
    values[rng.random(values.shape) < 0.02] = np.nan
    values[rng.random(values.shape) < 0.02] = 1e30
    return values


@pytest.mark.parametrize("seed", range(6))
def test_a_guard_lets_nothing_out_that_is_beyond_its_limits(seed: int, models: Path) -> None:
    r = Random(seed, 110)
    low = [-1.5, -1.0, 0.0, -2.25] if r.chance(0.5) else -1.25
    high = None if seed == 1 else 2.5
    instead = 0.5 if seed % 2 else None
    fields = (
        f"low = {low}" + (f"\nhigh = {high}" if high else "") + (f"\ninstead = {instead}" if instead else "")
    )
    given = unusual(r.rng)
    node = f'name = "safe"\nkind = "guard"\ninput = "same"\n{fields}'
    found = same(models, node, 'price = "safe"\nok = "safe.ok"', given)
    least, most = np.float32(low), np.float32(np.inf if high is None else high)
    inside = (given >= least) & (given <= most)
    limits = np.where(given > most, most, np.where(given >= least, given, least))
    wanted = np.where(inside, given, np.float32(instead)) if instead else limits
    assert np.array_equal(np.concatenate(found["price"]), wanted.astype(np.float32))
    assert np.array_equal(np.concatenate(found["ok"]).ravel(), inside.all(axis=1).astype(np.int32))


@pytest.mark.parametrize(
    ("count", "least", "margin"), [(1, 0.6, 0.0), (2, None, 0.2), (3, 0.1, 0.1), (4, None, 0)]
)
def test_the_best_classes_or_none(count: int, least: float | None, margin: float, models: Path) -> None:
    text = f'{SMALL}[[nodes]]\nname = "best"\nkind = "top"\ninput = "small"\n'
    text += f"count = {count}\nmargin = {margin}\n"
    text += f"least = {least}\n" if least is not None else ""
    text += '[outputs]\nclasses = "best"\nscores = "best.scores"'
    pipeline = parse(text.encode(), "pipeline.toml")
    samples = np.random.default_rng(2).integers(-128, 128, (SAMPLES, 1, 16)).astype(np.int8)
    found = outputs(text, models, samples)
    reference, abstained = Reference(pipeline, models), 0
    for sample, classes, scores in zip(samples, found["classes"], found["scores"], strict=True):
        real = reference.run(sample).real["small"]
        order = np.argsort(-real, kind="stable")[:count]
        ranked = np.sort(real)[::-1]
        near = margin > 0 and np.float32(ranked[0] - ranked[1]) < np.float32(margin)
        low = real[order] < np.float32(-1 if least is None else least)
        wanted = np.where(low | near, -1, order)
        abstained += int((wanted < 0).sum())
        assert np.array_equal(classes[0], wanted)
        assert np.array_equal(scores[0], real[order].astype(np.float32))
    assert abstained or (least is None and not margin)


def test_what_differs_from_what_was_given_is_unusual(models: Path) -> None:
    given = np.random.default_rng(4).normal(size=(50, 4)).astype(np.float32)
    guard = 'name = "flat"\nkind = "guard"\ninput = "same"\nlow = -0.5\nhigh = 0.5\n'
    node = f'{guard}[[nodes]]\nname = "odd"\nkind = "anomaly"\ninput = "flat"\nagainst = "x"'
    found = same(models, node, 'score = "odd"', given)
    wanted = ((given.clip(-0.5, 0.5) - given).astype(np.float64) ** 2).mean(axis=1)
    np.testing.assert_allclose(np.concatenate(found["score"]).ravel(), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scales", [None, [0.5, 2.0, 1.0, 4.0]])
def test_what_is_far_from_all_centroids_is_unusual(scales: list[float] | None, models: Path) -> None:
    given = (np.random.default_rng(5).normal(size=(50, 4)) * 3).astype(np.float32)
    centroids = [[0.0, 0.0, 0.0, 0.0], [3.0, -1.0, 2.0, 0.5], [-4.0, 4.0, 0.0, 1.0]]
    node = f'name = "odd"\nkind = "anomaly"\ninput = "same"\ncentroids = {centroids}'
    node += f"\nscales = {scales}" if scales else ""
    found = same(models, node, 'score = "odd"', given)
    apart = (given[:, None] - np.array(centroids)[None]) / np.array(scales or [1.0] * 4)
    wanted = np.sqrt((apart**2).sum(axis=2)).min(axis=1)
    np.testing.assert_allclose(np.concatenate(found["score"]).ravel(), wanted, rtol=1e-5)


def test_conditions_ask_policies_and_what_did_not_run_gives_nothing(models: Path) -> None:
    text = (
        f'{SMALL}[[nodes]]\nname = "best"\nkind = "top"\ninput = "small"\nmargin = 0.3\n'
        '[[nodes]]\nname = "unsure"\nkind = "guard"\ninput = "small"\nhigh = 1.0\nwhen = "best[0] == -1"\n'
        '[outputs]\nclass = "best"\nscores = "unsure"'
    )
    samples = np.random.default_rng(6).integers(-128, 128, (SAMPLES, 1, 16)).astype(np.int8)
    found = outputs(text, models, samples)
    ran = [int(one[0, 2]) for one in found["ran"]]
    assert ran == [int(one[0, 0] == -1) for one in found["class"]]
    assert 0 < sum(ran) < SAMPLES
    assert all(scores.any() == bool(flag) for scores, flag in zip(found["scores"], ran, strict=True))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ('kind = "guard"\ninput = "same"', "without limits"),
        ('kind = "guard"\ninput = "same"\nlow = 1\nhigh = 0', "low is above high"),
        ('kind = "guard"\ninput = "same"\nlow = [1, 2]', "2 values of low"),
        ('kind = "guard"\ninput = "same"\nlow = 0\ninstead = -1', "not lie within"),
        ('kind = "top"\ninput = "same"\ncount = 5', "the best 5 of 4 scores"),
        ('kind = "anomaly"\ninput = "same"', "one of the two"),
        ('kind = "anomaly"\ninput = "same"\nagainst = "x"\ncentroids = [[1, 2, 3, 4]]', "one of the two"),
        ('kind = "anomaly"\ninput = "same"\nagainst = "nobody"', "no node 'nobody'"),
        ('kind = "anomaly"\ninput = "same"\ncentroids = [[1, 2]]', "2 values for 4"),
        ('kind = "anomaly"\ninput = "same"\ncentroids = [[1, 2, 3, 4]]\nscales = [1, 1, 0, 1]', "scale of 0"),
        ('kind = "anomaly"\ninput = "same.nothing"\nagainst = "x"', "nothing"),
        ('kind = "top"\ninput = "same"\ncount = 0', "count"),
    ],
)
def test_what_does_not_fit_is_named(node: str, said: str, models: Path) -> None:
    with pytest.raises(DataError, match=said):
        same(models, f'name = "p"\n{node}', 'y = "p"', np.zeros((1, 4), np.float32))


def test_a_decision_makes_an_event_of_what_stays_unusual(models: Path) -> None:
    text = (
        '[[nodes]]\nname = "same"\nmodel = "same.tflite"\n'
        '[[nodes]]\nname = "odd"\nkind = "anomaly"\ninput = "same"\ncentroids = [[0, 0, 0, 0]]\n'
        '[[nodes]]\nname = "alarm"\nkind = "decision"\ninput = "odd"\nenter = 3.0\nhold = 3\nwithin = 5\n'
        '[outputs]\nscore = "odd"'
    )
    far = [0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1]
    samples = np.array([[[4.0 * one, 0, 0, 0]] for one in far], np.float32)
    events = [int(one[0, 0]) for one in outputs(text, models, samples)["alarm"]]
    assert [place for place, event in enumerate(events) if event == 0] == [4, 16]
