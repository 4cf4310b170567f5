# SPDX-License-Identifier: Apache-2.0
"""Kernel variants by layer: the user's word counts, and RAM costs speed only where it is worth it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.models import write_classifier
from tests.support.models import model_bytes
from tinyserve.compiler.choose import offers
from tinyserve.compiler.compile import Compiled, compile_model
from tinyserve.compiler.names import short_name
from tinyserve.compiler.program import BandCall, Choice, Target
from tinyserve.errors import UsageError

DSP = frozenset({"dsp", "fpu"})


@pytest.fixture
def classifier(tmp_path: Path) -> bytes:
    return write_classifier(tmp_path / "shapes.tflite").read_bytes()


def variants(compiled: Compiled) -> dict[str, str]:
    """By layer; of layers that are computed by rows those of their steps."""
    found: dict[str, str] = {}
    for call in compiled.program.calls:
        stages = call.stages if isinstance(call, BandCall) else ()
        found |= {short_name(stage.layer): stage.records[stage.top][0].variant for stage in stages}
        found.setdefault(short_name(call.layer), call.variant)
    return found


def test_layers_offer_their_variants_and_the_portable_one_last(classifier: bytes) -> None:
    found = offers(classifier, Target(DSP))
    assert found["edges"][0].startswith("dsp")
    assert {names[-1] for names in found.values()} == {"portable"}


def test_a_choice_overrules_the_chooser_for_that_layer_alone(classifier: bytes) -> None:
    plain = variants(compile_model(classifier, Target(DSP)))
    chosen = variants(compile_model(classifier, Target(DSP, choices=(Choice("edges", "portable"),))))
    assert plain["edges"] != "portable"
    assert chosen == plain | {"edges": "portable"}


def test_the_last_word_about_a_layer_counts(classifier: bytes) -> None:
    choices = (Choice("edges", "portable"), Choice("edges", "dsp"))
    assert variants(compile_model(classifier, Target(DSP, choices=choices)))["edges"] == "dsp"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice("edge", "dsp"), "no layer 'edge'"),
        (Choice("edges", "mve"), "no kernel variant 'mve'"),
        (Choice("scores", "dsp"), "no kernel variant 'dsp'"),
    ],
)
def test_choices_that_the_model_does_not_have_are_refused(
    classifier: bytes, choice: Choice, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        compile_model(classifier, Target(DSP, choices=(choice,)))


@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "arena_bytes"),
    [
        ("ad01_int8", 768),
        ("kws_ref_model", 9000),
        ("pretrainedResnet_quant", 34_000),
        ("vww_96_int8", 40_000),
    ],
)
def test_ram_has_the_smallest_arenas_of_the_known_models(name: str, arena_bytes: int) -> None:
    assert compile_model(model_bytes(name), Target(DSP, "ram")).plan.arena_bytes <= arena_bytes


@pytest.mark.models
def test_ram_keeps_the_fast_kernels_of_all_layers_but_the_one_at_the_peak() -> None:
    fast = variants(compile_model(model_bytes("vww_96_int8"), Target(DSP)))
    small = variants(compile_model(model_bytes("vww_96_int8"), Target(DSP, "ram")))
    assert sum(small.get(layer) != variant for layer, variant in fast.items()) <= 2


def test_layers_of_one_name_are_chosen_together_from_what_all_of_them_have(classifier: bytes) -> None:
    twins = classifier.replace(b"\x06\0\0\0logits", b"\x05\0\0\0edges\0")
    assert twins != classifier
    assert offers(twins, Target(DSP)) == {"edges": ("dsp", "portable")}
    for optimize in ("balanced", "ram", "speed", "size"):
        compile_model(twins, Target(DSP, optimize))
    chosen = compile_model(twins, Target(DSP, choices=(Choice("edges", "portable"),)))
    assert variants(chosen)["edges"] == "portable"
