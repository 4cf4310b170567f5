# SPDX-License-Identifier: Apache-2.0
"""MLCommons' runner for MLPerf Tiny, unmodified, on a board or its twin."""

from tinyserve.devices.runner.interface_board import InterfaceBoard
from tinyserve.devices.runner.launch import Runner

__all__ = ["InterfaceBoard", "Runner"]
