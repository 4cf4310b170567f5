# SPDX-License-Identifier: Apache-2.0
"""Signed model images, as a device's slots take them."""
