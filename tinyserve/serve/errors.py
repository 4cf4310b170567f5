# SPDX-License-Identifier: Apache-2.0
"""What a request may be answered instead of an inference: the HTTP status and the gRPC code of each."""

from __future__ import annotations

from tinyserve.errors import TinyserveError


class RequestError(TinyserveError):
    """The request is malformed, or does not match the model. Nothing of it reached a member."""

    http_status = 400
    grpc_code = "INVALID_ARGUMENT"


class NotFoundError(RequestError):
    """No model, version, member or job of that name."""

    http_status = 404
    grpc_code = "NOT_FOUND"


class TooLargeError(RequestError):
    """The body, a tensor or a batch is beyond the limits."""

    http_status = 413
    grpc_code = "INVALID_ARGUMENT"


class SequenceError(RequestError):
    """The sequence is not known (any more), or was begun twice."""

    http_status = 409
    grpc_code = "FAILED_PRECONDITION"


class UnavailableError(TinyserveError):
    """Nothing can serve the model now, or the member that computed failed and no other makes the deadline."""

    http_status = 503
    grpc_code = "UNAVAILABLE"

    def __init__(self, message: str, hint: str = "", *, reason: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message, hint)
        self.reason = reason
        self.retry_after_s = retry_after_s


class AdmissionError(UnavailableError):
    """Refused at admission: the queue is full, or the deadline can't be met. ``retry_after_s``: when the same
    request would have been admitted, as things stand."""

    grpc_code = "RESOURCE_EXHAUSTED"
