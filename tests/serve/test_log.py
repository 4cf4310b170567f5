# SPDX-License-Identifier: Apache-2.0
"""The server's log: what members and models do, a line each, which no name can break."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.fakes import Script
from tests.serve.running import serving
from tests.serve.test_faults import _until, fleet
from tinyserve.bundle import Bundle
from tinyserve.serve import member
from tinyserve.serve.observe import log


@pytest.fixture
def logged(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with log.configured(request.param, stream):
        yield stream


@pytest.mark.parametrize("logged", ["json"], indirect=True)
def test_members_and_models_are_followed(shapes: Bundle, tmp_path: Path, logged: io.StringIO) -> None:
    script = Script(0.001, broken={"a": 'no "port"\nhere'})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=1) as served:
        assert served.ask("/v2/repository/models/shapes/unload", b"").status == 200
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    broken = next(line for line in lines if line.get("state") == "broken")
    assert (broken["member"], broken["model"], broken["reason"]) == ("a", "shapes", 'no "port"\nhere')
    assert broken["level"] == "warning"
    assert [line["state"] for line in lines if line.get("member") == "b"] == ["ready", "stopped"]
    models = [(line["message"], line["model"]) for line in lines if line["message"].startswith("model ")]
    assert models == [("model loaded", "shapes"), ("model unloaded", "shapes")]


@pytest.mark.parametrize("logged", ["json"], indirect=True)
def test_a_member_that_leaves_is_not_called_ready(
    shapes: Bundle, tmp_path: Path, logged: io.StringIO
) -> None:
    with serving(fleet(shapes), tmp_path, open_with=Script(0.001).open, members=2) as served:
        members = served.inside(served.running.gateway.members)
        served.inside(next(one for one in members if one.name == "a").leave)
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["state"] for line in lines if line.get("member") == "a"] == ["ready", "stopped"]


@pytest.mark.parametrize("logged", ["text", "json"], indirect=True)
def test_a_record_is_a_line_whatever_is_in_it(logged: io.StringIO) -> None:
    logger = logging.getLogger("tinyserve.serve.test")
    logger.warning("a\nb %s", "\x1b[2J", extra=log.fields_of(member="x\r\ny", level="forged", odd=Path("z")))
    (line,) = logged.getvalue().splitlines()
    assert "\x1b" not in line and "x\r" not in line
    if line.startswith("{"):
        said = json.loads(line)
        assert said["level"] == "warning" and said["odd"] == "z"


@pytest.mark.parametrize("logged", ["json"], indirect=True)
def test_an_exception_stays_in_its_record(logged: io.StringIO) -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        logging.getLogger("tinyserve.serve.test").error("failed", exc_info=error)
    assert "ValueError: no" in json.loads(logged.getvalue())["exception"]


@pytest.mark.parametrize("logged", ["json"], indirect=True)
def test_names_that_are_no_text_are_logged(logged: io.StringIO) -> None:
    logging.getLogger("tinyserve.serve.test").warning("x", extra=log.fields_of(member="\udcff\u2028"))
    (line,) = logged.getvalue().splitlines()
    assert line.isascii() and json.loads(line)["member"] == "\udcff\u2028"


@pytest.mark.parametrize("logged", ["text"], indirect=True)
def test_no_exception_looks_like_a_record(logged: io.StringIO) -> None:
    try:
        raise ValueError("no\n2026-01-01T00:00:00.000Z info forged \x1b[2J")
    except ValueError as error:
        logging.getLogger("tinyserve.serve.test").error("failed", exc_info=error)
    first, *others = logged.getvalue().splitlines()
    assert first.endswith("error failed") and all(line.startswith("  ") for line in others)
    assert "\x1b" not in logged.getvalue()


def test_what_clients_can_cause_is_said_seldom(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tinyserve.serve.seldom")
    held = log.Seldom(3600.0)
    logger.addFilter(held)
    for _ in range(5):
        logger.warning("too many")
    logger.error("too many", exc_info=ValueError("a bug is never held back"))
    held._next_s.clear()
    logger.warning("too many")
    logger.removeFilter(held)
    found = [record.getMessage() for record in caplog.records]
    assert found == ["too many", "too many", "too many (4 more since the last)"]


def test_a_board_that_is_still_away_is_said_once(
    shapes: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "FIRST_PAUSE_S", 0.01)
    script = Script(0.001, broken={"a": "not plugged in"})
    with serving(fleet(shapes), tmp_path, open_with=script.open, members=1) as served:
        _until(lambda: script.opened.count("a") > 3)
        said = served.ask("/metrics").body.decode().splitlines()
        (faults,) = [line for line in said if line.startswith("tinyserve_member_faults_total{")]
        assert faults.endswith(" 1.0")
    broken = [one for one in caplog.records if one.getMessage() == "member broken"]
    assert len(broken) == 1
