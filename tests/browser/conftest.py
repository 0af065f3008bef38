"""A running site and a real browser in front of it. Knows `manage.py up` and Chromium's flags.
Knows nothing of single pages."""

from __future__ import annotations

import email
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from adapters.base_model import BaseModel

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", ROOT / "var" / "screenshots"))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


@dataclass(frozen=True, kw_only=True)
class Site:
    """The whole site, every process of it, as `make up` runs it."""

    url: str
    mails: Path
    log: Path

    def link_mailed_to(self, address: str, containing: str) -> str:
        """The newest link with `containing` in a mail to `address`; waits for the mail."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for file in sorted(self.mails.glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True):
                for part in reversed(file.read_bytes().split(b"-" * 79)):
                    message = email.message_from_bytes(part.strip(), policy=policy.default)
                    links = re.findall(r"https?://\S+", message.get_content()) if message["To"] == address else []
                    if found := [link for link in links if containing in link]:
                        return str(found[0])
            time.sleep(0.2)
        raise AssertionError(f"no mail to {address} with a link containing {containing!r}")


@dataclass(kw_only=True)
class Visitor:
    """One person at one kind of screen; every page they look at is checked for the same few things."""

    page: Page
    device: str
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """A violated content security policy, a script error and a missing file all become complaints."""
        self.page.set_default_timeout(15_000)
        self.page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def look(self, name: str, *, whole: bool = True, accessible: bool = False) -> None:
        """Keep a picture of the page and see that nothing sticks out of it sideways; `accessible` asks axe as well."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}-{self.device}.png", full_page=whole)
        too_wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{name} on a {self.device} is {too_wide} px too wide"
        assert not self.complaints, f"{name}: the browser complains: {self.complaints}"
        if accessible:
            self._ask_axe(name)

    def _ask_axe(self, name: str) -> None:
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
        told = [f"{each['id']}: {each['help']}, {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
        assert not told, f"{name} on a {self.device}: {told}"


# One site for all browser tests, and both it and the browser gone before the next test: Playwright's event loop would
# be in the way of tests that run their own.
@pytest.fixture(scope="module")
def site(base_model: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # A site of its own from top to bottom: the workers of this one must not take the other tests' tasks.
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    environment.update(
        IDIOLECT_VAR=str(folder / "var"),
        IDIOLECT_MODELS=str(base_model.folder.parent),
        PORT=str(port),
        EMAIL_URL=f"filemail:///{folder / 'mail'}",
        PYTHONUNBUFFERED="1",
    )
    log = folder / "up.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    url = f"http://localhost:{port}"
    try:
        _wait_until_loaded(process, log)
        assert httpx.get(f"{url}/healthz").status_code == 200
        yield Site(url=url, mails=folder / "mail", log=log)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()[-4000:]


def _wait_until_loaded(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 180
    while "is loaded" not in log.read_text():
        assert process.poll() is None, f"the site did not start:\n{log.read_text()[-4000:]}"
        assert time.monotonic() < deadline, f"the site takes too long to start:\n{log.read_text()[-4000:]}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("NO BROWSER: install Debian's chromium to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitors(chromium: Browser, site: Site) -> Iterator[list[Visitor]]:
    """One at each size of screen."""
    contexts = [
        chromium.new_context(
            base_url=site.url,
            viewport={"width": width, "height": height},
            has_touch=device == "phone",
            is_mobile=device == "phone",
            device_scale_factor=2 if device == "phone" else 1,
            reduced_motion="reduce",
        )
        for device, (width, height) in SIZES.items()
    ]
    seen = [Visitor(page=context.new_page(), device=device) for context, device in zip(contexts, SIZES, strict=True)]
    for visitor in seen:
        visitor.watch()
    yield seen
    for context in contexts:
        context.close()
