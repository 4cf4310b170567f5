# SPDX-License-Identifier: Apache-2.0
"""The logarithm that tables of other programs were made with, errors of its last place among them."""

from __future__ import annotations

import numpy as np

from tinyserve.features import fdlibm

# x and log1pf(x) of glibc 2.36. Below 40 none is the float32 nearest to the logarithm.
OF_GLIBC = [
    (0.35391703248023987, 0.30300188064575195),
    (0.1846941113471985, 0.16948461532592773),
    (0.6281911730766296, 0.4874696731567383),
    (0.7823289036750793, 0.5779209136962891),
    (1.532260537147522, 0.929112434387207),
    (1.483351469039917, 0.9096090793609619),
    (5.200173377990723, 1.8245773315429688),
    (5.67381477355957, 1.8981916904449463),
    (5019.7294921875, 8.521330833435059),
    (7451.2109375, 8.916266441345215),
    (2843855.5, 14.860671997070312),
    (6215187.0, 15.64250659942627),
]


def test_bits_are_those_of_glibc() -> None:
    x, wanted = np.array(OF_GLIBC, np.float32).T
    assert np.array_equal(fdlibm.log1p(x), wanted)


def test_errors_stay_within_one_unit_of_the_last_place() -> None:
    x = np.exp(np.linspace(np.log(2**-15), np.log(2.0**24), 20_000)).astype(np.float32)
    exact = np.log1p(x.astype(np.float64))
    assert (np.abs(fdlibm.log1p(x) - exact) <= np.spacing(exact.astype(np.float32))).all()
    assert fdlibm.log1p(np.zeros(1, np.float32)) == 0
