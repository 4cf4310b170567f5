# SPDX-License-Identifier: Apache-2.0
"""A classifier's bundle, and servers that run in a thread beside the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.models import classifier_bundle
from tests.serve.running import Served, serving
from tinyserve.bundle import Bundle

HOST = """
[models.shapes]
source = "{bundle}"
[members.here]
link = "host"
"""


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return classifier_bundle(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="session")
def host(shapes: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One host member, for tests that change nothing."""
    with serving(HOST.format(bundle=shapes.path), tmp_path_factory.mktemp("host")) as served:
        yield served
