# SPDX-License-Identifier: Apache-2.0
"""No credentials in a document: what is published in Git is there for ever.

Words and then one expression over the prefixes of known keys decide whether detect-secrets, which
takes 100 ms to import, is asked. Its detectors are joined by shapes that it lacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.model import Severity

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

CODES: dict[str, Severity] = {"secret": "error"}
NEEDS_SHAPE = False

# A word of a known kind of key, in lower case, and the expression that makes it worth a look.
# A document without any of them has none of the secrets below: a test holds the two together.
# Substring searches cost 50 ns each; one alternation over all of them cost 90 µs a document.
_SUSPECTS: tuple[tuple[bytes, bytes], ...] = (
    (b"sk-", rb"sk-[\w-]{16}"),
    (b"pm_", rb"pm_[0-9a-f]{64}"),
    (b"akia", rb"AKIA[A-Z0-9]{16}"),
    (b"asia", rb"ASIA[A-Z0-9]{16}"),
    (b"abia", rb"ABIA[A-Z0-9]{16}"),
    (b"acca", rb"ACCA[A-Z0-9]{16}"),
    (b"a3t", rb"A3T[A-Z0-9]{17}"),
    (b"aws", rb"aws.{0,40}[A-Z0-9/+]{40}"),
    (b"aiza", rb"AIza[\w-]{35}"),
    (b"gh", rb"gh[opusr]_\w{36}"),
    (b"github_pat_", rb"github_pat_\w{20}"),
    (b"gl", rb"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w-]{16}"),
    (b"gr1348941", rb"GR1348941"),
    (b"xox", rb"xox[abposr]-"),
    (b"hooks.slack.com", rb"hooks\.slack\.com/services/"),
    (b"k_live_", rb"[rs]k_live_"),
    (b"sg.", rb"SG\.[\w-]{16}"),
    (b"private key", rb"BEGIN [A-Z0-9 ]*PRIVATE KEY"),
    (b"putty", rb"PuTTY-User-Key"),
    (b"hf_", rb"hf_\w{30}"),
    (b"gsk_", rb"gsk_\w{20}"),
    (b"r8_", rb"r8_\w{20}"),
    (b"pypi-ag", rb"pypi-Ag"),
    (b"_authtoken", rb"_authToken"),
    (b"eyj", rb"eyJ[\w-]{10}"),
    (b"-us", rb"-us[0-9]"),
    (b"sq0csp", rb"sq0csp-"),
    (b"accountkey", rb"AccountKey="),
    (b"xai-", rb"xai-\w{20}"),
    (b"pplx-", rb"pplx-\w{20}"),
    (b"ac", rb"ac[a-z0-9]{32}"),
    (b"sk", rb"sk[a-z0-9]{32}"),
)

# Prose has no word of 20 characters, and every key but the head of a private one has such a word. Marking the
# characters of keys and searching for a run of marks costs 1 µs; an expression costs 16.
_MARKS = bytes(
    b"x"[0] if chr(code).isalnum() or chr(code) in "_./+=:-" else 32 for code in range(128)
)
_MARKS += b" " * 128
_RUN = b"x" * 20

_OWN_SHAPES = {
    "Anthropic API key": r"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{24,}",
    "OpenAI API key": r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{24,}|sk-[A-Za-z0-9]{48}\b",
    "OpenRouter API key": r"sk-or-v1-[0-9a-f]{64}",
    "Google API key": r"AIza[0-9A-Za-z_-]{35}",
    "GitHub fine-grained token": r"github_pat_[0-9A-Za-z_]{60,}",
    "Hugging Face token": r"hf_[A-Za-z0-9]{30,}",
    "Groq API key": r"gsk_[A-Za-z0-9]{40,}",
    "Replicate token": r"r8_[A-Za-z0-9]{37,}",
    "xAI API key": r"xai-[A-Za-z0-9]{60,}",
    "Perplexity API key": r"pplx-[A-Za-z0-9]{40,}",
    "gitprompt API key": r"pm_[0-9a-f]{64}",
}
_LIBRARY = (
    "aws.AWSKeyDetector",
    "azure_storage_key.AzureStorageKeyDetector",
    "github_token.GitHubTokenDetector",
    "gitlab_token.GitLabTokenDetector",
    "jwt.JwtTokenDetector",
    "mailchimp.MailchimpDetector",
    "npm.NpmDetector",
    "openai.OpenAIDetector",
    "private_key.PrivateKeyDetector",
    "pypi_token.PypiTokenDetector",
    "sendgrid.SendGridDetector",
    "slack.SlackDetector",
    "square_oauth.SquareOAuthDetector",
    "stripe.StripeDetector",
    "twilio.TwilioKeyDetector",
)


def find(subject: Subject) -> Iterator[Problem]:
    yield from _in_file(subject.data)
    for name, data in subject.inclusion.files.items():
        for problem in _in_file(data):
            yield problem._replace(
                message=f"{problem.message} (in the fragment {name})", place=(0, 0)
            )


def _in_file(data: bytes) -> Iterator[Problem]:
    if not is_suspect(data):
        return
    text = data.decode("utf-8-sig", "replace")
    for number, line in enumerate(text.split("\n"), start=1):
        if is_suspect(line.encode()):
            yield from _in_line(line, number)


def is_suspect(data: bytes) -> bool:
    """False if the detectors would surely find nothing."""
    if _RUN not in data.translate(_MARKS) and b"PRIVATE KEY" not in data:
        return False
    lowered = data.lower()
    matches = [word in lowered and bool(re.search(form, lowered, re.I)) for word, form in _SUSPECTS]
    return any(matches)  # a list: a generator would cost twice as much


def _in_line(line: str, number: int) -> Iterator[Problem]:
    values: set[str] = set()
    for detector in detectors():
        for match in detector.analyze_string(line):
            secret = str(match)
            if not secret or any(secret in other for other in values):
                continue
            values.add(secret)
            yield Problem(
                "secret",
                f"this looks like a secret: {detector.secret_type} ({secret[:4]}…)",
                "Remove it and revoke it: pass secrets at run time, never in a prompt.",
                place=(number, line.find(secret) + 1),
            )


@cache
def detectors() -> tuple[RegexBasedDetector, ...]:
    """The detectors of the library, then ours."""
    from importlib import import_module

    from detect_secrets.plugins.base import RegexBasedDetector

    chosen_detectors: list[RegexBasedDetector] = []
    for shape, expression in _OWN_SHAPES.items():
        denylist = [re.compile(expression)]
        own = type(
            "OwnDetector", (RegexBasedDetector,), {"secret_type": shape, "denylist": denylist}
        )
        chosen_detectors.append(own())
    for spec in _LIBRARY:
        module, _, name = spec.partition(".")
        chosen_detectors.append(getattr(import_module(f"detect_secrets.plugins.{module}"), name)())
    return tuple(chosen_detectors)
