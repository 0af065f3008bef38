"""A job on its way to the trainer's process."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.training.spec import Spec
from tests.adapters.training.conftest import make_posts


@pytest.fixture
def spec(recipe):
    posts = make_posts(2)
    return Spec(
        posts=(posts[0], replace(posts[1], date=None, voice=7, flags=("spam",), cleaning="markdown")),
        recipe=recipe,
        voice="Ada",
        out=Path("/somewhere"),
        manifest={"cleaning": 3},
        sample_briefs=("Frost",),
        checkpoint=Path("/elsewhere"),
        texts=4,
        other_voice=Path("/another"),
    )


def test_it_survives_the_wire(spec):
    assert Spec.from_dict(json.loads(json.dumps(spec.as_dict()))) == spec


@pytest.mark.parametrize("field", ["posts", "recipe", "voice", "out"])
def test_a_missing_field_is_named(spec, field):
    values = spec.as_dict()
    del values[field]

    with pytest.raises(ValueError, match=field):
        Spec.from_dict(values)


def test_a_wrong_date_is_shown(spec):
    values = spec.as_dict()
    values["posts"][0]["date"] = "yesterday"

    with pytest.raises(ValueError, match="yesterday"):
        Spec.from_dict(values)
