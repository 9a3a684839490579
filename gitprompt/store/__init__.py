# SPDX-License-Identifier: Apache-2.0
"""The only place that speaks SQL. `index` is derived from Git and may be deleted at any time;
`telemetry` is the durable truth."""
