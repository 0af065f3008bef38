"""Which addresses the site gets on one machine."""

import socket

import pytest

from config import stack


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_port_alone_decides_what_people_type(free):
    where = stack.addresses({"PORT": str(free)})
    assert (where.host, where.port, where.site_url) == ("127.0.0.1", free, f"http://localhost:{free}")


def test_a_local_site_url_decides_the_port(free):
    where = stack.addresses({"IDIOLECT_SITE_URL": f"http://localhost:{free}/"})
    assert (where.port, where.site_url) == (free, f"http://localhost:{free}")


def test_behind_a_proxy_the_site_url_is_the_proxys(free):
    where = stack.addresses({"PORT": str(free), "IDIOLECT_SITE_URL": "https://voices.example"})
    assert (where.port, where.site_url) == (free, "https://voices.example")


def test_a_taken_port_is_refused_with_the_way_out(taken):
    with pytest.raises(ValueError, match=rf"Port {taken} is in use.*PORT={taken + 1} make up"):
        stack.addresses({"PORT": str(taken)})


def test_a_port_that_was_asked_for_is_never_replaced_by_another(taken):
    with pytest.raises(ValueError, match=f"Port {taken} is in use"):
        stack.addresses({"PORT": str(taken)}, any_port=True)


def test_the_demo_takes_the_next_free_port(monkeypatch, taken):
    monkeypatch.setattr(stack, "DEFAULT_PORT", taken)
    assert stack.addresses({}, any_port=True).port > taken


@pytest.mark.parametrize("text", ["web", "0", "65536", "-1", "80.0"])
def test_a_port_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="PORT must be a port number"):
        stack.addresses({"PORT": text})


def test_an_inference_server_elsewhere_is_used_and_none_is_started(free):
    where = stack.addresses({"PORT": str(free), "IDIOLECT_INFERENCE_URL": "http://gpu.example:8000/"})
    assert (where.inference_url, where.own_inference) == ("http://gpu.example:8000", False)
    assert "inference" not in [command.name for command in stack.site(where)]


def test_an_inference_server_that_listens_here_already_is_used(free, taken):
    where = stack.addresses({"PORT": str(free), "IDIOLECT_INFERENCE_URL": f"http://127.0.0.1:{taken}"})
    assert not where.own_inference


def test_without_a_word_an_inference_worker_is_started_on_a_free_port(monkeypatch, free, taken):
    monkeypatch.setattr(stack, "DEFAULT_INFERENCE_PORT", taken)
    where = stack.addresses({"PORT": str(free)})
    assert where.own_inference
    assert where.inference_url != f"http://127.0.0.1:{taken}"
    assert "inference" in [command.name for command in stack.site(where)]
