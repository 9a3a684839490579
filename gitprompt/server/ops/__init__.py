# SPDX-License-Identifier: Apache-2.0
"""What operators see: health, metrics, tracing, webhooks, documentation."""
