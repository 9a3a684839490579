# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures of the README in a real browser, of the demo as `gitprompt demo` leaves it.

python docs/screenshots.py [FOLDER]: needs Debian's chromium.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

HERE = os.path.dirname(os.path.abspath(__file__))
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# Name → the page, and how tall the picture is.
PICTURES = {
    "prompt.png": ("prompts/welcome", 820),
    "label.png": ("prompts/welcome/labels/production?to=1.0.0", 820),
}


@contextmanager
def demo() -> Iterator[str]:
    """The link that signs in to a running demo."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "gitprompt",
            "demo",
            "--dir",
            os.path.join(folder, "d"),
            "--port",
            "0",
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                link = re.search(r"http://\S+/ui/login\?ticket=\S+", line)
                if link:
                    yield link[0]
                    break
            else:
                raise SystemExit(f"the demo did not come up:\n{''.join(said)}")
        finally:
            process.terminate()
            process.communicate()


def take(page: Page, link: str, folder: str) -> None:
    page.goto(link)
    page.click("button.go")
    page.wait_for_url("**/prompts")
    home = page.url.removesuffix("/prompts")
    for name, (path, height) in PICTURES.items():
        page.set_viewport_size({"width": 1200, "height": height})
        page.goto(f"{home}/{path}")
        page.screenshot(path=os.path.join(folder, name))


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "pictures")
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no chromium here: apt-get install chromium")
    os.makedirs(folder, exist_ok=True)
    with demo() as link, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        take(browser.new_page(), link, folder)
        browser.close()


if __name__ == "__main__":
    main()
