# SPDX-License-Identifier: Apache-2.0
"""Everything that knows Git: the binary, the refs on disk, the objects.

No other module starts a git process or opens a file below a git directory.
"""

from gitprompt.git.objects import Object, ObjectReader
from gitprompt.git.process import git, require_git
from gitprompt.git.refs import Refs, RefUpdate, ZERO, list_refs, update_refs
from gitprompt.git.repository import Repository

__all__ = [
    "ZERO",
    "Object",
    "ObjectReader",
    "RefUpdate",
    "Refs",
    "Repository",
    "git",
    "list_refs",
    "require_git",
    "update_refs",
]
