# SPDX-License-Identifier: Apache-2.0
"""/openapi.json, and /docs: a viewer whose assets come from an installed package, not from a CDN.

Of flask-swagger-ui only its folder of assets is used, which has no source maps and no editor; it is never imported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from gitprompt import __version__
from gitprompt.errors import NotFound
from gitprompt.server.http.endpoints import Endpoint
from gitprompt.server.http.openapi import document
from gitprompt.server.http.wire import Json

_ASSETS = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>gitprompt: the HTTP interface</title>
<link rel="stylesheet" href="{here}swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{here}swagger-ui-bundle.js"></script>
<script src="{here}start.js"></script>
</body>
</html>
"""
_START = (
    'SwaggerUIBundle({url: String(new URL("../openapi.json", document.currentScript.src)), dom_id: "#swagger-ui", deepLinking: true,'
    " validatorUrl: null});\n"
)


_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"


async def openapi(described: Mapping[str, Any], request: Request) -> Response:
    return Json(described)


async def front(request: Request) -> Response:
    """What this is, for whoever asks for /. The links are relative: a proxy may have a prefix."""
    return Json(
        {
            "name": "gitprompt",
            "version": __version__,
            "about": "Prompts from a Git repository, by version and label.",
            "ui": "ui",
            "docs": "docs",
            "openapi": "openapi.json",
            "health": "health",
        }
    )


async def page(request: Request) -> Response:
    # Relative, since a proxy may serve all this below a prefix of its own.
    here = "./" if request.url.path.endswith("/") else "docs/"
    return HTMLResponse(_PAGE.replace("{here}", here), headers={"Content-Security-Policy": _POLICY})


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "start.js":
        return Response(_START, media_type="text/javascript")
    if name not in _ASSETS:
        raise NotFound("Route not found")
    return FileResponse(os.path.join(_folder(), name), media_type=_ASSETS[name])


def routes(endpoints: Sequence[Endpoint]) -> list[Route]:
    return [
        Route("/openapi.json", partial(openapi, document(endpoints))),
        Route("/", front),
        Route("/docs", page),
        Route("/docs/", page),
        Route("/docs/{name}", asset),
    ]


@cache
def _folder() -> str:
    spec = find_spec("flask_swagger_ui")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return os.path.join(spec.submodule_search_locations[0], "dist")
