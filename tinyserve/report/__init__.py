# SPDX-License-Identifier: Apache-2.0
"""Results as text, JSON, JUnit, Markdown and HTML."""
