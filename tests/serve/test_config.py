# SPDX-License-Identifier: Apache-2.0
"""fleet.toml: what is wrong is said with its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyserve.errors import FileSystemError, UsageError
from tinyserve.serve import config

MODEL = '[models.kws]\nsource = "kws.bundle"\n'
MEMBER = '[members.one]\nlink = "host"\n'
BOARD = '[members.{}]\nlink = "/dev/ttyACM0"\nboard = "nano33"\n'
PATH = Path("/fleets/fleet.toml")


def test_members_take_what_their_group_says() -> None:
    parsed = config.parse(
        MODEL
        + '[groups.lab]\nboard = "nano33"\nlink = "twin"\n[members.t]\ngroup = "lab"\ncount = 2\n'
        + '[members.desk]\ngroup = "lab"\nlink = "usb:0A1B"\n',
        PATH,
    )
    assert [(one.name, one.model, one.link, one.board, one.group) for one in parsed.members] == [
        ("t-1", "kws", "twin", "nano33", "lab"),
        ("t-2", "kws", "twin", "nano33", "lab"),
        ("desk", "kws", "usb:0A1B", "nano33", "lab"),
    ]


def test_paths_are_relative_to_the_file() -> None:
    assert config.parse(MODEL + MEMBER, PATH).path("kws.bundle") == Path("/fleets/kws.bundle")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "models"),
        ("[models]\n[members]\n", "no models"),
        (MODEL + "[members]\n", "no members"),
        (MODEL, "members"),
        ("[", "not TOML"),
        (MODEL + MEMBER + "[server]\nports = 1\n", "server"),
        (MODEL + MEMBER + "[server]\nport = 70000\n", "server.port"),
        (MODEL + MEMBER + '[server]\nport = "80"\n', "server.port"),
        (MODEL + MEMBER + "[limits]\nqueue = 0\n", "limits.queue"),
        (MODEL + MEMBER + "[limits]\ndeadline_ms = nan\n", "limits.deadline_ms"),
        (MODEL + MEMBER + '[server]\nhost = "0.0.0.0"\n', "nothing says who may"),
        (MODEL + MEMBER + '[server]\nkey = "k.pem"\n', "certificate"),
        (MODEL + '[members.one]\nlink = "twin"\n', "no board"),
        (MODEL + "[members.one]\n", "no link"),
        (MODEL + '[members.one]\nlink = "host"\nmodel = "vww"\n', "no model vww"),
        (MODEL + '[members.one]\nlink = "host"\ngroup = "lab"\n', "no group lab"),
        (MODEL + '[members.one]\nlink = "usb:"\nboard = "nano33"\n', "serial number"),
        (MODEL + '[members.one]\nlink = "twin:"\nboard = "nano33"\n', "directory"),
        (MODEL + '[members.one]\nlink = "/dev/ttyACM0"\nboard = "nano33"\nline_key = "k"\n', "line_key"),
        (MODEL + '[members.one]\nlink = "/dev/ttyACM0"\nboard = "nano33"\ncount = 2\n', "count"),
        (MODEL + '[members.a-1]\nlink = "host"\n[members.a]\nlink = "host"\ncount = 2\n', "called a-1"),
        (MODEL + BOARD.format("a") + BOARD.format("b"), "same link"),
        (MODEL + '[models."../x"]\nsource = "x"\n' + MEMBER, "models"),
        (MODEL + MEMBER + '[jobs]\ncallbacks = ["https://a.example.com/"]\n', "database"),
        (MODEL + MEMBER + '[mqtt]\nbroker = "mqtt://h:99999"\n', "broker"),
        (MODEL + MEMBER + '[mqtt]\nbroker = "mqtt://[::1"\n', "broker"),
        (MODEL + MEMBER + '[mqtt]\nbroker = "mqtt://:1883"\n', "broker"),
        (MODEL + MEMBER + '[jobs]\ncallbacks = ["https:"]\nsecret_file = "s"\n', "URL"),
    ],
)  # fmt: skip
def test_mistakes_are_named(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        config.parse(text, PATH)
    assert str(PATH) in raised.value.message and said in raised.value.message and raised.value.hint


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, MODEL + MEMBER + text):
        with contextlib.suppress(UsageError):
            config.parse(candidate, PATH)


def test_a_missing_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError):
        config.load(tmp_path / "fleet.toml")
    (tmp_path / "fleet.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError):
        config.load(tmp_path / "fleet.toml")
