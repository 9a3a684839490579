# SPDX-License-Identifier: Apache-2.0
"""DRIVER=s3: the log of refs in a bucket of S3, or of anything that speaks its protocol and keeps If-None-Match."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gitprompt.config import ServerSettings
from gitprompt.drivers.ref_log import RefLog
from gitprompt.drivers.shelf import Shelf
from gitprompt.errors import SetupError
from gitprompt.git.origin import http_parts

if TYPE_CHECKING:
    from gitprompt.drivers.bucket import Bucket

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+\Z")
_PATIENCE = timedelta(seconds=10)


def make(settings: ServerSettings) -> RefLog:
    """Raises SetupError."""
    prefix = settings.s3_prefix.strip("/")
    if prefix and (not _PREFIX.match(prefix) or ".." in prefix.split("/")):
        raise SetupError(f"S3_PREFIX: '{prefix}' is no path", hint="For example: S3_PREFIX=prompts")
    store = bucket(settings)
    place = f"{store.name}/{prefix}" if prefix else store.name
    prefix = f"{prefix}/" if prefix else ""
    return RefLog(store, name="s3", place=place, prefix=prefix, shelf=Shelf(store, prefix))


def bucket(settings: ServerSettings) -> Bucket:
    """The one that S3_* name. Without keys they come from where AWS's own tools have them. Raises SetupError."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store

        from gitprompt.drivers.bucket import Bucket, said
    except ImportError as error:
        raise SetupError(
            f"DRIVER=s3 needs obstore, which cannot be loaded: {error}",
            hint="pip install 'gitprompt-registry[s3]'",
        ) from None
    name = settings.s3_bucket
    if not _BUCKET.match(name):
        raise SetupError(
            f"S3_BUCKET: '{name}' is no name of a bucket" if name else "DRIVER=s3 needs S3_BUCKET",
            hint="Three to 63 of a-z 0-9 . and -, such as S3_BUCKET=acme-prompts.",
        )  # fmt: skip
    options: dict[str, Any] = {"region": settings.s3_region}
    if settings.s3_endpoint:
        parts = http_parts(settings.s3_endpoint)
        if parts is None:
            raise SetupError(
                "S3_ENDPOINT is no URL", hint="For example: S3_ENDPOINT=https://minio.internal:9000"
            )
        options["endpoint"] = settings.s3_endpoint
        options["client_options"] = {"allow_http": parts.scheme == "http"}
    if bool(settings.s3_access_key) != bool(settings.s3_secret_key):
        raise SetupError("S3_ACCESS_KEY and S3_SECRET_KEY go together", hint="Set both, or none.")
    if settings.s3_access_key:
        options["access_key_id"] = settings.s3_access_key
        options["secret_access_key"] = settings.s3_secret_key
    retries: Any = {"max_retries": 3, "retry_timeout": _PATIENCE}
    try:
        store = S3Store(name, retry_config=retries, **options)
    except BaseError as error:
        raise SetupError(f"the bucket {name} cannot be used: {said(error)}") from None
    return Bucket(store, f"s3://{name}")
