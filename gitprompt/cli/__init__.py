# SPDX-License-Identifier: Apache-2.0
"""The command line: each module is a group of commands, loaded when one of them is run."""
