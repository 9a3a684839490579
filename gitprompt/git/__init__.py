# SPDX-License-Identifier: Apache-2.0
"""Everything that knows Git: the binary, the refs on disk, the objects.

No other module starts a git process or opens a file below a git directory. Import from the
modules: `process` alone costs 8 ms, which `gitprompt validate` does not pay.
"""
