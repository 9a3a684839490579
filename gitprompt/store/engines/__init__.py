# SPDX-License-Identifier: Apache-2.0
"""The SQL engines: how a database is opened, migrated and written."""
