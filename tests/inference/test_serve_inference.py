"""`manage.py serve_inference` gives the worker what the site's settings say."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.core.management import call_command

from inference.worker import Options, read_options


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The worker's options, as its own command line reads them."""
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda program, command, environment: seen.append(command))
    monkeypatch.setattr(os, "chdir", lambda folder: None)

    def run(*arguments: str) -> Options:
        call_command("serve_inference", *arguments)
        return read_options(seen.pop()[3:])

    return run


def test_without_a_word_the_workers_own_limits_hold(served, settings):
    settings.INFERENCE_URL = "http://127.0.0.1:8123"
    options = served()

    assert (options.host, options.port, options.base_model) == ("127.0.0.1", 8123, settings.BASE_MODEL)
    assert (options.limits, options.metrics_prefix) == ({}, "idiolect_")


def test_memory_and_names_of_metrics_are_the_operators_choice(served, settings):
    settings.INFERENCE_MEMORY, settings.INFERENCE_HOST_MEMORY, settings.METRICS_PREFIX = "8GiB", "2GiB", "vllm:"
    options = served()

    assert options.limits == {"memory_bytes": 8 << 30, "host_bytes": 2 << 30}
    assert options.metrics_prefix == "vllm:"


def test_arguments_of_the_command_win(served, settings):
    settings.INFERENCE_MEMORY = "8GiB"
    options = served("--", "--memory-bytes", "1GiB", "--max-running", "4", "--drain-seconds", "8")

    assert options.limits == {"memory_bytes": 1 << 30, "max_running": 4}
    assert options.drain_seconds == 8


def test_a_dtype_that_there_is_not_is_refused_by_those_that_there_are(served, settings, capsys):
    settings.DTYPE = "int9"
    with pytest.raises(SystemExit):
        served()
    said = capsys.readouterr().err
    assert "int9" in said
    assert "bfloat16" in said
    settings.DTYPE = "int8"
    assert served().dtype == "int8"
