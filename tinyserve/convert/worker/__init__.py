# SPDX-License-Identifier: Apache-2.0
"""The conversation with the worker process, in which frameworks run: messages, and the parent's side."""
