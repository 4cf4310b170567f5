# SPDX-License-Identifier: Apache-2.0
"""A model that serves is replaced member by member: requests are answered all the time, and a model that no
member takes changes nothing."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from tests.bench.models import classifier_bundle
from tests.serve.fakes import Script
from tests.serve.running import Reply, Served, serving
from tests.serve.test_faults import ask, fleet
from tinyserve import bundle
from tinyserve.bundle import Bundle
from tinyserve.errors import UsageError
from tinyserve.serve import config

LOAD = "/v2/repository/models/shapes/load"


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return classifier_bundle(tmp_path_factory.mktemp("second"), seed=2)


@pytest.fixture
def current(shapes: Bundle, tmp_path: Path) -> Bundle:
    """A copy, whose model may change."""
    return bundle.load(Path(shutil.copytree(shapes.path, tmp_path / "current")))


def exchange(current: Bundle, other: Bundle) -> None:
    shutil.rmtree(current.path)
    shutil.copytree(other.path, current.path)


def serving_model(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return str(reply.json["parameters"]["model_sha256"])


class Asking:
    """Asks without a pause, in a thread, from entering to leaving."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.replies: list[Reply] = []

    def _ask(self) -> None:
        while not self._over.is_set():
            self.replies.append(ask(self._served))

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)


def test_no_request_is_refused_while_boards_go_over_to_a_new_model(
    current: Bundle, second: Bundle, tmp_path: Path
) -> None:
    before = current.manifest.model_sha256
    with serving(fleet(current), tmp_path, open_with=Script(0.001).open, members=2) as served:
        exchange(current, second)
        with Asking(served) as asking:
            assert served.ask(LOAD, b"").status == 200
            served.wait_ready(2)
            after = serving_model(ask(served))
        assert after == second.manifest.model_sha256 != before
        found = [serving_model(reply) for reply in asking.replies]
        assert set(found) <= {before, after} and found == sorted(found, key=lambda one: one != before)


def test_a_model_that_its_first_member_does_not_take_changes_nothing(
    current: Bundle, second: Bundle, tmp_path: Path
) -> None:
    script = Script(0.001)
    with serving(fleet(current), tmp_path, open_with=script.open, members=2) as served:
        before = serving_model(ask(served))
        exchange(current, second)
        script.broken["a"] = "the flash is full"
        reply = served.ask(LOAD, b"")
        assert reply.status == 503 and "the flash is full" in reply.json["error"]
        assert serving_model(ask(served)) == before
        script.broken.clear()
        served.ask("/fleet/a/reset", b"")
        served.wait_ready(2)
        assert serving_model(ask(served)) == before
        assert served.ask(LOAD, b"").status == 200
        assert serving_model(ask(served)) == second.manifest.model_sha256


def test_a_member_that_is_there_goes_first(current: Bundle, second: Bundle, tmp_path: Path) -> None:
    script = Script(0.001, broken={"a": "not plugged in"})
    with serving(fleet(current), tmp_path, open_with=script.open, members=1) as served:
        exchange(current, second)
        assert served.ask(LOAD, b"").status == 200
        assert serving_model(ask(served)) == second.manifest.model_sha256


def test_this_computer_serves_the_new_model_while_the_old_pool_is_whole(
    current: Bundle, second: Bundle, tmp_path: Path
) -> None:
    text = fleet(current) + '[members.here]\nlink = "host"\nmodel = "shapes"\n'
    script = Script(0.001)
    with serving(text, tmp_path, open_with=script.open, members=3) as served:
        exchange(current, second)
        script.opened.clear()
        assert served.ask(LOAD, b"").status == 200
        assert script.opened[0] == "here"
        served.wait_ready(3)


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ('link = "twin"\nboard = "cortex-m0"\nslots = true', "twin has no slots"),
        ('link = "host"\nline_key = "k.pem"', "host has no slots"),
        ('link = "twin:a"\nboard = "cortex-m0"\ncount = 2', "count is for twins and hosts"),
        ('link = "twin:a"', "has no board"),
    ],
)
def test_slots_where_there_can_be_none(member: str, words: str, tmp_path: Path) -> None:
    text = f'[models.m]\nsource = "m"\n[members.a]\n{member}\n'
    with pytest.raises(UsageError, match=words):
        config.parse(text, tmp_path / "fleet.toml")


def test_paths_of_slots_are_beside_the_file(tmp_path: Path) -> None:
    text = (
        '[models.m]\nsource = "m"\nimages = "signed"\n'
        '[members.a]\nlink = "twin:twins/a"\nboard = "cortex-m0"\nline_key = "line.pem"\n'
        '[members.b]\nlink = "/dev/ttyACM0"\nboard = "nano33"\nslots = true\n'
        '[members.c]\nlink = "/dev/ttyACM1"\nboard = "nano33"\n'
    )
    a, b, c = config.parse(text, tmp_path / "fleet.toml").members
    assert (a.kind, a.directory, a.images) == ("twin", str(tmp_path / "twins/a"), str(tmp_path / "signed"))
    assert a.line_key == str(tmp_path / "line.pem") and a.is_exclusive and b.images == a.images
    assert (c.images, c.slots, c.directory) == ("", False, "")
