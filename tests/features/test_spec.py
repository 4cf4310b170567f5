# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from tests.features.specs import ALL, SPEECH, TABLE, spec
from tinyserve.errors import DataError, FileSystemError
from tinyserve.features import spec as specs


def test_the_specifications_of_the_tests_have_every_kind_of_step() -> None:
    used = {type(step) for text in ALL.values() for step in spec(text).steps}
    elsewhere = {
        specs.Mel,
        specs.MicroFrontend,
    }  # a part of mfcc; has tests of its own
    assert used | elsewhere == set(get_args(specs.Step))


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_what_is_written_is_read_again(text: str, tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_bytes(specs.encode(spec(text)))
    assert specs.load(path) == spec(text)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('kind = "mfcc"', 'kind = "mffc"', "mffc"),
        ("coefficients = 10", "coefficient = 10", "coefficient"),
        ("shape = [1600]", "shape = [0]", "shape"),
        ("shape = [1600]", "shape = []", "shape"),
        ("rate_hz = 8000", "rate_hz = nan", "rate_hz"),
        ('type = "int16"', 'type = "int64"', "int64"),
        ("[[steps]]", "[[steps", "features.toml"),
        ("bands = 20", 'name = "a b"', "name"),
    ],
)
def test_mistakes_are_named_with_their_place(before: str, after: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        spec(SPEECH.replace(before, after))


def test_escape_sequences_of_a_file_do_not_reach_the_terminal() -> None:
    with pytest.raises(DataError) as caught:
        spec(TABLE.replace('"impute"', '"\\u001b[31m"'))
    assert "\x1b" not in str(caught.value)


def test_files_that_are_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(FileSystemError):
        specs.load(tmp_path / "none.toml")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (1 << 23))
    with pytest.raises(DataError, match="bytes"):
        specs.load(large)
