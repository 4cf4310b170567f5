# SPDX-License-Identifier: Apache-2.0
"""For other build systems, without tinyserve: bench firmware as a project, or the model as a library. A
kind is one module of ``projects`` or ``libraries``."""

from tinyserve.firmware.export.library import Library
from tinyserve.firmware.export.write import KINDS, LIBRARIES, export, export_library

__all__ = ["KINDS", "LIBRARIES", "Library", "export", "export_library"]
