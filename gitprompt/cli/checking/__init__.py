# SPDX-License-Identifier: Apache-2.0
"""`gitprompt validate` and the hook before a commit: what is looked at, by whom, and how it is told."""
