# SPDX-License-Identifier: Apache-2.0
"""Commands for devices in the field: keys, images, updates, health."""
