# SPDX-License-Identifier: Apache-2.0
"""Traces of inferences for an OpenTelemetry collector: a span per request, and in it what each sample waited
for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tinyserve import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from tinyserve.serve.request import Done, InferRequest

MOST_SAMPLES = 32
"""Of a request that have spans of their own."""
_TIMEOUT_S = 2
"""In which a collector takes what there is: at the end nobody waits longer for it."""


class Tracing:
    """``endpoint``: the collector's OTLP over HTTP, http://HOST:4318/v1/traces. While a collector is gone
    traces are lost, and nothing is held up. ``OTEL_…`` variables (headers, sampling, service name) count, as
    the SDK has them."""

    def __init__(self, endpoint: str) -> None:
        resource = Resource.create({"service.name": "tinyserve", "service.version": __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_TIMEOUT_S)))
        self._tracer = self._provider.get_tracer("tinyserve.serve", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def answered(self, request: InferRequest, protocol: str, begin_s: float, done: list[Done]) -> None:
        """An inference that ended now; ``begin_s`` of the performance counter."""
        end_ns = time.time_ns()
        begin_ns = end_ns - _ns(time.perf_counter() - begin_s)
        span = self._span(request, protocol, begin_ns)
        inner = set_span_in_context(span)
        for index, one in enumerate(done[:MOST_SAMPLES]):
            self._sample(index, one, inner, begin_ns)
        span.end(end_ns)

    def failed(self, request: InferRequest, protocol: str, begin_s: float, reason: str) -> None:
        """One that was refused, or failed."""
        end_ns = time.time_ns()
        span = self._span(request, protocol, end_ns - _ns(time.perf_counter() - begin_s))
        span.set_status(Status(StatusCode.ERROR, reason))
        span.end(end_ns)

    def stop(self) -> None:
        """Sends what was not sent yet."""
        self._provider.force_flush(_TIMEOUT_S * 1000)
        self._provider.shutdown()

    def _span(self, request: InferRequest, protocol: str, begin_ns: int) -> Span:
        parent: Context | None = None
        if request.traceparent:
            parent = self._propagator.extract({"traceparent": request.traceparent})
        attributes: dict[str, str | int] = {
            "tinyserve.model": request.model,
            "tinyserve.protocol": protocol,
            "tinyserve.samples": len(request.samples),
        }
        return self._tracer.start_span(
            f"infer {request.model}", parent, SpanKind.SERVER, attributes, start_time=begin_ns
        )

    def _sample(self, index: int, done: Done, inner: Context, begin_ns: int) -> None:
        """Waiting, the way to the member and back, computing: one after the other."""
        where: dict[str, str | int] = {
            "tinyserve.sample": index,
            "tinyserve.member": done.member,
            "tinyserve.ran_on": done.kind,
        }
        at_ns = begin_ns
        for name, seconds in (
            ("queue", done.queue_s), ("link", done.ran.link_s), ("compute", done.ran.compute_s)
        ):  # fmt: skip
            span = self._tracer.start_span(name, inner, attributes=where, start_time=at_ns)
            at_ns += _ns(seconds)
            span.end(at_ns)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
