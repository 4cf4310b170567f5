# SPDX-License-Identifier: Apache-2.0
"""Traces say what each sample waited for, and belong to the client's own trace."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.serve.fakes import Script
from tests.serve.running import FREE, serving
from tests.serve.test_faults import fleet
from tests.serve.test_hostile import INFER, body
from tinyserve.bundle import Bundle
from tinyserve.errors import UsageError
from tinyserve.serve import config
from tinyserve.serve.rpc.messages import SERVICE, message

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACED = '[server]\ntraces = "localhost:4318"\n[models.m]\nsource = "m"\n[members.a]\nlink = "host"\n'
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """An OpenTelemetry collector, and the spans that it was sent."""
    spans: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
                spans.extend(span for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", spans
    finally:
        server.shutdown()
        server.server_close()


def traced(shapes: Bundle, url: str) -> str:
    return FREE.replace("[server]", f'[server]\ntraces = "{url}"') + fleet(shapes)


def test_a_request_is_a_span_of_its_clients_trace(
    shapes: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    with collector() as (url, spans):
        with serving(traced(shapes, url), tmp_path, open_with=Script(0.05).open, members=2) as served:
            assert served.ask(INFER, body(), traceparent=PARENT).status == 200
            late = json.loads(body()) | {"parameters": {"timeout": 1000}}
            assert served.ask(INFER, json.dumps(late).encode()).status == 503
            assert served.ask(INFER, body(), traceparent="garbage").status == 200
            with grpc.insecure_channel(served.grpc) as channel:
                call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
                tensor = {"name": "image", "datatype": "INT8", "shape": [1, 8, 8, 1]}
                asked = message("ModelInferRequest")(model_name="shapes", inputs=[tensor])
                asked.raw_input_contents.append(bytes(64))
                call(asked.SerializeToString(), metadata=[("traceparent", PARENT)], timeout=30)
        found = list(spans)
    requests = [span for span in found if span.name == "infer shapes"]
    assert len(requests) == 4
    first, refused, own, last = sorted(requests, key=lambda span: span.start_time_unix_nano)
    assert first.trace_id.hex() == last.trace_id.hex() == TRACE != own.trace_id.hex()
    assert refused.status.message == "deadline"
    inner = sorted(
        (span for span in found if span.parent_span_id == first.span_id), key=lambda s: s.start_time_unix_nano
    )
    assert {span.name for span in inner} == {"queue", "link", "compute"}
    compute = next(span for span in inner if span.name == "compute")
    assert first.start_time_unix_nano <= compute.start_time_unix_nano
    assert compute.end_time_unix_nano <= first.end_time_unix_nano + 1_000_000
    assert {pair.key for pair in compute.attributes} >= {"tinyserve.member", "tinyserve.ran_on"}


def test_a_collector_that_is_gone_holds_up_nothing(shapes: Bundle, tmp_path: Path) -> None:
    text = traced(shapes, "http://127.0.0.1:9/v1/traces")
    with serving(text, tmp_path, open_with=Script(0.01).open, members=2) as served:
        assert served.ask(INFER, body()).status == 200


def test_an_endpoint_that_is_no_url(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="4318"):
        config.parse(
            '[server]\ntraces = "localhost:4318"\n[models.m]\nsource = "m"\n[members.a]\nlink = "host"',
            tmp_path / "f",
        )
