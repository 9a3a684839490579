# SPDX-License-Identifier: Apache-2.0
"""`git push` over HTTP: the real client against a really listening server."""

from __future__ import annotations

import base64
import gzip
import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.world import WELCOME, Clone, Refused, Server, run


@pytest.fixture
def space(request: pytest.FixtureRequest) -> str:
    """A workspace of this test's own."""
    name: str = request.node.name
    return "".join(c if c.isalnum() else "-" for c in name)[:100]


@pytest.fixture
def remote(server: Server, space: str, published: Clone) -> str:
    """Its URL for an admin, with welcome 1.0.0 pushed."""
    url = server.remote(workspace=space)
    published.git("remote", "add", "origin", url)
    published.push_all("origin")
    return url


def text(server: Server, space: str, selector: str = "") -> str:
    key = server.key(workspace=space)
    response = server.request(
        f"/v1/prompts/welcome?variables[name]=Ada&{selector}",
        key=key,
        headers={"X-Workspace-Id": space},
    )
    assert response.status_code == 200, response.text
    content: str = response.json()["content"]["messages"][-1]["content"]
    return content


def test_what_a_push_published_is_served_when_it_returns(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    assert text(server, space) == "Hello Ada!"
    for number in range(1, 6):
        published.commit("x", welcome=WELCOME.replace("Hello", f"Hello {number}"))
        published.tag("welcome", f"1.{number}.0")
        published.git("push", "-q", "origin", f"prompts/welcome/1.{number}.0")
        assert text(server, space) == f"Hello {number} Ada!"


def test_clones_shallow_clones_and_fetches(remote: str, tmp_path: Path, published: Clone) -> None:
    run("git", "clone", "-q", remote, "full", cwd=tmp_path)
    run("git", "clone", "-q", "--depth", "1", remote, "shallow", cwd=tmp_path)
    run("git", "clone", "-q", "--filter=blob:none", remote, "partial", cwd=tmp_path)
    for name in ("full", "shallow", "partial"):
        assert (tmp_path / name / "prompts" / "welcome.yaml").read_text() == WELCOME
    assert "refs/gitprompt" not in run("git", "ls-remote", remote, cwd=tmp_path)
    shallow = Clone(tmp_path / "shallow")
    shallow.commit("From a shallow clone", welcome=WELCOME.replace("Hello", "Hey"))
    shallow.tag("welcome", "2.0.0")
    shallow.push_all("origin")


@pytest.mark.parametrize("protocol", ["0", "1", "2"])
def test_every_protocol_version_works(
    remote: str, published: Clone, protocol: str, tmp_path: Path
) -> None:
    published.tag("welcome", "3.0.0")
    published.git("-c", f"protocol.version={protocol}", "push", "origin", "prompts/welcome/3.0.0")
    run("git", "-c", f"protocol.version={protocol}", "clone", "-q", remote, "c", cwd=tmp_path)


def test_large_compressed_and_expecting_pushes(
    server: Server, remote: str, published: Clone, space: str
) -> None:
    published.write("assets/large.bin", os.urandom(6 << 20))
    published.commit("Large")
    published.git("-c", "http.postBuffer=65536", "push", "origin", "main")  # chunked
    for number in range(300):
        published.git("tag", "-a", "-m", "x", f"prompts/welcome/7.0.{number}")
    published.push_all("origin")
    assert text(server, space, "version=7.0.299") == "Hello Ada!"
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        token = base64.b64encode(f"x:{server.key(workspace=space)}".encode()).decode()
        connection.sendall(
            f"POST /git/{space}.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
            "Content-Type: application/x-git-upload-pack-request\r\nExpect: 100-continue\r\n"
            "Content-Length: 4\r\n\r\n".encode()
        )
        connection.settimeout(1.0)
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"0000")
        assert b"HTTP/1.1 " in connection.recv(1000)


BROKEN = (
    "messages:\n  - role: user\n    content: Hello {{nmae}}\nvariables:\n  name: {type: string}\n"
)


def test_a_broken_prompt_is_refused_with_file_line_and_hint(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    published.commit("Broken", broken=BROKEN)
    published.tag("broken", "1.0.0")
    said = published.refusal("push", "origin", "prompts/broken/1.0.0")
    assert "remote: gitprompt: refs/tags/prompts/broken/1.0.0 is refused" in said
    assert "prompts/broken.yaml:3:20: 'nmae' is used but not declared" in said
    assert "did you mean 'name'?" in said
    assert "refs/heads/main is refused" in published.refusal("push", "origin", "main")
    published.git("push", "origin", "HEAD:refs/heads/draft")  # drafts are nobody's business
    assert text(server, space) == "Hello Ada!"


def test_a_version_is_never_moved_or_deleted(remote: str, published: Clone) -> None:
    assert "never deleted" in published.refusal(
        "push", "origin", ":refs/tags/prompts/welcome/1.0.0"
    )
    published.commit("x")
    published.git("tag", "-f", "-a", "-m", "x", "prompts/welcome/1.0.0")
    said = published.refusal("push", "--force", "origin", "prompts/welcome/1.0.0")
    assert "a version is never moved" in said
    assert "gitprompt publish welcome --bump auto --push" in said


def test_a_deleted_tag_cannot_come_back_as_something_else(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    bare = server.data / "repos" / f"{space}.git"
    run("git", "update-ref", "-d", "refs/tags/prompts/welcome/1.0.0", cwd=bare)
    published.commit("x", welcome=WELCOME.replace("Hello", "Evil"))
    published.git("tag", "-f", "-a", "-m", "x", "prompts/welcome/1.0.0")
    assert "never moved" in published.refusal("push", "origin", "prompts/welcome/1.0.0")


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ("refs/tags/prompts/missing/1.0.0", "has no prompts/missing.yaml"),
        ("refs/tags/prompts/Welcome/2.0.0", "has no prompts/Welcome.yaml"),
        ("refs/tags/prompts/welcome/latest", "not a semantic version"),
        ("refs/tags/prompts/welcome/1.0", "same precedence as 1.0.0"),
        ("refs/tags/prompts/a/2.0/1.0.0", "reads as a version"),
        ("refs/tags/prompts/versions/1.0.0", "reserved"),
        ("refs/tags/Prompts/welcome/2.0.0", "differs only in case"),
        ("refs/labels/nolabel", "there is no '@'"),
        ("refs/labels/welcome@latest", "reserved"),
        ("refs/labels/welcome@1.0.0", "reads as a version"),
    ],
)
def test_ref_name_traps_are_refused(remote: str, published: Clone, ref: str, reason: str) -> None:
    assert reason in published.refusal("push", "origin", f"HEAD:{ref}")


def test_two_versions_on_one_commit_are_fine(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    published.tag("welcome", "1.0.1")
    published.tag("welcome", "1.0.2")
    published.push_all("origin")
    assert text(server, space, "version=1.0.1") == text(server, space, "version=1.0.2")


def test_one_refused_ref_refuses_the_push(
    server: Server, remote: str, published: Clone, space: str
) -> None:
    published.tag("welcome", "1.1.0")
    published.git("tag", "-a", "-m", "x", "prompts/none/1.0.0")
    published.refusal("push", "origin", "--tags")
    listed = run("git", "ls-remote", remote, "refs/tags/*", cwd=published.path)
    assert "prompts/welcome/1.1.0" not in listed


# Labels by plain git


@pytest.fixture
def labelled(remote: str, published: Clone) -> Clone:
    published.commit("New", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    published.push_all("origin")
    published.gitprompt("label", "set", "welcome", "canary", "1.0.0", "--push")
    published.gitprompt("label", "set", "welcome", "canary", "1.1.0", "--push")
    return published


CANARY = "refs/labels/welcome@canary"


def test_a_label_cannot_be_forced_deleted_or_moved_back(labelled: Clone) -> None:
    assert "never deleted" in labelled.refusal("push", "origin", f":{CANARY}")
    old = labelled.git("rev-parse", f"{CANARY}^")
    assert "does not descend" in labelled.refusal("push", "--force", "origin", f"{old}:{CANARY}")
    assert "does not continue it" in labelled.refusal("push", "--force", "origin", f"HEAD:{CANARY}")
    tree = labelled.git("rev-parse", "HEAD^{tree}")
    assert "points at a commit" in labelled.refusal("push", "--force", "origin", f"{tree}:{CANARY}")


def forged(clone: Clone, version: str, tree: str, parent: str) -> str:
    message = f"x\n\nPrompt: welcome\nLabel: canary\nVersion: {version}\nPrevious: 1.1.0\n"
    return clone.git("commit-tree", tree, "-p", parent, "-m", message)


def test_a_move_must_match_a_published_version(labelled: Clone) -> None:
    tip = labelled.git("rev-parse", CANARY)
    tree = labelled.git("rev-parse", "HEAD^{tree}")
    wrong_tree = forged(labelled, "1.0.0", tree, tip)
    assert "does not have the document" in labelled.refusal(
        "push", "origin", f"{wrong_tree}:{CANARY}"
    )
    unpublished = forged(labelled, "9.9.9", tree, tip)
    assert "9.9.9 is not published" in labelled.refusal("push", "origin", f"{unpublished}:{CANARY}")
    not_empty = forged(labelled, "none", tree, tip)
    assert "empty tree" in labelled.refusal("push", "origin", f"{not_empty}:{CANARY}")


def test_a_bare_pointer_creates_and_moves_forward(
    server: Server, space: str, labelled: Clone
) -> None:
    labelled.git("push", "origin", "prompts/welcome/1.0.0^{}:refs/labels/welcome@staging")
    assert text(server, space, "label=staging") == "Hello Ada!"
    labelled.git("push", "origin", "prompts/welcome/1.1.0^{}:refs/labels/welcome@staging")
    assert text(server, space, "label=staging") == "Hi Ada!"
    back = labelled.refusal(
        "push", "--force", "origin", "prompts/welcome/1.0.0^{}:refs/labels/welcome@staging"
    )
    assert "a label never goes back" in back
    labelled.commit("Untagged")
    said = labelled.refusal("push", "origin", "HEAD:refs/labels/welcome@other")
    assert "no version of welcome is published at commit" in said
    assert "differs only in case" in labelled.refusal(
        "push", "origin", "prompts/welcome/1.1.0^{}:refs/labels/welcome@Staging"
    )


def test_a_version_and_its_label_in_one_push(server: Server, space: str, labelled: Clone) -> None:
    labelled.commit("Both", welcome=WELCOME.replace("Hello", "Both"))
    labelled.tag("welcome", "1.2.0")
    labelled.gitprompt("label", "set", "welcome", "canary", "1.2.0")
    labelled.git("push", "--atomic", "origin", "prompts/welcome/1.2.0", CANARY)
    assert text(server, space, "label=canary") == "Both Ada!"


PROTECTED = "labels: {protected: {production: admin}}\n"
PRODUCTION = "refs/labels/welcome@production"


def test_protected_labels_need_admin_and_no_push_can_drop_that(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    published.write("gitprompt.yaml", PROTECTED)
    published.commit("Protect production")
    published.push_all("origin")
    writer = server.remote("read,write", space)
    pointer = f"prompts/welcome/1.0.0^{{}}:{PRODUCTION}"
    assert "needs a key with the scope admin" in published.refusal("push", writer, pointer)
    published.write("gitprompt.yaml", "labels: {}\n")
    published.commit("Drop the protection")
    both = published.refusal("push", writer, "main", pointer)
    assert "this changes the policy" in both
    assert "needs a key with the scope admin" in both
    published.git("push", "origin", pointer)
    assert text(server, space, "label=production") == "Hello Ada!"
    published.git("push", "origin", "main")
    published.commit("x", welcome=WELCOME.replace("Hello", "Hi"))
    published.tag("welcome", "1.1.0")
    published.git(
        "push", writer, "main", "prompts/welcome/1.1.0", f"prompts/welcome/1.1.0^{{}}:{PRODUCTION}"
    )


def test_a_second_branch_does_not_take_the_policy_away(
    server: Server, space: str, published: Clone
) -> None:
    published.write("gitprompt.yaml", PROTECTED)
    published.commit("Protect production")
    published.git("branch", "-m", "trunk")
    published.git("push", server.remote(workspace=space), "trunk", "prompts/welcome/1.0.0")
    writer = server.remote("read,write", space)
    published.git("push", writer, "trunk:refs/heads/other")
    said = published.refusal("push", writer, f"prompts/welcome/1.0.0^{{}}:{PRODUCTION}")
    assert "needs a key with the scope admin" in said
    assert "never deleted" in published.refusal("push", writer, ":refs/heads/trunk")


# Races, keys, broken connections


def test_of_two_clones_that_publish_one_version_exactly_one_wins(
    server: Server, space: str, remote: str, tmp_path: Path
) -> None:
    clones = []
    for number in range(2):
        run("git", "clone", "-q", remote, f"racer{number}", cwd=tmp_path)
        clone = Clone(tmp_path / f"racer{number}")
        clone.commit("x", welcome=WELCOME.replace("Hello", f"Racer {number}"))
        clone.tag("welcome", "1.1.0")
        clones.append(clone)
    said: dict[int, str] = {}

    def race(number: int) -> None:
        try:
            clones[number].git("push", "origin", "prompts/welcome/1.1.0")
        except Refused as refused:
            said[number] = refused.said

    threads = [threading.Thread(target=race, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 1, said
    (loser,) = said
    assert text(server, space, "version=1.1.0") == f"Racer {1 - loser} Ada!"


def test_of_two_clones_that_move_one_label_exactly_one_wins(
    server: Server, space: str, labelled: Clone, remote: str, tmp_path: Path
) -> None:
    clones = []
    for number in range(2):
        run("git", "clone", "-q", remote, f"mover{number}", cwd=tmp_path)
        clone = Clone(tmp_path / f"mover{number}")
        clone.gitprompt("hooks", "install")
        clone.git("fetch", "-q")
        clone.gitprompt("label", "set", "welcome", "canary", "1.0.0", "-m", f"by {number}")
        clones.append(clone)
    clones[0].git("push", "origin", CANARY)
    assert "rejected" in clones[1].refusal("push", "--no-verify", "origin", CANARY)
    with pytest.raises(Refused, match="histories have parted"):
        clones[1].gitprompt("label", "set", "welcome", "canary", "1.1.0", "--push")
    clones[1].git("update-ref", "-d", CANARY)
    clones[1].gitprompt("label", "set", "welcome", "canary", "1.1.0", "--push")
    assert text(server, space, "label=canary") == "Hi Ada!"


@pytest.mark.parametrize(
    ("scopes", "workspace", "pushes", "fetches"),
    [
        ("read", "same", False, True),
        ("write", "same", True, False),
        ("read,write,admin", "other", False, False),
    ],
)
def test_fetching_needs_read_and_pushing_write_in_this_workspace(
    server: Server, space: str, remote: str, published: Clone, tmp_path: Path,
    scopes: str, workspace: str, pushes: bool, fetches: bool,
) -> None:  # fmt: skip
    key = server.key(scopes, space if workspace == "same" else workspace)
    url = f"http://x:{key}@{server.url.removeprefix('http://')}/git/{space}.git"
    published.commit("x")
    outcomes = []
    for command in (["push", url, "main"], ["ls-remote", url]):
        try:
            published.git(*command)
            outcomes.append(True)
        except Refused as refused:
            assert key not in refused.said
            outcomes.append(False)
    assert outcomes == [pushes, fetches]


def test_a_wrong_key_and_an_unknown_workspace(server: Server, published: Clone) -> None:
    host = server.url.removeprefix("http://")
    assert "Authentication failed" in published.refusal(
        "push", f"http://x:pm_no@{host}/git/default.git", "main"
    )
    reader = f"http://x:{server.key('read', '*')}@{host}/git/nowhere.git"
    assert "not found" in published.refusal("ls-remote", reader)
    nowhere = f"http://x:{server.key('read,write', '*')}@{host}/git/nowhere.git"
    assert published.git("ls-remote", nowhere) == ""  # as it will be when it is made
    published.git("push", nowhere, "main")  # the first write makes it
    assert "refs/heads/main" in published.git("ls-remote", nowhere)


def test_a_push_cut_off_in_the_middle_leaves_nothing(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    token = base64.b64encode(f"x:{server.key(workspace=space)}".encode()).decode()
    before = published.git("ls-remote", remote)
    oid = published.git("rev-parse", "HEAD")
    line = f"{'0' * 40} {oid} refs/tags/prompts/welcome/5.0.0\0 report-status\n"
    body = f"{len(line) + 4:04x}{line}0000PACK\0\0\0\2".encode()
    for promised in (len(body) + 1000, len(body)):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(
                f"POST /git/{space}.git/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {token}\r\n"
                f"Content-Type: application/x-git-receive-pack-request\r\nContent-Length: {promised}\r\n\r\n".encode()
                + body
            )
            if promised == len(body):
                connection.settimeout(10)
                assert connection.recv(4096), "git answers, and says that the pack is cut off"
    assert published.git("ls-remote", remote) == before
    assert text(server, space) == "Hello Ada!"


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status"),
    [
        ("GET", "info/refs", {}, None, 403),
        ("GET", "info/refs?service=git-shell", {}, None, 403),
        ("GET", "HEAD", {}, None, 404),
        ("GET", "objects/info/packs", {}, None, 404),
        ("POST", "git-receive-pack", {}, b"0000", 415),
        ("GET", "git-receive-pack", {}, None, 405),
        (
            "POST",
            "git-receive-pack",
            {"Content-Type": "application/x-git-receive-pack-request"},
            b"zzzz",
            400,
        ),
        (
            "POST",
            "git-receive-pack",
            {"Content-Type": "application/x-git-receive-pack-request", "Content-Encoding": "gzip"},
            b"not gzip",
            400,
        ),
        (
            "POST",
            "git-receive-pack",
            {"Content-Type": "application/x-git-receive-pack-request", "Content-Encoding": "br"},
            b"x",
            415,
        ),
    ],
)
def test_requests_that_no_git_sends(
    server: Server,
    space: str,
    remote: str,
    method: str,
    path: str,
    headers: dict[str, str],
    content: bytes | None,
    status: int,
) -> None:
    response = server.request(
        f"/git/{space}.git/{path}",
        method=method,
        headers=headers,
        content=content,
        key=server.key(workspace=space),
    )
    assert response.status_code == status, response.text
    assert response.json()["code"]


def test_pushes_that_come_by_path_are_judged_and_served_too(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    bare = str(server.data / "repos" / f"{space}.git")
    published.commit("Broken", broken=BROKEN)
    said = published.refusal("push", bare, "main")
    assert "prompts/broken.yaml:3:20" in said
    published.git("reset", "-q", "--hard", "HEAD~1")
    published.commit("Fine", welcome=WELCOME.replace("Hello", "Path"))
    published.tag("welcome", "1.5.0")
    published.git("push", bare, "main", "prompts/welcome/1.5.0")
    assert text(server, space) == "Path Ada!"


def test_many_pushes_at_once_all_arrive(
    server: Server, space: str, remote: str, tmp_path: Path
) -> None:
    processes = []
    for number in range(6):
        run("git", "clone", "-q", remote, f"p{number}", cwd=tmp_path)
        clone = Clone(tmp_path / f"p{number}")
        clone.commit("x", **{f"team{number}": WELCOME})
        clone.tag(f"team{number}", "1.0.0")
        processes.append(
            subprocess.Popen(
                [
                    "git",
                    "-C",
                    str(clone.path),
                    "push",
                    "-q",
                    "origin",
                    f"prompts/team{number}/1.0.0",
                ]
            )
        )
    assert [process.wait() for process in processes] == [0] * 6
    headers = {"X-Workspace-Id": space}
    found = server.request("/v1/prompts/count", key=server.key(workspace=space), headers=headers)
    assert found.json() == {"count": 7}


def test_no_object_is_replaced(server: Server, space: str, remote: str, published: Clone) -> None:
    """refs/replace/… puts other bytes under the name of an object: of a policy, of a document."""
    document = published.git("rev-parse", "HEAD:prompts/welcome.yaml")
    evil = published.git("hash-object", "-w", "--stdin", stdin=WELCOME.replace("Hello", "Evil"))
    said = published.refusal("push", "origin", f"{evil}:refs/replace/{document}")
    assert "in place of a published object" in said
    bare = server.data / "repos" / f"{space}.git"
    run("git", "hash-object", "-w", "--stdin", cwd=bare, stdin=WELCOME.replace("Hello", "Evil"))
    run("git", "replace", document, evil, cwd=bare)  # an administrator's mistake
    published.tag("welcome", "1.0.5")
    published.git("push", "origin", "prompts/welcome/1.0.5")
    assert text(server, space) == "Hello Ada!"


def test_a_parent_that_git_does_not_see_is_no_parent(labelled: Clone) -> None:
    tip = labelled.git("rev-parse", CANARY)
    tree = labelled.git("rev-parse", f"{CANARY}^{{tree}}")
    raw = (
        f"tree {tree}\nauthor A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n"
        f"parent {tip}\n\nx\n\nPrompt: welcome\nLabel: canary\nVersion: 1.1.0\nPrevious: 1.1.0\n"
    )
    forged_root = labelled.git(
        "hash-object", "-w", "-t", "commit", "--literally", "--stdin", stdin=raw
    )
    said = labelled.refusal("push", "--force", "origin", f"{forged_root}:{CANARY}")
    assert "does not descend" in said or "fsck" in said or "unpack" in said


def test_a_move_says_where_it_comes_from(labelled: Clone) -> None:
    tip = labelled.git("rev-parse", CANARY)
    tree = labelled.git("rev-parse", f"{CANARY}^{{tree}}")
    message = "x\n\nPrompt: welcome\nLabel: canary\nVersion: 1.1.0\nPrevious: 1.0.0\n"
    lying = labelled.git("commit-tree", tree, "-p", tip, "-m", message)
    said = labelled.refusal("push", "origin", f"{lying}:{CANARY}")
    assert "comes from 1.0.0, not 1.1.0" in said


def test_bytes_after_the_end_of_a_compressed_body_are_refused(
    server: Server, space: str, remote: str
) -> None:
    response = server.request(
        f"/git/{space}.git/git-upload-pack",
        method="POST",
        headers={
            "Content-Type": "application/x-git-upload-pack-request",
            "Content-Encoding": "gzip",
        },
        content=gzip.compress(b"0000") + b"x" * 1000,
        key=server.key(workspace=space),
    )
    assert response.status_code == 400


def test_hundreds_of_labels_go_in_with_one_push(
    server: Server, space: str, remote: str, published: Clone
) -> None:
    commit = published.git("rev-parse", "prompts/welcome/1.0.0^{}")
    lines = "".join(f"create refs/labels/welcome@l{n} {commit}\n" for n in range(300))
    published.git("update-ref", "--stdin", stdin=lines)
    published.git("push", "-q", "origin", "refs/labels/*:refs/labels/*")
    assert text(server, space, "label=l299") == text(server, space, "version=1.0.0")


def test_a_rejected_label_is_mended_by_a_new_move(
    server: Server, space: str, labelled: Clone
) -> None:
    bare = server.data / "repos" / f"{space}.git"
    tree = labelled.git("rev-parse", "HEAD^{tree}")
    bad = forged(labelled, "1.0.0", tree, labelled.git("rev-parse", CANARY))
    labelled.git("push", "-q", str(bare), f"{bad}:refs/heads/smuggled")
    run("git", "update-ref", CANARY, bad, cwd=bare)
    labelled.gitprompt("label", "set", "welcome", "canary", "1.1.0", "--push")
    assert text(server, space, "label=canary") == "Hi Ada!"


def test_a_history_with_an_old_programs_mistakes_is_taken(
    server: Server, space: str, clone: Clone
) -> None:
    clone.write("prompts/welcome.yaml", WELCOME)
    clone.git("add", "-A")
    person = "A <a@x> 1313584730 +051800"  # a time zone of five digits, as programs of 2011 wrote
    text = f"tree {clone.git('write-tree')}\nauthor {person}\ncommitter {person}\n\nold\n"
    oid = clone.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text)
    clone.git("push", "-q", server.remote(workspace=space), f"{oid}:refs/heads/main")


def test_the_default_branch_is_renamed_in_one_push_by_an_admin(
    published: Clone, tmp_path: Path
) -> None:
    server = Server(tmp_path / "data").start()
    try:
        published.git("remote", "add", "origin", server.remote())
        published.push_all("origin", "main:feature")
        assert "git push origin NEW :main" in published.refusal("push", "origin", ":main")
        published.git("branch", "-m", "main", "trunk")
        said = published.refusal("push", server.remote("read,write"), "trunk", ":main")
        assert "renamed only with the scope admin" in said
        published.git("push", "-q", "origin", "trunk", ":main")
        repository = Clone(tmp_path / "data" / "repos" / "default.git")
        assert repository.git("symbolic-ref", "HEAD") == "refs/heads/trunk"
        published.git("checkout", "-q", "trunk")
        published.write("evals/q.yaml", "description: x\nprompt_name: welcome\n")
        published.commit("Suite")
        published.git("push", "-q", "origin", "trunk")
        assert [item["name"] for item in server.get("/v1/evaluations")["items"]] == ["q"]
        # past the server, with a push to its folder
        published.git("branch", "-m", "trunk", "main")
        published.git("push", "-q", str(repository.path), "main", ":trunk")
        assert repository.git("symbolic-ref", "HEAD") == "refs/heads/main"
    finally:
        server.stop()


def test_a_branch_in_latin_1_is_judged_written_down_and_told(
    server: Server, space: str, tmp_path: Path
) -> None:
    remote = server.remote(workspace=space)
    clone = Clone.init(tmp_path / "latin")
    clone.commit("First", welcome=WELCOME)
    branch = os.fsdecode(b"br\xe9sil")
    clone.git("branch", "-m", branch)
    clone.git("push", remote, branch)
    clone.commit("Broken", welcome="messages: 1\n")
    assert "messages: expected array" in clone.refusal("push", remote, branch)
    rows = server.request(
        "/v1/audit-logs", headers={"X-Workspace-Id": space}, key=server.key("admin", "*")
    )
    (pushed,) = [row for row in rows.json()["items"] if row["action"] == "push"]
    assert (pushed["target_id"], pushed["outcome"]) == (r"refs/heads/br\xe9sil", "done")
