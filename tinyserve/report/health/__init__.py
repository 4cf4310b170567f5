# SPDX-License-Identifier: Apache-2.0
"""What devices have counted, beside the reference: as JSON, Prometheus' text, Parquet, TFDV's statistics and
a page."""
