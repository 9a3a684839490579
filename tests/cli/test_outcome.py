# SPDX-License-Identifier: Apache-2.0
"""How a command ends, and that none fails at writing."""

from __future__ import annotations

import io
import sys

import pytest

from gitprompt.cli import outcome
from gitprompt.errors import Conflict, UsageError
from tests.world import Clone, Refused, run


def raising(error: BaseException) -> int:
    def command() -> int:
        raise error

    return outcome.guarded(command)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Conflict("taken", hint="choose"), 1),
        (UsageError("how"), 2),
        (FileNotFoundError(2, "No such file", "there.yaml"), 1),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 3),
    ],
)
def test_every_end_has_its_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:  # fmt: skip
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert raising(error) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said
    if code == 1:
        assert said.startswith("error: ")
    if code == 3:
        assert "internal error: please report it with" in said


def test_what_an_encoding_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))

    def command() -> int:
        print("✓ none → 1.0.0 … Grüße \udcff")
        return 0

    assert outcome.guarded(command) == 0
    assert raw.getvalue() == b"* none -> 1.0.0 ... Gr??e ?\n"


def test_what_only_the_server_needs_is_told_how_to_install(clone: Clone) -> None:
    code = (
        "import sys; sys.modules['starlette'] = None; sys.argv = ['gitprompt', 'serve'];"
        "from gitprompt.__main__ import main; sys.exit(main())"
    )
    with pytest.raises(Refused) as refused:
        run(sys.executable, "-c", code, cwd=clone.path)
    assert refused.value.code == 1
    assert "this command needs the server, which is not installed" in refused.value.said
    assert "pip install 'gitprompt-registry[server]'" in refused.value.said
