"""Versions are made live and found by name."""

from __future__ import annotations

import pytest

from adapters.models import Version
from adapters.services import UserError, create_voice, make_live, resolve
from adapters.services.versions import percent
from tests.inference.conftest import make_version

__all__ = ["make_version"]


def statuses() -> dict[int, str]:
    return dict(Version.objects.values_list("number", "status"))


class TestMakingLive:
    def test_an_earlier_version_writes_again(self, make_version):
        first = make_version(1, status="retired")
        make_version(2)
        make_live(version=first)
        assert statuses() == {1: "live", 2: "retired"}

    def test_the_live_version_again_changes_nothing(self, make_version):
        make_live(version=make_version(1))
        assert statuses() == {1: "live"}

    def test_a_version_that_did_not_beat_the_base_model_is_refused(self, make_version):
        make_version(1)
        with pytest.raises(UserError, match="Version 2 did not beat"):
            make_live(version=make_version(2, status="rejected"))
        assert statuses() == {1: "live", 2: "rejected"}


class TestResolvingANameOfTheAPI:
    def test_the_voice_alone_is_its_live_version(self, make_version, author):
        make_version(1, status="retired")
        live = make_version(2)
        found = resolve(user=author, name="ada/essays")
        assert (found.version, found.voice) == (live, live.voice)

    def test_a_number_is_that_version_if_it_ever_went_live(self, make_version, author):
        first = make_version(1, status="retired")
        make_version(2)
        assert resolve(user=author, name="ada/essays@1").version == first

    @pytest.mark.parametrize(
        "name",
        [
            "ada/essays@3",
            "ada/essays@4",
            "ada/essays@0",
            "ada/essays@01",
            "ada/essays@",
            "ada/essays@1 ",
            "ada/essays\n",
            "ada/none",
            "essays",
            "/essays",
            "bob/essays",
            "ada/../essays",
            "ada/essays@" + "9" * 30,
            "",
        ],
    )
    def test_everything_else_is_not_found(self, make_version, author, name):
        make_version(1)
        make_version(3, status="rejected")
        with pytest.raises(LookupError):
            resolve(user=author, name=name)

    def test_a_voice_without_a_live_version_is_not_found(self, author, voice):
        with pytest.raises(LookupError):
            resolve(user=author, name="ada/essays")

    def test_other_peoples_voices_are_not_found_even_by_their_full_name(self, make_version, make_author):
        make_version(1)
        stranger = make_author(email="bob@example.org")
        create_voice(owner=stranger, name="Essays")
        with pytest.raises(LookupError):
            resolve(user=stranger, name="ada/essays")


@pytest.mark.parametrize(
    ("share", "words"), [(0.1234, "12 %"), (0.0951, "9.5 %"), (0.0999, "10 %"), (0.03, "3.0 %"), (0.0001, "a trace")]
)
def test_gains_are_told_in_percent(share, words):
    assert percent(share) == words
