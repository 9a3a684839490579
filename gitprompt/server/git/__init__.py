# SPDX-License-Identifier: Apache-2.0
"""Git over HTTP: fetches, pushes, and the channel to their hooks."""
