# SPDX-License-Identifier: Apache-2.0
"""How the sidecar listens: sockets, signals, and HTTP as uvicorn speaks it."""
