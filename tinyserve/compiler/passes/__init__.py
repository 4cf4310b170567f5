# SPDX-License-Identifier: Apache-2.0
"""Exact passes over the graph: load a model, make it smaller without changing a byte of its outputs."""

from tinyserve.compiler.passes.load import load
from tinyserve.compiler.passes.optimize import optimize
from tinyserve.compiler.passes.report import PassReport, PassResult
from tinyserve.compiler.passes.work.macs import macs

__all__ = ["PassReport", "PassResult", "load", "macs", "optimize"]
