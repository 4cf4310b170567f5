# SPDX-License-Identifier: Apache-2.0
"""Samples that were held out of the calibration and reach beyond its range: chance puts the largest values
there, and a model that was calibrated without them cuts them off."""

from __future__ import annotations

import numpy as np

from tinyserve.convert.check import doubts, fidelity
from tinyserve.convert.session import Session
from tinyserve.convert.tflite.facts import Inspected
from tinyserve.datasets.dataset import Dataset


def calibrated(session: Session, calibration: Dataset, held: Dataset, scheme: str) -> Inspected:
    """Where samples that were held out reach beyond the calibration data, the better of two models: without
    and with these. Extremes cost all other values resolution, and are cut off otherwise."""
    made, notes = session.quantize(calibration, scheme, session.options), session.record.notes
    wider = None if session.options.clip or session.in_order else with_extremes(calibration, held)
    if wider is not None:
        other = session.quantize(wider[0], scheme, session.options)
        before, after = (_worst_db(session, model, held) for model in (made, other))
        if after > before:
            notes.append(
                f"calibrated with {wider[1]} of the held-out samples, too, which reach beyond the others: "
                f"{after:.1f} dB instead of {before:.1f}"
            )
            return other
    if calibration is not held:
        notes.extend(doubts.beyond(calibration, held, session.original.inputs))
    return made


def _worst_db(session: Session, model: Inspected, held: Dataset) -> float:
    """Of all outputs, on the held-out samples."""
    reference = session.reference(held.inputs)
    real = session.real_outputs(model, held.inputs)
    compared = fidelity.compare(reference, real, model.inputs, model.outputs)
    return min((one.sqnr_db for one in compared if one.sqnr_db is not None), default=np.inf)


def with_extremes(calibration: Dataset, held: Dataset) -> tuple[Dataset, int] | None:
    """The calibration data and those samples held out of it that reach beyond it, with their number; None
    where there is none. Samples from elsewhere are never calibrated with."""
    if calibration is held or calibration.origin != held.origin or calibration.synthetic:
        return None
    beyond = np.zeros(len(held), bool)
    for known, array in zip(calibration.inputs, held.inputs, strict=True):
        rows = array.reshape(len(array), -1)
        beyond |= (rows.min(axis=1) < known.min()) | (rows.max(axis=1) > known.max())
    if not beyond.any():
        return None
    return calibration.joined(held.take(np.flatnonzero(beyond))), int(beyond.sum())
