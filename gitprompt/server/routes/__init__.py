# SPDX-License-Identifier: Apache-2.0
"""One module for each resource; each has `routes(context)`, a literal list."""
