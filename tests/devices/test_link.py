# SPDX-License-Identifier: Apache-2.0
"""Lines are put together the same way however the bytes come, and silence says what was heard last."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.devices.link import MAX_LINE_BYTES, Link, LinkClosed, NoAnswer
from tinyserve.errors import DeviceError


class ScriptedLink(Link):
    """Gives the pieces that a test wrote down, then silence."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__("scripted")
        self.pieces = deque(pieces)
        self.sent = b""

    def _send(self, data: bytes) -> None:
        self.sent += data

    def _receive(self, timeout_s: float) -> bytes:
        return self.pieces.popleft() if self.pieces else b""


@given(
    st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20), max_size=8), st.data()
)
def test_lines_are_the_same_however_the_bytes_are_cut(lines: list[str], data: st.DataObject) -> None:
    stream = "".join(line + "\r\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    link = ScriptedLink(*(piece for piece in pieces if piece))
    assert [link.read_line(1) for _ in lines] == lines


def test_bytes_that_are_no_text_are_shown_not_lost() -> None:
    assert ScriptedLink(b"m-\xff\x00ok\n").read_line(1) == "m-\\xff\x00ok"


def test_half_a_line_is_kept_for_the_next_call_and_named_in_the_error() -> None:
    link = ScriptedLink(b"whole\r\nhal")
    assert link.read_line(0) == "whole"
    with pytest.raises(NoAnswer, match="received last: 'hal' without a line end"):
        link.read_line(0.001)
    link.pieces.append(b"f\n")
    assert link.read_line(0) == "half"


def test_silence_names_the_last_line_and_whether_there_was_any() -> None:
    link = ScriptedLink()
    with pytest.raises(NoAnswer, match="nothing was ever received"):
        link.read_line(0)
    link.pieces.append(b"m-ready\r\n")
    link.read_line(0)
    with pytest.raises(NoAnswer, match="received last: 'm-ready'"):
        link.read_line(0)


def test_a_line_without_end_is_an_error_and_not_all_memory() -> None:
    link = ScriptedLink(*[b"x" * 4096] * (MAX_LINE_BYTES // 4096 + 2))
    with pytest.raises(DeviceError, match="without a line end"):
        link.read_line(5)


def test_the_transcript_keeps_both_directions_in_order() -> None:
    link = ScriptedLink(b"m-name-dut-[x]\r\n")
    link.write(b"name%")
    link.read_line(0)
    assert str(link.transcript) == "> name%\n< m-name-dut-[x]"


def test_a_closed_link_says_so() -> None:
    link = ScriptedLink()
    link.close()
    link.close()
    with pytest.raises(LinkClosed):
        link.write(b"name%")
    with pytest.raises(LinkClosed):
        link.read_line(1)
