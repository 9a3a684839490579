# SPDX-License-Identifier: Apache-2.0
"""No credentials in a document: what is published in Git is there for ever.

Words and then one expression over the prefixes of known keys decide whether the expressions of
detect-secrets, which take 100 ms to import, are asked, joined by shapes that it lacks. They are
compiled by RE2: some of them take an hour for a megabyte in Python's engine, which also lets nobody
else do anything meanwhile; RE2 is linear in whatever a stranger sends.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from gitprompt.checks.subject import Problem, Subject
from gitprompt.core.model import Severity

CODES: dict[str, Severity] = {"secret": "error"}
_MOST = 20  # of a line, of one kind, and of a file: whoever has as many knows where they are
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
    (b"private key", rb"BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"),
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
    if is_suspect(data):
        lines = enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1)
        problems = (p for number, line in lines if is_suspect(line) for p in _in_line(line, number))
        yield from islice(problems, _MOST)


def is_suspect(data: bytes) -> bool:
    """False if the detectors would surely find nothing."""
    if _RUN not in data.translate(_MARKS) and b"PRIVATE KEY" not in data:
        return False
    lowered = data.lower()
    matches = [word in lowered and bool(re.search(form, lowered, re.I)) for word, form in _SUSPECTS]
    return any(matches)  # a list: a generator would cost twice as much


def _in_line(line: bytes, number: int) -> Iterator[Problem]:
    values: list[bytes] = []
    for detector in detectors():
        for start, secret in islice(detector.secrets(line), _MOST):
            if any(secret in other for other in values):
                continue
            values.append(secret)
            shown = secret[:4].decode("utf-8", "replace")
            yield Problem(
                "secret",
                f"this looks like a secret: {detector.kind} ({shown}…)",
                "Remove it and revoke it: pass secrets at run time, never in a prompt.",
                place=(number, len(line[:start].decode("utf-8", "replace")) + 1),
            )


class Detector(NamedTuple):
    """A kind of secret, and the expressions that know it. `is_real` looks closer at what they match."""

    kind: str
    expressions: tuple[Any, ...]
    is_real: Callable[[str], bool] = lambda _secret: True

    def secrets(self, line: bytes) -> Iterator[tuple[int, bytes]]:
        """Where each is, and what: the first group of the expression that is in it, or all of it."""
        for expression in self.expressions:
            for match in expression.finditer(line):
                group = next((at for at, text in enumerate(match.groups(), 1) if text), 0)
                if match[group] and self.is_real(match[group].decode("utf-8", "replace")):
                    yield match.start(group), match[group]


@cache
def detectors() -> tuple[Detector, ...]:
    """Those of ours, then the library's."""
    from importlib import import_module

    ours = [Detector(kind, (_compiled(re.compile(shape)),)) for kind, shape in _OWN_SHAPES.items()]
    theirs = []
    for spec in _LIBRARY:
        module, _, name = spec.partition(".")
        plugin = getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        detector = Detector(plugin.secret_type, tuple(map(_compiled, plugin.denylist)))
        if hasattr(plugin, "is_formally_valid"):
            detector = detector._replace(is_real=plugin.is_formally_valid)
        theirs.append(detector)
    return (*ours, *theirs)


def _compiled(expression: re.Pattern[str]) -> Any:
    """An expression of Python's engine for RE2, which has no assertion of what does not follow, and no
    repetition of more than a thousand: there the match is as long as it can be."""
    import re2

    options = re2.Options()
    options.case_sensitive = not expression.flags & re.IGNORECASE
    options.log_errors = False
    form = expression.pattern.replace(r"(?!\w)", "").replace(",1024}", ",}")
    return re2.compile(form.encode(), options)
