# SPDX-License-Identifier: Apache-2.0
"""The classifier's bundle, converted once per process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.models import write_classifier, write_dataset
from tinyserve import workflow
from tinyserve.bundle import Bundle
from tinyserve.progress import silent


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("classifier")
    source = write_classifier(folder / "shapes.tflite")
    return workflow.to_bundle(source, workflow.Conversion(output=folder / "shapes"), silent)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "test.npz")
