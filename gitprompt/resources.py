# SPDX-License-Identifier: Apache-2.0
"""Files that ship with gitprompt: schemas, hook shims, the example repository, migrations.

A wheel carries them in `gitprompt/_data`; a checkout has them at its top level.
"""

from __future__ import annotations

import os

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def path(*parts: str) -> str:
    """The absolute path of a shipped file or folder, such as `path("schemas")`."""
    packaged = os.path.join(_PACKAGE, "_data", *parts)
    if os.path.exists(packaged):
        return packaged
    return os.path.join(os.path.dirname(_PACKAGE), *parts)


def read(*parts: str) -> str:
    with open(path(*parts), encoding="utf-8") as file:
        return file.read()
