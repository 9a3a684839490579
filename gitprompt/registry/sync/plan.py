# SPDX-License-Identifier: Apache-2.0
"""What a reconciliation has to do, by what the refs are and what the index knows: the pure half of
the sync. Nothing is read or written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from gitprompt.core.labels import split_label_ref
from gitprompt.core.publication import Pin, Rejection
from gitprompt.core.settings import Settings
from gitprompt.core.versions import TAG_PREFIX, split_tag_ref
from gitprompt.errors import Invalid
from gitprompt.git.refs import Refs
from gitprompt.registry.versions import rejection


class Known(NamedTuple):
    """What the index knows: the refs that changed since it was made, those that it rejected, and
    the settings; None if there is no index yet."""

    changed: AbstractSet[str]
    rejected: AbstractSet[str]
    settings: Settings | None


class PinnedTag(NamedTuple):
    """A tag whose version is pinned, and the object it has now; None: it is gone."""

    ref: str
    pin: Pin
    oid: str | None


class Plan(NamedTuple):
    """`fresh`: (ref, object) of version tags to load. `pinned`: tags to hold against their pins.
    `gone`: refs that went, and of which nothing was served. `labels`: by prompt, the refs of labels
    that came, moved or went. `misnamed`: refs of labels that name none. `left`: the namespace that
    labels had before. `restores`: everything pinned is to be served again."""

    fresh: Sequence[tuple[str, str]]
    pinned: Sequence[PinnedTag]
    gone: Sequence[str]
    labels: Mapping[str, AbstractSet[str]]
    misnamed: Sequence[Rejection]
    left: str | None
    restores: bool


def plan(
    refs: Refs, known: Known, pins: Callable[[str, str], Pin | None] | None, settings: Settings
) -> Plan:
    """`pins` gives the pin of a version, by name and version; None if there are none at all."""
    left = None
    if known.settings is not None and known.settings.namespace != settings.namespace:
        left = known.settings.namespace
    changed = _changed(refs, known, settings, left)
    fresh: list[tuple[str, str]] = []
    pinned: list[PinnedTag] = []
    vanished: list[str] = []
    labels: dict[str, set[str]] = {}
    misnamed: list[Rejection] = []
    for ref in sorted(changed):
        oid = refs.get(ref)
        if ref.startswith(TAG_PREFIX):
            pin = pins(*split_tag_ref(ref)) if pins is not None else None
            if pin is not None:
                pinned.append(PinnedTag(ref, pin, oid))
            elif oid is not None:
                fresh.append((ref, oid))
            else:
                vanished.append(ref)
        elif ref.startswith(settings.namespace + "/"):
            try:
                name, _ = split_label_ref(ref, namespace=settings.namespace)
                labels.setdefault(name, set()).add(ref)
            except Invalid as error:
                if oid is None:
                    vanished.append(ref)
                else:
                    misnamed.append(rejection(ref, oid, error.message, error.hint, "name"))
    return Plan(fresh, pinned, vanished, labels, misnamed, left, known.settings is None)


def _changed(refs: Refs, known: Known, settings: Settings, left: str | None) -> set[str]:
    """The refs to look at: also those that were read by other settings."""
    changed = set(known.changed)
    if left is not None:
        prefix = settings.namespace + "/"
        changed |= {ref for ref, _ in refs.items() if ref.startswith(prefix)}
    if known.settings is not None and known.settings.checks != settings.checks:
        changed |= known.rejected
    return changed
