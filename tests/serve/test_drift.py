# SPDX-License-Identifier: Apache-2.0
"""Whether what is asked still looks like the data that a model was made with: metrics, status, verdicts."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serve.conftest import HOST
from tests.serve.running import Served, serving
from tinyserve import bundle
from tinyserve.bundle import Bundle
from tinyserve.health.profile import PROFILE_FILE, profile_of
from tinyserve.serve import served as models
from tinyserve.serve.observe.drift import Drift, watch

SAMPLES = 60


def images(seed: int, moved: int = 0) -> np.ndarray:
    codes = np.random.default_rng(seed).normal(-20, 30, (SAMPLES, 8, 8, 1)) + moved
    return np.clip(np.round(codes), -128, 127).astype(np.int8)


@pytest.fixture(scope="module")
def profiled(shapes: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The classifier with a profile of such images, and the answers that it gives to them."""
    path = Path(shutil.copytree(shapes.path, tmp_path_factory.mktemp("drift") / "shapes"))
    many = np.concatenate([images(seed) for seed in range(8)])
    model = models.Served("shapes", "1", shapes)
    answers = [model.expected((one.tobytes(),))[0] for one in many]
    scores = np.frombuffer(b"".join(answers), np.int8).reshape(len(many), -1)
    (path / PROFILE_FILE).write_bytes(msgspec.json.encode(profile_of(many, scores)))
    return bundle.load(path)


def ask(served: Served, some: np.ndarray) -> None:
    name = served.ask("/v2/models/shapes").json["inputs"][0]["name"]
    tensor = {"name": name, "shape": list(some.shape), "datatype": "INT8", "data": some.ravel().tolist()}
    reply = served.ask("/v2/models/shapes/infer", msgspec.json.encode({"inputs": [tensor]}))
    assert reply.status == 200, reply.body


def metrics(served: Served) -> dict[str, float]:
    text = served.ask("/metrics").body.decode()
    return {
        "".join(
            [sample.name, *(f"|{sample.labels['of']}" for _ in range("of" in sample.labels))]
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("tinyserve_drift")
    }


def test_metrics_and_status_say_what_has_moved(
    profiled: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyserve.serve.observe.drift.EVERY_S", 0.0)
    monkeypatch.setattr("tinyserve.serve.observe.drift.WINDOW", SAMPLES)
    with serving(HOST.format(bundle=profiled.path), tmp_path) as served:
        ask(served, images(40)[:20])
        assert metrics(served) == {"tinyserve_drift_samples": 20}  # too few to tell
        ask(served, images(41))
        found = metrics(served)
        assert found["tinyserve_drift"] == 0 and 0 <= found["tinyserve_drift_psi|input 0"] < 0.1
        assert served.ask("/fleet").json["models"][0]["drift"] == []
        ask(served, images(42, moved=60))
        found = metrics(served)
        assert found["tinyserve_drift"] == 1 and found["tinyserve_drift_psi|input 0"] > 0.5
        words = served.ask("/fleet").json["models"][0]["drift"]
        assert any(word.startswith("input 0: has moved up by 2") for word in words)
        ask(served, images(43))  # the window is over: all is well again
        assert metrics(served)["tinyserve_drift"] == 0


def test_a_burst_is_looked_at_in_steps_of_time(profiled: Bundle) -> None:
    model = models.Served("shapes", "1", profiled)
    drift = watch(model)
    assert isinstance(drift, Drift)
    for number in range(100):
        drift.saw(model.golden[0], model.golden[1], 0.01 * number)
    assert drift.verdict().looked_at == 10


def test_a_model_without_a_profile_has_no_verdict(host: Served, shapes: Bundle) -> None:
    assert watch(models.Served("shapes", "1", shapes)) is None
    assert metrics(host) == {}
