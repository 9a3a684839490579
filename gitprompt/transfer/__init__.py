# SPDX-License-Identifier: Apache-2.0
"""What a server or a repository has, brought to another place: backups, copies, buckets without Git."""
