# SPDX-License-Identifier: Apache-2.0
"""Pages for people at /ui: they look, and change what their key and the server's settings allow."""
