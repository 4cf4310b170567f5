# SPDX-License-Identifier: Apache-2.0
"""What computes for a member: a board, a twin, or this computer."""

from tinyserve.serve.engines.base import Engine, Identity
from tinyserve.serve.engines.opening import Firmwares, open_engine

__all__ = ["Engine", "Firmwares", "Identity", "open_engine"]
