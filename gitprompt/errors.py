# SPDX-License-Identifier: Apache-2.0
"""Every error gitprompt raises on purpose.

    GitpromptError
    ├── UsageError            the command line was wrong                 exit 2
    ├── BadRequest            400   malformed, missing variables, bad selector
    ├── Unauthorized          401   no key, wrong key, expired key
    ├── Forbidden             403   the key lacks a scope, or a policy says no
    ├── NotFound              404
    ├── MethodNotAllowed      405
    ├── Conflict              409   it exists, or somebody was faster
    ├── PayloadTooLarge       413
    ├── UnsupportedMediaType  415
    ├── Invalid               422   a document, name or field breaks a rule
    ├── RateLimited           429
    ├── Unavailable           503   busy, or not configured: try again later
    └── SetupError            503   this machine or repository must be repaired first
        └── GitError                git itself refused or failed

`code` is stable and documented, `message` is for a person, `hint` says what to do next.
HTTP status and exit code follow from the class and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class GitpromptError(Exception):
    """Base of the tree. `details` goes to the HTTP error envelope as it is."""

    code = "INTERNAL_ERROR"
    status = 500
    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        details: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details
        self.headers = dict(headers or {})


class UsageError(GitpromptError):
    code = "USAGE"
    status = 400
    exit_code = 2


class BadRequest(GitpromptError):
    code = "BAD_REQUEST"
    status = 400


class Unauthorized(GitpromptError):
    code = "UNAUTHORIZED"
    status = 401


class Forbidden(GitpromptError):
    code = "FORBIDDEN"
    status = 403


class NotFound(GitpromptError):
    code = "NOT_FOUND"
    status = 404


class MethodNotAllowed(GitpromptError):
    code = "METHOD_NOT_ALLOWED"
    status = 405


class Conflict(GitpromptError):
    code = "CONFLICT"
    status = 409


class PayloadTooLarge(GitpromptError):
    code = "PAYLOAD_TOO_LARGE"
    status = 413


class UnsupportedMediaType(GitpromptError):
    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class Invalid(GitpromptError):
    """One or more rules are broken; `fields` has a sentence for each."""

    code = "VALIDATION_FAILED"
    status = 422

    def __init__(self, message: str, *, fields: Sequence[str] = (), hint: str = "") -> None:
        self.fields = list(fields) or [message]
        super().__init__(message, hint=hint, details={"fields": self.fields})


class RateLimited(GitpromptError):
    code = "RATE_LIMIT_EXCEEDED"
    status = 429


class Unavailable(GitpromptError):
    """Nothing was stored; `retry_after` is in seconds."""

    code = "UNAVAILABLE"
    status = 503

    def __init__(self, message: str, *, retry_after: int = 1, hint: str = "") -> None:
        super().__init__(message, hint=hint, headers={"Retry-After": str(retry_after)})


class SetupError(GitpromptError):
    code = "SETUP"
    status = 503


class GitError(SetupError):
    """A git command failed; `stderr` is what it printed, without secrets."""

    code = "GIT"

    def __init__(self, message: str, *, stderr: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.stderr = stderr


class OriginUnreachable(GitError):
    """Where a repository comes from does not answer; what is here can be read all the same."""

    status = 503
    code = "ORIGIN_UNREACHABLE"
