# SPDX-License-Identifier: Apache-2.0
"""Fitted scikit-learn estimators from files of joblib or pickle. Worker process only: loading runs code."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tinyserve.convert.frameworks import forest
from tinyserve.errors import ModelError, ToolError


def load(path: Path) -> Any:
    """The estimator or pipeline in the file.

    Raises ToolError without scikit-learn, ModelError for a file that can't be loaded, or that has something
    else or a model that is not fitted.
    """
    try:
        joblib = importlib.import_module("joblib")
        importlib.import_module("sklearn")
    except ImportError as error:
        raise ToolError(f"scikit-learn is needed to load {path}: {error}", forest.INSTALL) from error
    try:
        found = joblib.load(path)
    except Exception as error:
        raise ModelError(
            f"{path}: cannot be loaded: {type(error).__name__}: {error}",
            "is the copy complete, and is the scikit-learn that saved it like the one installed?",
        ) from error
    _check(found, str(path))
    return found


def steps_of(pipeline: Any) -> list[Any]:
    """The steps of a pipeline that do something, those of pipelines inside one by one, the estimator last. A
    search (GridSearchCV) that is fitted stands for the best model that it found."""
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if not hasattr(pipeline, "steps"):
        return [pipeline]
    steps = [inner for _, step in pipeline.steps for inner in steps_of(step)]
    before = [step for step in steps[:-1] if step is not None and step != "passthrough"]
    return [*before, *steps[-1:]]


def _check(found: Any, where: str) -> None:
    if isinstance(found, type) or not hasattr(found, "get_params"):
        what = f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
        raise ModelError(
            f"{where}: has {what}, not an estimator of scikit-learn",
            "save the fitted estimator or pipeline itself: joblib.dump(model, 'model.joblib')",
        )
    steps = steps_of(found)
    if not steps or not hasattr(steps[-1], "get_params"):
        raise ModelError(
            f"{where}: the pipeline has no model as its last step",
            "save the pipeline that ends in the fitted model",
        )
    for step in steps:
        if not _is_fitted(step):
            raise ModelError(
                f"{where}: {type(step).__name__} is not fitted",
                "call fit() on the model before you save it",
            )


def _is_fitted(step: Any) -> bool:
    exceptions, validation = (
        importlib.import_module(f"sklearn.{name}") for name in ("exceptions", "utils.validation")
    )
    try:
        validation.check_is_fitted(step)
    except exceptions.NotFittedError:
        return False
    except TypeError:  # no estimator, or one that has nothing to fit: what it is gets named later
        return True
    return True
