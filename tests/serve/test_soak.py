# SPDX-License-Identifier: Apache-2.0
"""Some seconds of the soak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serve.soak import run
from tinyserve.bundle import Bundle
from tinyserve.serve import member


@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_members_do_every_request_is_answered_rightly_or_refused(
    seed: int, shapes: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "FIRST_PAUSE_S", 0.05)
    outcomes = run(2.0, seed, tmp_path, shapes)
    assert outcomes.pop("healed: answered") == 1
    assert outcomes and set(outcomes) <= {"answered", "members", "fault", "deadline", "queue", "unloaded"}
