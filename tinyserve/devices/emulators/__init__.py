# SPDX-License-Identifier: Apache-2.0
"""Boards in emulators, and the firmware as a program of this computer."""
