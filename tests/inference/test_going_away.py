"""Readers and programs that go away, over real connections: nobody writes on for them."""

from __future__ import annotations

import time

import httpx
import pytest
from django.test import Client
from django.urls import reverse

from accounts import services as accounts
from inference import services
from inference.gateway import CHAT
from inference.models import Generation

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def slow_engine(site_engine):
    site_engine.text = "word " * 2000
    site_engine.pause = 0.05
    return site_engine


@pytest.fixture
def program(live_site, author):
    """An API consumer's client."""
    _, key = accounts.create_api_key(owner=author, name="test")
    with httpx.Client(base_url=live_site, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client:
        yield client


@pytest.fixture
def text(voice) -> Generation:
    return services.start_draft(voice=voice, owner=voice.owner, brief="The first frost").generations.get()


@pytest.fixture
def browser(live_site, author):
    django = Client()
    django.force_login(author)
    cookies = {name: morsel.value for name, morsel in django.cookies.items()}
    accept = {"Accept": "text/event-stream"}
    with httpx.Client(base_url=live_site, cookies=cookies, headers=accept, trust_env=False) as client:
        yield client


def stream_of(text: Generation) -> str:
    return reverse("drafts:generation-stream", args=[text.draft_id, text.pk])


def wait_for(text: Generation, **fields: object) -> Generation:
    deadline = time.monotonic() + 10
    while not (found := Generation.objects.filter(pk=text.pk, **fields).first()):
        assert time.monotonic() < deadline, f"never came to {fields}"
        time.sleep(0.05)
    return found


def test_a_program_that_leaves_its_stream_cancels_it(program, slow_engine, settings):
    ask = {"model": settings.BASE_MODEL, "messages": HELLO, "stream": True}
    with program.stream("POST", "/v1/chat/completions", json=ask) as response:
        next(response.iter_lines())

    assert slow_engine.gone.wait(5)


def test_a_program_that_does_not_wait_for_its_answer_cancels_it(program, slow_engine, settings):
    with pytest.raises(httpx.ReadTimeout):
        program.post("/v1/chat/completions", json={"model": settings.BASE_MODEL, "messages": HELLO}, timeout=1)

    assert slow_engine.bodies(CHAT)
    assert slow_engine.gone.wait(5)


def test_a_reader_who_leaves_the_page_cancels_the_text_and_keeps_the_words(browser, slow_engine, text):
    with browser.stream("GET", stream_of(text)) as response:
        lines = response.iter_lines()
        for _ in range(6):
            next(lines)

    assert slow_engine.gone.wait(5)
    stored = wait_for(text, state="finished")
    assert stored.outcome == "stopped"
    assert stored.text.startswith("word word")


def test_stop_pressed_in_the_page_ends_the_stream(browser, slow_engine, text):
    with browser.stream("GET", stream_of(text), timeout=10) as response:
        lines = response.iter_lines()
        next(lines)
        pressed = time.monotonic()
        services.stop_generation(generation=text)
        rest = list(lines)

    assert time.monotonic() - pressed < 1.5
    assert "event: end" in rest
    assert slow_engine.gone.wait(5)


def test_without_scripts_the_text_can_be_read_as_it_is_written(browser, site_engine, text):
    response = browser.get(stream_of(text), headers={"Accept": "text/html,*/*"})

    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.text == "Rain fell on the tin roof."
    assert wait_for(text, state="finished").text == response.text


def test_streams_do_not_keep_database_connections(browser, slow_engine, text):
    from django.db import connection

    def others() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return cursor.fetchone()[0]

    with browser.stream("GET", stream_of(text)) as response:
        next(response.iter_lines())
        seen = []
        for _ in range(8):
            time.sleep(0.1)
            seen.append(others())

    assert min(seen) == 0, "the stream never gave its connection back"
