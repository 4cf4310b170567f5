# SPDX-License-Identifier: Apache-2.0
"""Sources of one file name get a bundle each."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hostile import names
from tinyserve import bundle
from tinyserve.bench.matrix.sources import conversions, distinct
from tinyserve.errors import UsageError
from tinyserve.workflow import Conversion


def test_files_of_one_name_are_told_apart_by_what_differs() -> None:
    assert distinct([Path("a/kws.keras"), Path("b/kws.keras"), Path("c/vww.keras")]) == {
        Path("a/kws.keras"): "a-kws", Path("b/kws.keras"): "b-kws", Path("c/vww.keras"): "vww",
    }  # fmt: skip
    assert list(distinct([Path("kws.keras"), Path("kws.tflite")]).values()) == ["kws-keras", "kws-tflite"]
    assert list(distinct([Path("x/m.tflite"), Path("y/M.tflite")]).values()) == ["x-m", "y-M"]


_paths = st.lists(
    st.sampled_from(["a/m.keras", "b/m.keras", "a/m.tflite", "a-m.keras", "m", "b-m.x", "c/A-m.y"])
)


@given(_paths, names)
def test_no_two_sources_have_one_bundle(paths: list[str], odd: str) -> None:
    sources = [Path(path) for path in paths] + [Path("d") / (odd.replace("/", "_").replace("\0", "_") or "x")]
    made = conversions(dict.fromkeys(sources), Conversion())
    outputs = [
        str(made[source].output or f"build/{source.stem}.bundle").lower() for source in dict.fromkeys(sources)
    ]
    assert len(set(outputs)) == len(outputs)
    for conversion in made.values():
        if conversion.name is not None:
            bundle.check_name(conversion.name)


def test_one_bundle_for_several_sources_is_refused() -> None:
    with pytest.raises(UsageError, match="2 sources"):
        conversions([Path("a.keras"), Path("b.keras")], Conversion(output=Path("x")))
