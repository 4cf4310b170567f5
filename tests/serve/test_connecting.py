# SPDX-License-Identifier: Apache-2.0
"""What endpoints say is a stranger's text."""

from __future__ import annotations

import pytest

from tinyserve.serve.connecting import complaint


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "the queue is full", "retry_after_ms": 5}', "the queue is full"),
        (b'{"error": "\\u001b[31mred"}', "␛[31mred"),
        (b"<h1>502</h1>", "<h1>502</h1>"),
        (b'{"error": "\xff"}', '{"error": "\ufffd"}'),
        (b"[" * 300, "[" * 200),
        (b"", ""),
    ],
)
def test_a_complaint_is_printed_safely(body: bytes, words: str) -> None:
    assert complaint(body) == words
