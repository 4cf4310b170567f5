# SPDX-License-Identifier: Apache-2.0
"""A model behind another endpoint of the Open Inference Protocol, asked with bytes."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tinyserve.documents import from_json
from tinyserve.errors import DeviceError
from tinyserve.serve.connecting import complaint, connect
from tinyserve.serve.rest.oip import HEADER_LENGTH
from tinyserve.words import counted

TIMEOUT_S = 30.0
MOST_BYTES = 4 << 20


class _Tensor(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]


class _Metadata(msgspec.Struct):
    inputs: list[_Tensor]


@dataclass(frozen=True)
class Remote:
    """``url``: http(s)://HOST/v2/models/NAME."""

    url: str

    def infer(self, payload: Sequence[bytes]) -> dict[str, Any]:
        """Its answer's ``outputs`` and ``parameters``; each of ``payload`` is an input, in its order. Raises
        DeviceError, and UsageError for a URL that names no server."""
        path = urlsplit(self.url).path
        try:
            with closing(connect(self.url, "escalate", TIMEOUT_S)) as connection:
                metadata = from_json(self._asked(connection, "GET", path), _Metadata)
                head = msgspec.json.encode({"inputs": self._tensors(metadata, payload)})
                body = self._asked(
                    connection, "POST", f"{path}/infer", head + b"".join(payload),
                    {HEADER_LENGTH: str(len(head))},
                )  # fmt: skip
            answer = from_json(body, dict[str, Any])
        except (OSError, http.client.HTTPException, ValueError, msgspec.MsgspecError) as error:
            raise DeviceError(f"{self.url}: {error}"[:300], "see to the endpoint") from error
        return {key: answer.get(key) for key in ("outputs", "parameters")}

    def _tensors(self, metadata: _Metadata, payload: Sequence[bytes]) -> list[dict[str, Any]]:
        if len(metadata.inputs) != len(payload):
            raise DeviceError(
                f"{self.url} takes {counted(len(metadata.inputs), 'input')}, the event gives {len(payload)}",
                "name the model that the pipeline's node was made for",
            )
        return [
            {
                "name": one.name, "datatype": one.datatype, "shape": [abs(extent) for extent in one.shape],
                "parameters": {"binary_data_size": len(data)},
            }
            for one, data in zip(metadata.inputs, payload, strict=True)
        ]  # fmt: skip

    def _asked(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> bytes:  # fmt: skip
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        content = reply.read(MOST_BYTES)
        if reply.status != http.client.OK:
            raise DeviceError(
                f"{self.url} answered {reply.status}: {complaint(content)}", "see to the endpoint"
            )
        return content
