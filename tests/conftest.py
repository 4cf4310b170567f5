# SPDX-License-Identifier: Apache-2.0
"""What is slow: the tests of slow_tests.txt, and of those whose many parameters cost half a second each all
but the first case. And what is skipped on a Python that TensorFlow has no wheels for."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import slow_tests
from tests.support import postgres, warm_worker
from tinyserve.convert.worker import child

# Hypothesis times examples by the clock on the wall, which goes on while a busy machine does something else.
settings.register_profile("tinyserve", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tinyserve")

TESTS = Path(__file__).parent
# A type, a board or a compiler more is seconds more: `make test-fast` runs each of these tests once, `make
# test` with all of its parameters.
COSTLY = tuple(
    TESTS / place
    for place in (
        "bench/test_determinism.py",
        "compiler/emit/test_parameters.py",
        "compiler/ops",
        "compiler/tflm/test_trees.py",
        "compiler/variants",
        "convert/frameworks/test_sklearn.py",
        "convert/quantize",
        "convert/test_pipeline.py",
        "features/test_on_emulated_cores.py",
        "firmware/platformio/test_platform.py",
        "firmware/footprint",
        "firmware/test_arduino.py",
        "firmware/test_build.py",
        "slots/test_power_cuts.py",
        "sweep",
        "test_extras.py",
    )
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    seen: set[str] = set()
    slow = slow_tests.listed()
    for item in items:
        if item.nodeid in slow:
            item.add_marker(pytest.mark.slow)
        if not any(item.path.is_relative_to(place) for place in COSTLY):
            continue
        function = item.nodeid.partition("[")[0]
        if function in seen:
            item.add_marker(pytest.mark.slow)
        seen.add(function)


_MISSING = ("No module named 'tensorflow'", "No module named 'keras'", "TensorFlow is needed")
_WITHOUT_TENSORFLOW = find_spec("tensorflow") is None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where TensorFlow can't be installed, a test that fails for want of it is skipped, and says so."""
    report = yield
    if report.failed and _WITHOUT_TENSORFLOW and _wants_tensorflow(call.excinfo, str(report.longrepr)):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, "TensorFlow has no wheels for this Python")
    return report


def _wants_tensorflow(found: pytest.ExceptionInfo[BaseException] | None, shown: str) -> bool:
    from tinyserve.convert.frameworks.provision import FRONTENDS

    if found is None or FRONTENDS["tensorflow"].suits_this_python:
        return False
    return any(words in shown for words in _MISSING)


@pytest.fixture(scope="session", autouse=True)
def warm_workers(pytestconfig: pytest.Config) -> Iterator[None]:
    """Converter processes are forks of one that has imported TensorFlow; not where CPU time is measured, in
    which forks would not be counted."""
    if pytestconfig.getoption("--cpu-times", None) is not None:
        yield
        return
    with warm_worker.started():
        yield


@pytest.fixture
def cold_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Converter processes are started as users have them."""
    monkeypatch.setattr(child.Worker, "_start", warm_worker.COLD_START)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server; skips where there is none."""
    with postgres.running() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed")
        yield server
