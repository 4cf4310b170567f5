# SPDX-License-Identifier: Apache-2.0
"""What is counted, traced and judged of what a fleet does."""
