# SPDX-License-Identifier: Apache-2.0
"""gitprompt label: every move is a commit on the label's ref."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gitprompt.cli import completion
from gitprompt.cli.label_places import LabelPlace, open_place, place_of
from gitprompt.cli.output import (
    Group,
    done,
    json_option,
    progress,
    say,
    when,
    write_json,
    write_table,
)  # fmt: skip
from gitprompt.cli.read import meet_remotes, reading, registry
from gitprompt.cli.remote import Function, again, place_options
from gitprompt.core.labels import (
    check_expected,
    check_label,
    label_ref,
)
from gitprompt.core.printable import readable
from gitprompt.core.publication import LabelHistory, Version
from gitprompt.core.versions import check_version, is_version, reads_as_version
from gitprompt.errors import Conflict, NotFound, UsageError
from gitprompt.git.refs import ZERO, RefUpdate
from gitprompt.registry import refwrites, remotes
from gitprompt.registry.clone import FETCH_LABELS, Clone, Selector

if TYPE_CHECKING:
    from gitprompt.cli.online import Online


def _move_options(function: Function) -> Function:
    for option in (
        click.option("--remote", metavar="REMOTE", help="Where to push.  [default: origin]"),
        click.option(
            "--push", is_flag=True, help="Fetch the remote's value first, build on it, and push."
        ),
        click.option("--sign", is_flag=True, help="Sign the commit with your Git signing key."),
        click.option(
            "-m", "--message", "reason", default="", metavar="TEXT",
            callback=lambda _context, _option, value: readable(value),
            help="Why; it stays in the history.",
        ),
    ):  # fmt: skip
        function = option(function)
    return place_options(function)


@click.group(cls=Group)
def label() -> None:
    """Set, list, explain, roll back and remove labels.

    \b
    Example:
      gitprompt label set welcome production 1.2.0 -m "A/B test won" --push
    """


def _move(
    moves: Sequence[tuple[LabelPlace, Version | None]], reason: str, *, sign: bool, later: str
) -> None:
    """Make the moves, all or none, push them if that was asked for, and say so. `later` is the
    command that pushes what is only moved here."""
    first = moves[0][0]
    repository, remote = first.registry.repository, first.remote
    author = refwrites.identity(repository)
    updates = [
        refwrites.label_update(
            repository, place.name, place.label, version, current=place.current, local=place.local,
            author=author, reason=reason, namespace=place.registry.settings.namespace, sign=sign,
        )
        for place, version in moves
    ]  # fmt: skip
    refwrites.move_refs(repository, updates, message=f"gitprompt: move {first.label}")
    if remote is not None:
        theirs = [
            RefUpdate(update.ref, place.remote_tip or ZERO, update.new)
            for update, (place, _) in zip(updates, moves, strict=True)
        ]
        remotes.push_labels(repository, remote, theirs, undo=updates)
    for place, version in moves:
        arrow = f"{place.now or 'none'} → {version.version if version else 'none'}"
        done(f"{place.name} {place.label}: {arrow}")
    if remote is None and repository.remotes():
        say(f"Not pushed yet: {later}")


def _push_left(places: Sequence[LabelPlace]) -> int:
    """Push what was only moved here; how many of the labels that were."""
    left = [(place, update) for place in places if (update := place.left)]
    if left:
        first = left[0][0]
        updates = [update for _, update in left]
        remotes.push_labels(first.registry.repository, first.remote or "", updates, undo=())
    for place, _ in left:
        done(f"{place.name} {place.label}: {place.now} · pushed; it was moved before")
    return len(left)


def _move_one(place: LabelPlace, version: Version | None, reason: str, *, sign: bool) -> None:
    remote = remotes.default_remote(place.registry.repository) or "REMOTE"
    _move([(place, version)], reason, sign=sign, later=f"git push {remote} {place.ref}")


def _published(place: LabelPlace, version: str) -> Version:
    check_version(version)
    versions = place.registry.versions(place.name)
    match = next((v for v in versions if v.version == version), None)
    if match is None:
        numbers = ", ".join(v.version for v in versions[:5]) or "none"
        raise NotFound(
            f"{place.name} {version} is not published here",
            hint=f"Published: {numbers}. git fetch brings what others have published.",
        )
    return match


@label.command("set")
@click.argument(
    "words", nargs=-1, metavar="NAME LABEL VERSION", required=True, shell_complete=completion.moves
)
@click.option("--all", "every", is_flag=True, help="With --from: of every prompt that has it.")
@click.option("--prefix", metavar="P", help="With --from: of every prompt whose name begins so.")
@click.option(
    "--from", "source", metavar="LABEL", help="The label whose versions are taken; see --all."
)
@click.option(
    "--expect", metavar="V", help="Move it only if it is at V now; 'none' for a new label."
)
@_move_options
def set_(
    words: tuple[str, ...], every: bool, prefix: str | None, source: str | None, expect: str | None,
    reason: str, sign: bool, push: bool, remote: str | None,
) -> None:  # fmt: skip
    """Point a label at a published version, or at where another label is; made if it does not exist.

    With --from the labels of many prompts are moved in one go: all of them, or none.

    \b
    Examples:
      gitprompt label set welcome production 1.2.0 --expect 1.1.0 --push
      gitprompt label set welcome production staging --push
      gitprompt label set --all --from staging production --push
      gitprompt label set --prefix support/ --from staging production --push
    """
    if every or prefix is not None or source is not None:
        if source is None or len(words) != 1 or expect is not None or not (every or prefix):
            raise UsageError(
                "many labels are set with --from LABEL, and with --all or --prefix",
                hint="gitprompt label set --all --from staging production",
            )
        online = _online(sign=sign)
        if online is not None:
            online.promote(words[0], source, prefix or "", reason)
            return
        _promote(words[0], source, prefix or "", reason, sign=sign, push=push, remote=remote)
        return
    if len(words) != 3:
        raise UsageError(
            "say which prompt, which label, and where to",
            hint="gitprompt label set welcome production 1.2.0",
        )
    name, text, version = words
    online = _online(sign=sign)
    if online is not None:
        online.set_label(name, text, version, expect, reason)
        return
    place = open_place(name, text, push=push, remote=remote)
    name = place.name
    target = _published(place, _version_of(place, version))
    check_expected(name, text, place.now, expect)
    if place.now == target.version and place.is_valid:
        if not _push_left([place]):
            say(f"{name} {text} is at {target.version} already.")
        return
    _move_one(place, target, reason, sign=sign)


def _online(*, sign: bool) -> Online | None:
    """The server whose label is moved, if it is not the clone's."""
    clone = reading()
    if isinstance(clone, Clone):
        return None
    if sign:
        raise UsageError("a server signs nothing with your key", hint="Leave out --sign.")
    return clone


def _version_of(place: LabelPlace, text: str) -> str:
    """The version that a word on the command line means: itself, or where a label is."""
    if reads_as_version(text) or is_version(text):
        return text
    check_label(text)
    other = place.registry
    if place.remote is not None:
        namespace = other.settings.namespace
        ref = label_ref(place.name, text, namespace=namespace)
        tip = remotes.fetch_label(other.repository, place.remote, ref)
        history = place_of(other, place.name, text, place.remote, tip).current
    else:
        history = other.label(place.name, text)
    if history is None or history.version is None:
        raise NotFound(f"{place.name} has no label {text}", hint=FETCH_LABELS)
    return history.version


def _promote(
    text: str, source: str, prefix: str, reason: str, *, sign: bool, push: bool, remote: str | None
) -> None:
    """Move the label `text` of many prompts to where their label `source` is: all or none."""
    check_label(text)
    check_label(source)
    clone = registry()
    repository, namespace = clone.repository, clone.settings.namespace
    target = remotes.choose_remote(repository, remote) if push else None
    tips: dict[str, str] = {}
    if target is not None:
        remotes.configure_fetch(repository, target)
        tips = remotes.fetch_labels(repository, target, namespace)
    else:
        meet_remotes(repository)
    moves: list[tuple[LabelPlace, Version | None]] = []
    there: list[LabelPlace] = []
    names = [name for name in _names_with(clone, source) if name.startswith(prefix)]
    with progress("reading", len(names)) as advance:
        for name in names:
            ref, other = (label_ref(name, label, namespace=namespace) for label in (text, source))
            at = place_of(clone, name, source, target, tips.get(other)).current
            place = place_of(clone, name, text, target, tips.get(ref))
            if at is not None and at.version is not None:
                if at.version == place.now and place.is_valid:
                    there.append(place)
                else:
                    moves.append((place, _published(place, at.version)))
            advance(1)
    left = _push_left(there)
    if not moves:
        behind = f"Nothing to move: {len(there)} are there already."
        if not left:
            say(behind if there else f"No prompt has {source}.")
        return
    again = f"--prefix {prefix}" if prefix else "--all"
    later = f"gitprompt label set {again} --from {source} {text} --push"
    _move(moves, reason or f"From {source}", sign=sign, later=later)


def _names_with(clone: Clone, label: str) -> list[str]:
    """The prompts that have, or had, a label."""
    return sorted(name for name, text in clone.label_pairs() if text == label)


@label.command()
@click.argument("name", shell_complete=completion.names)
@click.argument("text", metavar="LABEL", shell_complete=completion.labels)
@click.option("--to", metavar="V", help="The version to go back to.  [default: the one before]")
@_move_options
def rollback(
    name: str, text: str, to: str | None, reason: str, sign: bool, push: bool, remote: str | None
) -> None:
    """Go back to the value before the current one.

    If the newest move went back to an earlier value already, whoever made it, nothing is moved: two
    people who roll back at once must not undo each other. --to says outright where to go.

    \b
    Examples:
      gitprompt label rollback welcome production -m "Refunds were promised" --push
      gitprompt label rollback welcome production --to 1.1.0
    """
    online = _online(sign=sign)
    if online is not None:
        name = online.name(name)
        version, now = _before(name, text, online.label(name, text), to)
        online.move_label(name, text, version, now, reason or f"Roll back from {now or 'none'}")
        return
    place = open_place(name, text, push=push, remote=remote)
    version, now = _before(place.name, text, place.current, to)
    target = _published(place, version)
    _move_one(place, target, reason or f"Roll back from {now or 'none'}", sign=sign)


def _before(
    name: str, text: str, current: LabelHistory | None, to: str | None
) -> tuple[str, str | None]:
    """The version to go back to, and the one that the label is at."""
    if current is None:
        raise NotFound(f"{name} has no label {text}", hint=again(f"gitprompt label list {name}"))
    moves = current.moves
    if to is None:
        _refuse_to_undo(current)
    version = to or (moves[1].version if len(moves) > 1 else None)
    if version is None:
        raise NotFound(
            f"{name} {text} had no version before {moves[0].version}", hint="Say which: --to V"
        )
    return version, moves[0].version


def _refuse_to_undo(label: LabelHistory) -> None:
    """Raise Conflict if the newest move went back to a value that the label had before."""
    newest, *older = label.moves
    if newest.version is None or newest.version not in {move.version for move in older}:
        return
    raise Conflict(
        f"{label.name} {label.label} went back to {newest.version} already:"
        f" {newest.actor}, {when(newest.created_at)} UTC"
        + (f", {newest.reason!r}" * bool(newest.reason)),
        hint="Say where it should go: "
        + again(f"gitprompt label rollback {label.name} {label.label} --to V"),
    )


@label.command()
@click.argument("name", shell_complete=completion.names)
@click.argument("text", metavar="LABEL", shell_complete=completion.labels)
@_move_options
def rm(name: str, text: str, reason: str, sign: bool, push: bool, remote: str | None) -> None:
    """Remove a label. Its history stays, and it may be set again.

    \b
    Example:
      gitprompt label rm welcome canary --push
    """
    online = _online(sign=sign)
    if online is not None:
        name = online.name(name)
        online.remove_label(name, text, reason)
        return
    place = open_place(name, text, push=push, remote=remote)
    name = place.name
    if place.current is None or place.current.version is None:
        raise NotFound(f"{name} has no label {text}", hint=again(f"gitprompt label list {name}"))
    _move_one(place, None, reason, sign=sign)


@label.command("list")
@click.argument("name", required=False, shell_complete=completion.names)
@json_option
@place_options
def list_(name: str | None, as_json: bool) -> None:
    """List labels, of one prompt or of all.

    \b
    Example:
      gitprompt label list welcome
    """
    clone = reading()
    name = clone.name(name) if name is not None else None
    if name is not None and name not in clone.names():
        clone.resolve(Selector(name, None))  # raises, with what there is instead
    alive = [
        history
        for history in clone.labels(name)
        if isinstance(history, LabelHistory) and history.version is not None
    ]
    if as_json:
        write_json(
            [
                {
                    "prompt_name": history.name,
                    "name": history.label,
                    "version_tag": history.version,
                    "moved_at": history.moves[0].created_at,
                    "actor": history.moves[0].actor,
                }
                for history in alive
            ]
        )
        return
    rows = [
        (f.name, f.label, f.version or "", when(f.moves[0].created_at), f.moves[0].actor)
        for f in alive
    ]
    if not rows:
        say(
            f"No labels here. {FETCH_LABELS if isinstance(clone, Clone) else ''}".rstrip(), err=True
        )
        return
    write_table(("prompt", "label", "version", "moved (UTC)", "by"), rows, empty="")


@label.command()
@click.argument("name", shell_complete=completion.names)
@click.argument("text", metavar="LABEL", shell_complete=completion.labels)
@json_option
@place_options
def log(name: str, text: str, as_json: bool) -> None:
    """Who moved a label, when, from what to what, and why; newest first.

    \b
    Example:
      gitprompt label log welcome production
    """
    check_label(text)
    clone = reading()
    name = clone.name(name)
    history = clone.label(name, text)
    if history is None:
        listed = again(f"gitprompt label list {name}")
        hint = FETCH_LABELS if isinstance(clone, Clone) else listed
        raise NotFound(f"{name} has no label {text} here", hint=hint)
    if as_json:
        write_json([move._asdict() for move in history.moves])
        return
    rows = [
        (
            when(move.created_at),
            f"{move.previous or 'none'} → {move.version or 'none'}",
            move.actor,
            move.reason,
            move.commit[:10],
        )
        for move in history.moves
    ]
    write_table(("when (UTC)", "move", "by", "why", "commit"), rows, empty="")
