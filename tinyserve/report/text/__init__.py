# SPDX-License-Identifier: Apache-2.0
"""Results as text for a terminal, a module per command."""
