# SPDX-License-Identifier: Apache-2.0
"""gitprompt: a Git repository is the registry of record for prompts.

Importing this package imports nothing else: every hook pays for what stands here.
"""

__version__ = "0.1.0"
