# SPDX-License-Identifier: Apache-2.0
"""Commands about models, on this computer."""
