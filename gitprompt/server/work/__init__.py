# SPDX-License-Identifier: Apache-2.0
"""Room for what strangers can make long or large: processes that may be killed, and memory that is counted."""
