# SPDX-License-Identifier: Apache-2.0
"""Inferences whose answers are fetched later, or sent: kept in a database, so that none is lost."""
