# SPDX-License-Identifier: Apache-2.0
"""Projects for other build systems that stand without tinyserve: one module per kind."""

from tinyserve.firmware.export.project import KINDS, export

__all__ = ["KINDS", "export"]
