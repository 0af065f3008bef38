"""The repository as a whole: source roots and migrations."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_platform_is_a_source_root_and_never_a_package():
    assert not (ROOT / "platform" / "__init__.py").exists()
    found = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.system())"], cwd=ROOT, capture_output=True, text=True
    )
    assert found.stdout.strip() in {"Linux", "Darwin", "Windows"}, found.stderr


def test_a_new_author_gets_a_handle_of_their_own(make_author):
    assert make_author(email="jo.march@example.org").handle == "jo-march"
    assert make_author(email="jo.march@example.com").handle == "jo-march-2"
