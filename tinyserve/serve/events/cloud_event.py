# SPDX-License-Identifier: Apache-2.0
"""CloudEvents (cloudevents.io, 1.0) about a model, as JSON."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import quote

import msgspec

CONTENT_TYPE = "application/cloudevents+json"


def encoded(number: str, model: str, kind: str, *, at_s: float, data: object, subject: str = "") -> bytes:
    """``number``: its id; ``kind``: what follows "tinyserve." in its type; ``at_s``: seconds since 1970;
    ``data``: any plain object, or JSON as ``msgspec.Raw``."""
    time = datetime.fromtimestamp(at_s, timezone.utc).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": number,
            "source": f"/v2/models/{quote(model, safe='')}",
            "type": f"tinyserve.{kind}",
            **({"subject": subject} if subject else {}),
            "time": time.replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "data": data,
        }
    )
