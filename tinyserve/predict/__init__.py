# SPDX-License-Identifier: Apache-2.0
"""Batch inference over data of any size into something that can be queried: resumable, each sample exactly
once."""
