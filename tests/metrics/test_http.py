# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip

import pytest

from gitprompt.metrics.http import gzipped, takes_gzip


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True), ("GZIP", True), ("deflate, gzip;q=0.5", True), ("*", True), ("x-gzip", True),
        ("gzip;q=1.000", True), ("", False), ("identity", False), ("gzip;q=0", False),
        ("gzip; q=0.000, *", False), ("*;q=0", False), ("br;q=1, *;q=0.1", True), ("gzipped", False),
    ],
)  # fmt: skip
def test_a_client_that_takes_gzip_says_so(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes


def test_a_body_is_compressed_while_it_is_made() -> None:
    parts = [b"x" * 1000, b"", b"y"]
    assert gzip.decompress(b"".join(gzipped(iter(parts)))) == b"".join(parts)
