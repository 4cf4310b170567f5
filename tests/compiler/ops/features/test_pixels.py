# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.compiler.ops.features.streams import Array, Step, check
from tinyserve.compiler.passes.load import load
from tinyserve.errors import ModelError


def rgb565(first: int) -> Step:
    def expected(given: list[Array]) -> list[Array]:
        found = []
        for x in given:
            word = x[..., first].astype(int) << 8 | x[..., 1 - first]
            five = [(word >> 11) * 255 / 31, (word >> 5 & 63) * 255 / 63, (word & 31) * 255 / 31]
            found.append(np.floor(np.stack(five, -1)).astype(np.uint8))
        return found

    return Step("FeaturePixels", (4, 6, 2), (4, 6, 3), {"form": 0, "first": first}, expected, dtype="uint8")


def yuv422(first: int, video: int) -> Step:
    def expected(given: list[Array]) -> list[Array]:
        found = []
        for x in given:
            pairs = x.reshape(-1, 2, 2).astype(float)
            u, v = (pairs[:, place, 1 - first][:, None] - 128 for place in (0, 1))
            y = pairs[:, :, first]
            if video:
                y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
            rgb = [y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u]
            found.append(np.clip(np.stack(rgb, -1), 0, 255).round().astype(np.uint8))
        return found

    options = {"form": 1, "first": first, "video": video}
    return Step("FeaturePixels", (2, 64, 2), (2, 64, 3), options, expected, dtype="uint8")


def grey() -> Step:
    def expected(given: list[Array]) -> list[Array]:
        return [np.floor(x.astype(float) @ [77, 150, 29] / 256 + 0.5).astype(np.uint8) for x in given]

    return Step("FeaturePixels", (5, 7, 3), (5, 7, 1), {"form": 2}, expected, dtype="uint8")


def test_pixels_are_those_of_the_standards(tmp_path: Path) -> None:
    # In units of 255: a step of one at most, where the factors' last bits decide.
    check(
        [*(rgb565(first) for first in (0, 1)), *(yuv422(f, v) for f in (0, 1) for v in (0, 1))],
        tmp_path,
        1 / 250,
    )
    check([grey()], tmp_path, 0)


def test_black_and_white_stay_what_they_are() -> None:
    five, six = np.arange(32), np.arange(64)
    assert np.abs((five << 3 | five >> 2) - five * 255 / 31).max() < 1
    assert (six << 2 | six >> 4)[-1] == 255 and (five << 3 | five >> 2)[-1] == 255


@pytest.mark.parametrize(
    ("taken", "given", "options"),
    [
        ((4, 2), (4, 2), {"form": 0}),
        ((3, 2), (3, 3), {"form": 1}),
        ((4, 2), (4, 3), {"form": 3}),
        ((4, 2), (4, 3), {"form": 0, "first": 2}),
        ((4, 2), (4, 1), {"form": 2}),
    ],
)
def test_what_is_no_camera_s_is_refused(
    taken: tuple[int, ...], given: tuple[int, ...], options: dict[str, int]
) -> None:
    step = Step("FeaturePixels", taken, given, options, lambda x: x, dtype="uint8")
    with pytest.raises(ModelError):
        load(step.model())
