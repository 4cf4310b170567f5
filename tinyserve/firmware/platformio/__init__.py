# SPDX-License-Identifier: Apache-2.0
"""Real boards and twins through PlatformIO: its private core directory, its packages, builds and uploads."""
