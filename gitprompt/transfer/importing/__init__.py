# SPDX-License-Identifier: Apache-2.0
"""How what another system has comes in: read, made ours, sent, and told what was lost."""
