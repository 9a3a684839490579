# SPDX-License-Identifier: Apache-2.0
"""The index of what Git holds: one writes it, many read it; it may be deleted at any time."""
