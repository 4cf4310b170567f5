# SPDX-License-Identifier: Apache-2.0
"""Assembly functions are declared once: a model may use the kernels of any two headers."""

from __future__ import annotations

import re
from collections import Counter

from tests.support.places import KERNELS

_PROTOTYPE = re.compile(r"^(?:void|int32_t) (ts_\w+)\([^;{]*\);", re.MULTILINE)


def test_no_two_headers_declare_one_function() -> None:
    found = Counter(name for path in KERNELS.rglob("*.h") for name in _PROTOTYPE.findall(path.read_text()))
    assert len(found) > 20
    assert not [name for name, count in found.items() if count > 1]
