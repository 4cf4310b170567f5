# SPDX-License-Identifier: Apache-2.0
"""What a build is given of the sweep's models: nothing is lost, and little is done twice."""

from __future__ import annotations

from tests.sweep import cases
from tests.sweep.builds import core_builds
from tests.sweep.compare import compile_all, with_expected
from tests.sweep.cover import Chooser, cover, features
from tinyserve.compiler.program import PORTABLE

KINDS = ("conv int8", "fc int8", "fc fast int8", "mul int8", "binary ADD int8", "pad int8", "graph integers")


def _models() -> list[cases.Expected]:
    return with_expected(
        [cases.made(kind, seed) for kind in KINDS if kind in cases.FAMILIES for seed in range(4)]
    )


def test_a_cover_has_what_all_models_have_and_fewer_models() -> None:
    compiled = [one.compiled for one in compile_all(_models(), PORTABLE) if one.compiled]
    chosen = cover(compiled)
    assert set().union(*map(features, compiled)) == set().union(*(features(compiled[i]) for i in chosen))
    assert len(chosen) < len(compiled) / 2


def test_each_model_is_in_the_cover_of_a_core_or_dealt_to_one_of_its_builds() -> None:
    models, builds = _models(), core_builds("cortex-m4")
    chooser = Chooser(models, builds)
    covered = [one.case.label for one in chooser.part(builds[0], "cover")]
    dealt = [one.case.label for build in builds for one in chooser.part(build, "dealt")]
    assert sorted(covered + dealt) == sorted(case.label for case, _ in models)
    assert len(chooser.part(builds[3], "whole")) == len(models)


def test_operands_overlaps_and_variants_are_features() -> None:
    (outcome,) = compile_all(with_expected([cases.made("conv int8", 0)]), PORTABLE)
    assert outcome.compiled
    (call,) = [one for one in outcome.compiled.program.calls if one.op == "CONV_2D"]
    assert {(call.function, call.variant), (call.function, call.variant, 0, "Buffer")} <= features(
        outcome.compiled
    )
