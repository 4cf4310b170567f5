# SPDX-License-Identifier: Apache-2.0
"""Faster kernels per instruction-set feature, offered to an operator's ``lower`` as candidates.

``compiler/variants/<feature>/<op>.py`` defines ``candidates(node, lowering) -> list[Candidate]`` for the
operator module of the same name (``signal``: for its family): an empty list where the variant does not apply
(shape, type, a bound that the weights break). A feature without a package and a package without the
operator's module are fine: the portable kernel stays. ``composed`` is consulted for every feature: operators
from the kernels of others.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from types import ModuleType

from tinyserve.compiler.graph.types import Node
from tinyserve.compiler.names import short_name
from tinyserve.compiler.ops.support.base import Lowering
from tinyserve.errors import UsageError

PORTABLE_VARIANT = "portable"
_COMPOSED = "composed"
_FOUR_BITS = "four_bits"
_READ_FOUR_BITS = ("conv_2d", "fully_connected")
"""Operators with kernels that read weights of four bits: those that read bytes would double their flash."""


@dataclass(frozen=True)
class Candidate:
    """One way to compute an operator.

    ``cost`` is the estimated number of instructions of one inference, comparable among candidates of one
    operator. ``reason`` says why it applies, for reports. ``lower`` adds the kernel calls. ``pixels``: how
    many outputs of an image the kernel computes at a time; what is left over costs as much as a whole block,
    which ``cost`` leaves out: it matters where an image is computed by rows. ``flash``: instructions that
    what it stores beyond the model's own constants is worth, as ``priced`` finds them.
    """

    variant: str
    cost: float
    reason: str
    lower: Callable[[], None]
    pixels: int = 1
    flash: float = 0.0

    @property
    def price(self) -> float:
        return self.cost + self.flash


@cache
def _module(feature: str, name: str) -> ModuleType | None:
    package = f"{__name__}.{feature}"
    if importlib.util.find_spec(package) is None or importlib.util.find_spec(f"{package}.{name}") is None:
        return None
    return importlib.import_module(f"{package}.{name}")


def candidates(name: str, node: Node, lowering: Lowering) -> list[Candidate]:
    """The variants of ``node`` on the target, cheapest first. ``name`` is the operator's module."""
    found: list[Candidate] = []
    features = sorted(lowering.target.features)
    if lowering.packs and name in _READ_FOUR_BITS:
        features = [_FOUR_BITS] if features else []
    for feature in [*features, _COMPOSED] if features else []:
        module = _module(feature, name)
        if module is not None:
            found.extend(module.candidates(node, lowering))
    return sorted(found, key=lambda candidate: (candidate.cost, candidate.variant))


def priced(name: str, node: Node, lowering: Lowering) -> list[Candidate]:
    """As ``candidates``, with what they store beyond the model's own constants, those of the least price
    first."""
    found = candidates(name, node, lowering)
    rate = _helper("flash").INSTRUCTIONS_PER_BYTE[lowering.target.optimize]
    if not found or not rate:
        return found
    extra = _helper("flash").extra_bytes(node, lowering, partial(candidates, name))
    if extra:
        found = [replace(one, flash=rate * nbytes) for one, nbytes in zip(found, extra, strict=True)]
    return sorted(found, key=lambda candidate: (candidate.price, candidate.variant))


def _helper(module: str) -> ModuleType:
    """A module of this package that needs it."""
    return importlib.import_module(f"{__name__}.{module}")


def lower_cheapest(name: str, node: Node, lowering: Lowering) -> bool:
    """Lowers ``node`` with its cheapest variant, or the one that the target's choices name.

    False where the portable kernel is cheaper, none other applies or the choice is "portable". Raises
    UsageError for a choice that does not apply.
    """
    found = priced(name, node, lowering)
    portable = _helper("portable").cost(name, node, lowering.target.features) if found else 0.0
    cheaper = [one.variant for one in found if one.price <= portable]
    names = [*dict.fromkeys([*cheaper, PORTABLE_VARIANT, *(one.variant for one in found)])]
    lowering.offer(node, names, "" if cheaper else _refusal(name, node, lowering, found))
    layer = short_name(node.output.name)
    chosen = lowering.target.choice(layer) or names[0]
    if chosen not in names:
        raise UsageError(f"layer {layer} has no kernel variant {chosen!r}", f"it has {', '.join(names)}")
    for candidate in (one for one in found if one.variant == chosen):
        candidate.lower()
        return True
    return False


def _refusal(name: str, node: Node, lowering: Lowering, found: list[Candidate]) -> str:
    """Why the portable kernel takes the layer."""
    if all(_module(feature, name) is None for feature in (*lowering.target.features, _COMPOSED)):
        return "no kernel with the core's own instructions for this operator"
    if found:
        return f"{found[0].variant} would take more instructions: few outputs for what it gathers and copies"
    return str(_helper("refusals").reason(name, node))
