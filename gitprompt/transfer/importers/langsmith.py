# SPDX-License-Identifier: Apache-2.0
"""LangSmith: runs, feedback and prompt commits, as its API and its bulk exports have them
(https://api.smith.langchain.com/redoc)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any
from urllib.parse import quote

from gitprompt.core.telemetry.numbers import cost_of, number_of
from gitprompt.core.telemetry.packed import decoded, usage_of
from gitprompt.transfer.foreign.manifests import document_of
from gitprompt.transfer.foreign.moments import milliseconds
from gitprompt.transfer.foreign.records import (
    ForeignApi,
    ForeignScore,
    ForeignSpan,
    ForeignTrace,
    ForeignVersion,
    Item,
    LivePage,
    Losses,
    Record,
    Unreadable,
    beside,
    flattened,
    short,
    structured,
    tags_of,
    text_of,
    trace_id_of,
)
from gitprompt.transfer.importing.live import SourceFailed

_HOUSE = "langsmith"
_NAMES = 256
_KNOWN = frozenset(
    ("id", "name", "run_type", "start_time", "end_time", "status", "error", "extra", "inputs", "outputs",
     "parent_run_id", "tags", "trace_id", "prompt_tokens", "completion_tokens", "total_tokens",
     "prompt_token_details", "completion_token_details", "first_token_time", "total_cost", "prompt_cost",
     "completion_cost", "feedback_stats", "events",
     # what follows from these, or is of LangSmith's own database
     "serialized", "parent_run_ids", "child_run_ids", "direct_child_run_ids", "dotted_order", "session_id",
     "session_name", "app_path", "manifest_id", "in_dataset", "child_runs", "inputs_preview", "outputs_preview",
     "inputs_s3_urls", "outputs_s3_urls", "s3_urls", "manifest_s3_id", "last_queued_at", "execution_order",
     "share_token", "trace_tier", "trace_upgrade", "trace_first_received_at", "ttl_seconds", "thread_id",
     "price_model_id", "prompt_cost_details", "completion_cost_details", "trace_min_start_time",
     "trace_max_start_time", "reference_dataset_id", "inputs_or_signed_url", "outputs_or_signed_url")
)  # fmt: skip
_LOST = {
    "app_path": "a page of LangSmith: not kept",
    "session_id": "the project of LangSmith: not kept",
    "events": "of a stream: only the time of the first token is kept",
    "feedback_stats": "sums: export the feedback itself",
    "inputs_s3_urls": "kept in LangSmith's own storage: not fetched",
    "outputs_s3_urls": "kept in LangSmith's own storage: not fetched",
    "s3_urls": "kept in LangSmith's own storage: not fetched",
}
_SESSIONS = ("session_id", "thread_id", "conversation_id")
# Words of LangChain's metadata that have words of ours.
_READ = ("ls_provider", "ls_model_name", "lc_hub_repo", "lc_hub_commit_hash")


class LangSmith:
    house = _HOUSE
    unasked: Sequence[tuple[str, str]] = ()

    def __init__(self) -> None:
        self._commits: list[Record] = []
        self._traces: dict[str, str] = {}  # of each run that is not the root: its trace
        self._numbered: tuple[int, dict[tuple[str, str], str]] = (0, {})

    def kind_of(self, record: Record) -> str | None:
        if "run_type" in record:
            return "run"
        if "manifest" in record:
            return "prompt commit"
        if "key" in record and (
            "run_id" in record or "trace_id" in record or "session_id" in record
        ):
            return "feedback"
        return None

    def began(self, kind: str, record: Record) -> tuple[str, int, bool] | None:
        at = milliseconds(record.get("start_time"))
        trace_id = text_of(record.get("trace_id")) or text_of(record.get("id"))
        if kind != "run" or at is None or trace_id is None:
            return None
        return trace_id_of(trace_id, _HOUSE, Losses()), at, not record.get("parent_run_id")

    def read(self, kind: str, record: Record, losses: Losses) -> Iterator[Item]:
        if kind == "run":
            if record.get("parent_run_id") and record.get("trace_id"):
                self._traces[str(record.get("id"))] = str(record["trace_id"])
            yield _run(record, self._numbers(), losses)
            for child in record.get("child_runs") or ():
                if isinstance(child, dict):
                    yield from self.read("run", child, losses)
        elif kind == "feedback":
            yield _feedback(record, self._traces, losses)
        else:
            self._commits.append(record)

    def pages(self, api: ForeignApi, done: Mapping[str, Any]) -> Iterator[LivePage]:
        """The commits of every prompt, which runs name; then the runs and the feedback of every project, one after the
        other."""
        for repo in _entries(api, "/api/v1/repos", is_archived="false"):
            owner, name = str(repo.get("owner") or "-"), str(repo["repo_handle"])
            place = f"{quote(owner, safe='-')}/{quote(name, safe='')}"
            commits = []
            for one in _entries(api, f"/api/v1/commits/{place}"):
                whole = api.get(
                    f"/api/v1/commits/{place}/{quote(str(one['commit_hash']), safe='')}"
                )
                commits.append({**one, **whole, "repo_handle": name})
            yield LivePage("prompts", None, commits)
        at = dict(done.get("position") or {})
        finished = list(at.get("finished") or ())
        for one in _entries(api, "/api/v1/sessions"):
            project = str(one["id"])
            if project in finished:
                continue
            cursor = at.get("cursor") if at.get("project") == project else None
            while True:
                body = {
                    "session": [project],
                    "limit": 100,
                    "order": "asc",
                    **({"cursor": cursor} if cursor else {}),
                }
                page = api.post("/api/v1/runs/query", body)
                before, cursor = cursor, (page.get("cursors") or {}).get("next")
                if cursor is not None and cursor == before:
                    raise SourceFailed(
                        "LangSmith gives the same page again and again", hint="Export to files."
                    )
                position = {"finished": list(finished), "project": project, "cursor": cursor}
                yield LivePage("position", position if cursor else None, page["runs"])
                if not cursor:
                    break
            for listed in _pages(api, "/api/v1/feedback", session=project):
                yield LivePage("feedback", None, listed)
            finished.append(project)
            yield LivePage("position", {"finished": list(finished)}, [])

    def finish(self, losses: Losses, *, is_whole: bool) -> Iterator[Item]:
        """LangSmith's versions are hashes: they are numbered from 1, in order of time, once all of them are there."""
        if not is_whole:
            for record in self._commits:
                losses.add(
                    "prompt commit",
                    "numbered once the whole input is there: not yet imported",
                    _name_of(record),
                )
            return iter(())
        numbers = self._numbers()

        def read(record: Record) -> Iterator[Item]:
            yield _version(
                _name_of(record), numbers[_name_of(record), _hash_of(record)], record, losses
            )

        return losses.each("prompt commit", self._commits, read)

    def _numbers(self) -> dict[tuple[str, str], str]:
        """The version that each commit of a prompt is."""
        if self._numbered[0] != len(self._commits):
            by_name: dict[str, dict[str, int]] = {}
            for record in self._commits:
                times = by_name.setdefault(_name_of(record), {})
                times[_hash_of(record)] = milliseconds(record.get("created_at")) or 0
            found = {
                (name, commit): str(number)
                for name, times in by_name.items()
                for number, commit in enumerate(sorted(times, key=lambda one: (times[one], one)), 1)
            }
            self._numbered = len(self._commits), found
        return self._numbered[1]


def _pages(api: ForeignApi, path: str, **params: str) -> Iterator[list[Any]]:
    """The pages of a list that is asked for by offset."""
    offset = 0
    while True:
        page = api.get(path, limit=100, offset=offset, **params)
        listed = page if isinstance(page, list) else page.get("commits") or page.get("repos") or []
        yield listed
        offset += len(listed)
        if len(listed) < 100:
            return


def _entries(api: ForeignApi, path: str, **params: str) -> Iterator[Any]:
    return chain.from_iterable(_pages(api, path, **params))


def _run(record: Record, numbers: Mapping[tuple[str, str], str], losses: Losses) -> ForeignTrace:
    given = text_of(record.get("id"))
    trace = text_of(record.get("trace_id")) or given
    start, end = milliseconds(record.get("start_time")), milliseconds(record.get("end_time"))
    if given is None or trace is None:
        raise Unreadable("a run without an id")
    if start is None:
        raise Unreadable("a run without a time that can be read")
    _tell_lost(record, losses, given)
    extra = _mapping(decoded(record.get("extra")))
    metadata = _mapping(extra.get("metadata"))
    about, used = _about(record, metadata, losses, given)
    prompt, version = _link(metadata, numbers, losses, given)
    kind = (text_of(record.get("run_type")) or "chain").lower()
    first = milliseconds(record.get("first_token_time"))
    error = text_of(record.get("error"))
    ours = {
        "kind": kind,
        **_call(record, kind, metadata, _mapping(extra.get("invocation_params"))),
        "gitprompt.prompt.name": prompt,
        "gitprompt.prompt.version": version,
        "input": about["input"],
        "output": about["output"],
        "status_message": error,
        "ttft_ms": first - start if first is not None and first >= start else None,
        "reference_example_id": text_of(record.get("reference_example_id")),
    }
    runtime = {f"runtime.{key}": value for key, value in _mapping(extra.get("runtime")).items()}
    unknown = {
        key: value
        for key, value in record.items()
        if key not in _KNOWN and value not in (None, "", [], {})
    }
    theirs = {
        key: value for key, value in flattened(metadata).items() if key not in (*_READ, *used)
    }
    name = short(record.get("name"), _NAMES, "run.name", losses, given) or kind
    parent = short(record.get("parent_run_id"), 128, "run.parent_run_id", losses, given)
    failed = error is not None or record.get("status") == "error"
    status = "error" if failed else "ok" if end is not None else "unset"
    span = ForeignSpan(
        given, parent, name, status, start, end, beside(ours, {**theirs, **runtime, **unknown})
    )
    trace_id = trace_id_of(trace, _HOUSE, losses)
    if parent is not None:
        return ForeignTrace(trace_id, None, {}, {}, [span])
    fields = {"name": name, "prompt_name": prompt or name, "version_tag": version, **about}
    return ForeignTrace(
        trace_id,
        start,
        {key: value for key, value in fields.items() if value is not None},
        {"trace_id": trace} if trace != trace_id else {},
        [span],
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _tell_lost(record: Record, losses: Losses, given: str) -> None:
    """What a run has, and has no place here."""
    for field, why in _LOST.items():
        if record.get(field):
            losses.add(f"run.{field}", why, given)
    if record.get("end_time") is None and record.get("status") == "pending":
        losses.add("run.end_time", "it had not ended: its status is unset", given)


def _about(
    record: Record, metadata: Mapping[str, Any], losses: Losses, given: str
) -> tuple[dict[str, Any], set[str]]:
    """What the run says of its trace, if it is the root; and the keys of the metadata that said it."""
    said = {
        field: next((key for key in keys if text_of(metadata.get(key))), None)
        for field, keys in (
            ("session_id", _SESSIONS),
            ("user_id", ("user_id",)),
            ("environment", ("environment", "env")),
        )
    }
    about: dict[str, Any] = {
        field: text_of(metadata.get(key)) if key else None for field, key in said.items()
    }
    about["tags"] = tags_of(record.get("tags"), losses, given) or None
    about["input"], about["output"] = (
        structured(record.get("inputs")),
        structured(record.get("outputs")),
    )
    return about, {key for key in said.values() if key}


def _link(
    metadata: Mapping[str, Any], numbers: Mapping[tuple[str, str], str], losses: Losses, given: str
) -> tuple[str | None, str | None]:
    """The prompt that a run names, and its version here."""
    prompt, commit = (
        text_of(metadata.get("lc_hub_repo")),
        text_of(metadata.get("lc_hub_commit_hash")),
    )
    version = numbers.get((prompt or "", commit or ""), commit)
    if commit is not None and version == commit:
        why = "the commit is not in the input: the hash stands for its version"
        losses.add("run.lc_hub_commit_hash", why, given)
    return prompt, version


def _call(
    record: Record, kind: str, metadata: Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """What a run is recognised by; the tokens of a chain are those of the calls below it."""
    said: dict[str, Any] = {"model_parameters": parameters or None}
    if kind == "tool":
        said["tool"] = text_of(record.get("name"))
    if kind in ("llm", "embedding"):
        said["model"] = text_of(metadata.get("ls_model_name")) or text_of(parameters.get("model"))
        said["provider"] = text_of(metadata.get("ls_provider"))
        said["cost_usd"] = cost_of(record.get("total_cost"))
        said |= {key: int(value) for key, value in _usage(record).items() if number_of(value)}
    return said


def _usage(record: Record) -> Mapping[str, Any]:
    details = record.get("prompt_token_details")
    return usage_of(
        {
            "prompt_tokens": record.get("prompt_tokens"),
            "completion_tokens": record.get("completion_tokens"),
            "prompt_tokens_details": details if isinstance(details, dict) else None,
        }
    )


def _feedback(record: Record, traces: Mapping[str, str], losses: Losses) -> ForeignScore:
    given, name = (
        text_of(record.get("id")),
        short(record.get("key"), _NAMES, "feedback.key", losses, record.get("id")),
    )
    if given is None or name is None:
        raise Unreadable("feedback without an id or a key")
    run, trace = text_of(record.get("run_id")), text_of(record.get("trace_id"))
    if run is None and trace is None:
        raise Unreadable("feedback about no run")
    if trace is None:
        trace = traces.get(str(run), str(run))
        if trace == run:
            losses.add(
                "feedback.trace_id",
                "not said, and its run is not in the input: taken for the root",
                given,
            )
    score, value = record.get("score"), record.get("value")
    what: bool | float | str | None
    if isinstance(score, bool):
        kind, what = "boolean", score
    elif number_of(score) is not None:
        kind, what = "numeric", number_of(score)
    elif isinstance(value, str) and value:
        kind, what = "categorical", short(value, 10_000, "feedback.value", losses, given)
    else:
        raise Unreadable("feedback without a score or a value")
    at = milliseconds(record.get("created_at"))
    source = record.get("feedback_source")
    ours = {
        "timestamp_ms": at,
        "value": value if kind != "categorical" else None,
        "correction": record.get("correction"),
    }
    body = {
        "score_id": given,
        "name": name,
        "type": kind,
        "value": what,
        "trace_id": trace_id_of(trace, _HOUSE, losses),
        "span_id": run,
        "comment": short(record.get("comment"), 10_000, "feedback.comment", losses, given),
        "source": text_of(source.get("type")) if isinstance(source, dict) else None,
        "metadata": beside(ours, {}),
        "timestamp": at // 1000 if at else None,
    }
    return ForeignScore({key: item for key, item in body.items() if item is not None})


def _hash_of(record: Record) -> str:
    return (
        text_of(record.get("commit_hash"))
        or text_of(record.get("hash"))
        or text_of(record.get("id"))
        or ""
    )


def _name_of(record: Record) -> str:
    found = (
        text_of(record.get("repo_handle"))
        or text_of(record.get("repo"))
        or text_of(record.get("name"))
    )
    return found or "prompt"


def _version(name: str, number: str, record: Record, losses: Losses) -> ForeignVersion:
    example = f"{name} {number}"
    commit = text_of(record.get("commit_hash")) or text_of(record.get("hash"))
    document = document_of(record.get("manifest"), losses, example)
    document["metadata"] = {
        **document.get("metadata", {}),
        **({"langsmith_commit": commit} if commit else {}),
    }
    if commit:
        losses.add(
            "prompt commit.commit_hash",
            "a number is its version; the hash is in metadata.langsmith_commit",
            example,
        )
    at = milliseconds(record.get("created_at"))
    if at is None:
        losses.add("prompt commit.created_at", "no time: it is the time of the import", example)
    tags = [
        tag for tag in map(text_of, record.get("tags") or record.get("commit_tags") or ()) if tag
    ]
    return ForeignVersion(
        name, number, document, text_of(record.get("full_name")) or text_of(record.get("owner")) or "langsmith",
        (at or 0) // 1000, text_of(record.get("commit_message")) or "", [(tag, (at or 0) // 1000) for tag in tags], record,
    )  # fmt: skip
