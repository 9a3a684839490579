# SPDX-License-Identifier: Apache-2.0
"""The resources of `/v1`: one module each."""
