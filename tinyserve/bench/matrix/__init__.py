# SPDX-License-Identifier: Apache-2.0
"""One cell of a bench, and many at once: on this computer or a cluster."""
