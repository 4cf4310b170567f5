# SPDX-License-Identifier: Apache-2.0
"""From C to a firmware: rendered, built, measured, exported, uploaded."""
