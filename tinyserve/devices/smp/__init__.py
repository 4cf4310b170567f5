# SPDX-License-Identifier: Apache-2.0
"""The Simple Management Protocol of MCUboot and Zephyr, over a line that also carries text."""
