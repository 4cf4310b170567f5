# SPDX-License-Identifier: Apache-2.0
"""tinyserve: from a trained model to a measured firmware on a microcontroller."""

__version__ = "0.2.0"
