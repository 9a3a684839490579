# SPDX-License-Identifier: Apache-2.0
"""The documents of pinned versions: from Git, and where that has lost them from a database that many nodes share."""

from __future__ import annotations

from collections.abc import Sequence

from gitprompt.core.publication import Version
from gitprompt.git.objects import ObjectReader
from gitprompt.registry.sync.source import Source
from gitprompt.registry.versions import load_pinned
from gitprompt.store.database import Database
from gitprompt.store.tables.pins import DocumentsOfPins, PinnedDocuments

_CHUNK = 500  # documents to one transaction


def documents_of(
    reader: ObjectReader, database: Database, workspace: str, versions: Sequence[Version]
) -> list[bytes | None]:
    """In JSON; None if nobody has the bytes any more."""
    documents = list(load_pinned(reader, versions))
    lost = [one for one, known in zip(versions, documents, strict=True) if known is None]
    if not lost:
        return documents
    kept = database.read_now(PinnedDocuments(workspace, lost))
    return [
        kept.get((one.name, one.version)) if known is None else known
        for one, known in zip(versions, documents, strict=True)
    ]


def keep_documents(database: Database, source: Source) -> int:
    """Give a shared database the documents that it lacks and this node has: pins that were copied into it, or
    made by a release that kept none. Returns how many those were. Blocks."""
    number = 0
    with source.repository.reader() as reader:
        for pins in database.pins(source.workspace, chunk=_CHUNK, lack_document=True):
            versions = [pin.version for pin in pins]
            documents = [
                (version.name, version.version, document)
                for version, document in zip(versions, load_pinned(reader, versions), strict=True)
                if document is not None
            ]
            if documents:
                database.write_now(DocumentsOfPins(source.workspace, documents))
            number += len(documents)
    return number
