# SPDX-License-Identifier: Apache-2.0
"""CMake's side of tinyserve: ``tinyserve-config.cmake`` lies beside this file, for ``find_package``."""
