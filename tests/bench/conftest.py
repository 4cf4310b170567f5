# SPDX-License-Identifier: Apache-2.0
"""The classifier's bundle, converted once per process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.models import classifier_bundle, write_dataset
from tinyserve.bundle import Bundle


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return classifier_bundle(tmp_path_factory.mktemp("classifier"))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "test.npz")
