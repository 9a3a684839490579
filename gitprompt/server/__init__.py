# SPDX-License-Identifier: Apache-2.0
"""The sidecar: serves what the index says, hosts repositories, takes pokes."""
