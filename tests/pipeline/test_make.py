# SPDX-License-Identifier: Apache-2.0
"""A pipeline's bundle: TFLM agrees with it, commands take it, and a model that changed changes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.slots.models import bundle_of, classifier
from tinyserve import workflow
from tinyserve.bundle import Bundle
from tinyserve.compiler.compile import compile_model
from tinyserve.compiler.host.model import HostModel
from tinyserve.errors import UsageError
from tinyserve.pipeline.make import described
from tinyserve.progress import silent
from tinyserve.workflow import Conversion

TEXT = """
[[nodes]]
name = "small"
model = "small.bundle"

[[nodes]]
name = "large"
model = "large.tflite"
when = "max(small) < 0.9"

[outputs]
scores = ["large", "small"]
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    bundle_of(classifier(1, 8), tmp_path, "small")
    (tmp_path / "large.tflite").write_bytes(classifier(2, 40))
    (tmp_path / "router.toml").write_text(TEXT)
    return tmp_path


def made_of(directory: Path, **more: object) -> Bundle:
    conversion = Conversion(output=directory / "out.bundle", **more)  # type: ignore[arg-type]
    return workflow.to_bundle(directory / "router.toml", conversion, silent)


def test_tflm_is_what_it_is_compared_with(directory: Path) -> None:
    x = np.random.default_rng(2).integers(-128, 128, (30, 1, 16)).astype(np.int8)
    np.savez(directory / "data.npz", x=x[:, 0].astype(np.float32) * 0.05)
    made = made_of(directory, samples=str(directory / "data.npz"))
    assert made.manifest.expected_from.startswith("tflite-micro")
    samples = made.samples()
    host = HostModel(compile_model(made.model_bytes())).run_batch([samples.inputs[0][:, None]], reset=False)
    for found, wanted in zip(host, samples.expected, strict=True):
        assert np.array_equal(found[:, 0], wanted)
    assert 0 < samples.expected[-1][:, 1].mean() < 1  # both ways were taken


def test_it_knows_its_nodes(directory: Path) -> None:
    made = made_of(directory)
    found = described(made)
    assert found is not None
    assert [(node.name, node.when, node.takes) for node in found.nodes] == [
        ("small", "", ["x"]),
        ("large", "max(small) < 0.9", ["x"]),
    ]
    assert made.manifest.name == "router"
    assert [output.name for output in made.manifest.outputs] == ["scores", "ran"]
    assert "held-out samples are those of node 'small'" in made.manifest.notes


def test_what_nodes_take_is_called_as_the_pipeline_calls_it(directory: Path) -> None:
    (directory / "large.tflite").write_bytes(classifier(2, 40, "dense_input:0"))
    made = made_of(directory)
    found = described(made)
    assert found is not None
    assert [node.takes for node in found.nodes] == [["x"], ["dense_input_0"]]
    assert [one.name for one in made.manifest.inputs] == ["x", "dense_input_0"]


def test_a_model_that_changed_changes_the_pipeline(directory: Path) -> None:
    first = made_of(directory).manifest.model_sha256
    stamp = (directory / "out.bundle" / "model.tflite").stat().st_mtime_ns
    assert made_of(directory).manifest.model_sha256 == first
    assert (directory / "out.bundle" / "model.tflite").stat().st_mtime_ns == stamp
    (directory / "large.tflite").write_bytes(classifier(3, 40))
    assert made_of(directory).manifest.model_sha256 != first


def test_representative_data_is_for_models(directory: Path) -> None:
    with pytest.raises(UsageError, match="--representative calibrates a model"):
        made_of(directory, representative="random")
