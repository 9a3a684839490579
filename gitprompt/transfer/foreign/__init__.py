# SPDX-License-Identifier: Apache-2.0
"""What other systems write, and what it is in our words: files, times, templates, records."""
