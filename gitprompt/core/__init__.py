# SPDX-License-Identifier: Apache-2.0
"""The rules of the format, without any input or output.

Domain types here are NamedTuples: immutable and slotted like a frozen dataclass, but the
`dataclasses` module alone would add 10 ms to every pre-commit hook (docs/adr/0002).
"""
