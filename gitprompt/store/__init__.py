# SPDX-License-Identifier: Apache-2.0
"""The only place that speaks SQL: `index` is derived from Git and may be deleted at any time; `tables`
are the durable truth, in a database of one of the `engines`."""
