# SPDX-License-Identifier: Apache-2.0
"""Jobs: nothing is lost, nothing is done twice, and results arrive signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.serve.fakes import Script
from tests.serve.running import Reply, Served, serving
from tests.serve.test_faults import fleet
from tests.serve.test_hostile import GOOD, INFER, body
from tests.support.postgres import Server
from tinyserve.bundle import Bundle
from tinyserve.errors import FileSystemError, UsageError
from tinyserve.serve.jobs import push
from tinyserve.serve.jobs.jobs import _is_callback
from tinyserve.serve.jobs.store import Store, Submitted

SECRET = b"0123456789abcdef0123456789abcdef"
POLL = '[jobs]\ndatabase = "jobs.sqlite"\n'


@contextmanager
def receiver(answers: list[int]) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server that gives these statuses in turn, then 200; and what it was sent."""
    received: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            received.append(({k.lower(): v for k, v in self.headers.items()}, content))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", received
    finally:
        server.shutdown()
        server.server_close()


def submit(served: Served, content: bytes = body(), key: str = "") -> Reply:
    more = {"Idempotency-Key": key} if key else {}
    return served.ask(INFER, content, Prefer="respond-async, wait=10", **more)


def until(served: Served, place: str, holds: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 30
    while not holds(found := served.ask(place).json):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_job_is_polled_for_its_result(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.05)
    script.gate.clear()
    with serving(fleet(shapes, more=POLL), tmp_path, open_with=script.open, members=2) as served:
        reply = submit(served)
        place = reply.headers["location"]
        assert reply.status == 202 and reply.headers["preference-applied"] == "respond-async"
        assert served.ask(f"{place}/result").status == 202
        script.gate.set()
        until(served, place, lambda job: job["state"] == "done")
        result = served.ask(f"{place}/result").json
        assert result["outputs"] == served.ask(INFER, body()).json["outputs"]
        assert [job["id"] for job in served.ask("/v2/jobs?state=done").json] == [place.rpartition("/")[2]]
        assert served.ask(place, method="DELETE").status == 204
        assert served.ask(place).status == 404


def test_an_idempotency_key_makes_one_job(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.01)
    with serving(fleet(shapes, more=POLL), tmp_path, open_with=script.open, members=2) as served:
        first = submit(served, key="a").json["id"]
        until(served, f"/v2/jobs/{first}", lambda job: job["state"] == "done")
        assert submit(served, key="a").json["id"] == first
        assert submit(served, key="b").json["id"] != first
        assert submit(served, body(data=[1] * 64), key="a").status == 400
        assert len(served.ask("/v2/jobs").json) == 2


def test_jobs_survive_the_server(shapes: Bundle, tmp_path: Path, place: str) -> None:
    script = Script(seconds=0.01)
    script.gate.clear()
    text = fleet(shapes, more=POLL.replace("jobs.sqlite", place) + "[limits]\nqueue = 64\n").replace(
        "[models", "[server]\nport=0\ngrpc_port=0\ndrain_s = 0.2\n[models", 1
    )
    with serving(text, tmp_path, open_with=script.open, members=2) as served:
        places = [submit(served).headers["location"] for _ in range(12)]
        time.sleep(0.1)  # some run, some wait
    script.gate.set()
    with serving(text, tmp_path, open_with=script.open, members=2) as served:
        for each in places:
            until(served, each, lambda job: job["state"] == "done")


def test_bad_jobs_are_refused_at_once(shapes: Bundle, tmp_path: Path) -> None:
    script = Script(seconds=0.05)
    script.gate.clear()
    more = POLL + "waiting = 2\n"
    with serving(fleet(shapes, more=more), tmp_path, open_with=script.open, members=2) as served:
        assert submit(served, body(shape=[1])).status == 400
        assert submit(served, b"{").status == 400
        sequence = json.dumps({"inputs": [GOOD], "parameters": {"sequence_id": 1}}).encode()
        assert submit(served, sequence).status == 400
        assert submit(served, key="k" * 300).status == 400
        for url in ("http://evil.example/", "file:///etc/passwd", "http://a b/", 5):
            content = json.dumps({"inputs": [GOOD], "parameters": {"callback": url}}).encode()
            assert submit(served, content).status == 400, url
        assert [submit(served).status for _ in range(3)] == [202, 202, 503]
        assert served.ask("/v2/jobs?state=other").status == 400
        script.gate.set()


@pytest.mark.parametrize(
    "path", ["../admin", "a/./b", "%2e%2e/admin", "..%2fadmin", "%252e%252e/", "a\\..\\b", "..;x/admin", "#x"]
)
def test_a_callback_that_climbs_out_of_what_is_allowed_is_none(path: str) -> None:
    assert _is_callback("https://hooks.example.com/kws/a..b?next=../x%20y")
    assert not _is_callback(f"https://hooks.example.com/kws/{path}")


def test_without_a_database_there_are_no_jobs(host: Served) -> None:
    assert submit(host).status == 200
    assert host.ask("/v2/jobs").status == 404


def pushing(url: str, tmp_path: Path, attempts: int = 5) -> str:
    (tmp_path / "secret").write_text(push.PREFIX + base64.b64encode(SECRET).decode())
    more = f'callbacks = ["{url}"]\nsecret_file = "secret"\nattempts = {attempts}\nfirst_retry_s = 0.01\n'
    return POLL + more


def call_back(served: Served, url: str) -> str:
    content = json.dumps({"inputs": [GOOD], "parameters": {"callback": url, "binary_data_output": True}})
    reply = submit(served, content.encode())
    assert reply.status == 202, reply.body
    return reply.headers["location"]


def test_a_result_is_pushed_signed_until_it_is_taken(shapes: Bundle, tmp_path: Path) -> None:
    with receiver([500, 302, 429]) as (url, received):
        more = pushing(url, tmp_path)
        with serving(fleet(shapes, more=more), tmp_path, open_with=Script(0.01).open, members=2) as served:
            place = call_back(served, f"{url}hook?x=1")
            job = until(served, place, lambda job: job["delivery"] == "delivered")
            assert job["attempts"] == 4 and len(received) == 4
            expected = served.ask(INFER, body()).json["outputs"]
    assert len({content for _, content in received}) == 1
    for headers, content in received:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
        digest = hmac.new(SECRET, signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        assert headers["webhook-id"] == job["id"] == json.loads(content)["id"]
    event = json.loads(received[0][1])
    assert event["specversion"] == "1.0" and event["type"] == "tinyserve.inference.done"
    assert event["source"] == "/v2/models/shapes" and event["data"]["outputs"] == expected


def test_what_is_never_taken_is_a_dead_letter_and_can_be_sent_again(shapes: Bundle, tmp_path: Path) -> None:
    with receiver([500] * 3) as (url, received):
        more = pushing(url, tmp_path, attempts=3)
        with serving(fleet(shapes, more=more), tmp_path, open_with=Script(0.01).open, members=2) as served:
            place = call_back(served, url)
            job = until(served, place, lambda job: job["delivery"] == "dead")
            assert "500" in job["delivery_error"] and len(received) == 3
            assert [one["id"] for one in served.ask("/v2/jobs?delivery=dead").json] == [job["id"]]
            assert served.ask(f"{place}/redeliver", b"").status == 202
            until(served, place, lambda job: job["delivery"] == "delivered")


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(shapes: Bundle, tmp_path: Path) -> None:
    with receiver([410]) as (url, received):
        more = pushing(url, tmp_path)
        with serving(fleet(shapes, more=more), tmp_path, open_with=Script(0.01).open, members=2) as served:
            until(served, call_back(served, url), lambda job: job["delivery"] == "dead")
    assert len(received) == 1


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_&&&", "\xe9"])
def test_secrets_that_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "s").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="openssl"):
        push.load_secret(tmp_path / "s")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database for jobs."""
    if request.param == "sqlite":
        return str(tmp_path / "jobs.sqlite")
    server: Server = request.getfixturevalue("postgres_server")
    return server.database()


def test_a_finished_job_is_forgotten_in_time_but_not_before_it_is_delivered(place: str) -> None:
    store = Store(place)
    for name, callback in (("a", ""), ("b", "http://x/")):
        submitted = Submitted(
            id=name, model="m", version="", body=b"", header_length=None, callback=callback, idempotency=""
        )
        store.add(submitted, 0.0, 10)
        taken = store.take()
        assert taken is not None and taken[0].id == name
        store.finish(name, 1.0, b"{}", None)
    store.expire(2.0)
    assert [job.id for job in store.latest("", "", 10)] == ["b"]
    store.delivered("b")
    store.expire(2.0)
    assert store.latest("", "", 10) == [] and store.latest("", "dead", 10) == []
    store.close()


def test_a_database_that_is_gone_refuses_jobs_and_loses_none(
    shapes: Bundle, tmp_path: Path, postgres_server: Server
) -> None:
    script = Script(seconds=0.01)
    script.gate.clear()
    more = POLL.replace("jobs.sqlite", postgres_server.database())
    with serving(fleet(shapes, more=more), tmp_path, open_with=script.open, members=2) as served:
        accepted = [submit(served).headers["location"] for _ in range(6)]
        postgres_server.stop()
        refused = submit(served)
        assert (
            refused.status == 503
            and refused.json["reason"] == "jobs"
            and "secret" not in refused.body.decode()
        )
        script.gate.set()
        time.sleep(0.3)
        postgres_server.start()
        for one in accepted:
            until(served, one, lambda job: job.get("state") == "done")


def test_a_database_is_one_servers(postgres_server: Server) -> None:
    url = postgres_server.database()
    store = Store(url)
    with pytest.raises(FileSystemError, match="another server"):
        Store(url)
    store.close()
