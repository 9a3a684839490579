# SPDX-License-Identifier: Apache-2.0
"""Commands for all there is at once: out of a data folder and back, from here to there, and from other systems."""
