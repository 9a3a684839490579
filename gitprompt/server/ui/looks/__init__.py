# SPDX-License-Identifier: Apache-2.0
"""How pages look: text that is safe to show, numbers with units, charts, templates, static files."""
