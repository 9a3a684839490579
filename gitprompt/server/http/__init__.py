# SPDX-License-Identifier: Apache-2.0
"""How any request is admitted, decoded, paged and answered."""
