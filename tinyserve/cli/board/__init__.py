# SPDX-License-Identifier: Apache-2.0
"""Commands about boards and what runs on them."""
