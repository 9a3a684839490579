# SPDX-License-Identifier: Apache-2.0
"""Everything that knows the format in Git: what is published, what may be written, how it is kept."""
