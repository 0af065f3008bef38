"""Staff change how a voice is trained, field by field."""

from __future__ import annotations

from dataclasses import fields

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from adapters.models import TrainingJob
from adapters.recipe_form import RecipeForm
from adapters.services import expected_recipe, submit_training
from adapters.training.recipe import Recipe, in_words

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folders", "rung")]


@pytest.fixture
def staff(client, make_author):
    client.force_login(make_author(email="root@example.org", is_staff=True, is_superuser=True))
    return client


def typed(**changes) -> dict[str, str]:
    """A recipe as a browser sends it."""
    form = RecipeForm(initial=Recipe().as_dict())
    values = {name: form[name].field.prepare_value(form[name].value()) for name in form.fields}
    return {name: "" if value is None else str(value) for name, value in (values | changes).items()}


def test_every_field_of_a_recipe_can_be_typed_in_and_explains_itself():
    form = RecipeForm(typed())
    assert form.is_valid(), form.errors
    assert form.recipe == Recipe()
    for field in fields(Recipe):
        assert form.fields[field.name].help_text.endswith("."), field.name


@pytest.mark.parametrize(
    ("name", "value", "said"), [("rank", "900", "not between 1 and 64"), ("rank", "a few", "whole number")]
)
def test_a_value_that_will_not_do_is_told_at_its_field(name, value, said):
    form = RecipeForm(typed(**{name: value}))
    assert not form.is_valid()
    assert list(form.errors) == [name]
    assert said in str(form.errors[name])


def test_what_staff_save_is_what_the_next_training_does_and_its_author_reads(staff, author, ready_voice):
    page = reverse("admin:adapters_voice_recipe", args=[ready_voice.pk])
    assert "Rank of the LoRA matrices" in staff.get(page).text
    staff.post(page, typed(rank=4, epochs=1))
    ready_voice.refresh_from_db()
    recipe = Recipe(rank=4, epochs=1)
    assert expected_recipe(tokens=9000, voice=ready_voice) == recipe
    assert in_words(recipe) in staff.get(reverse("admin:adapters_voice_change", args=[ready_voice.pk])).text
    staff.force_login(author)
    assert in_words(recipe) in staff.get(reverse("voices:training", args=["essays"])).text
    submit_training(voice=ready_voice, by=author)
    assert Recipe.from_dict(TrainingJob.objects.get().recipe) == recipe


def test_it_can_be_left_to_the_amount_of_writing_again(staff, ready_voice):
    page = reverse("admin:adapters_voice_recipe", args=[ready_voice.pk])
    staff.post(page, typed(rank=4))
    staff.post(page, {"reset": "Leave it"})
    ready_voice.refresh_from_db()
    assert ready_voice.recipe is None


def test_a_wrong_value_changes_nothing_and_is_told(staff, ready_voice):
    page = reverse("admin:adapters_voice_recipe", args=[ready_voice.pk])
    assert "not between 1 and 64" in staff.post(page, typed(rank=900)).text
    ready_voice.refresh_from_db()
    assert ready_voice.recipe is None


def test_without_a_base_model_it_is_said_what_to_do(staff, ready_voice, settings, tmp_path):
    settings.MODELS = tmp_path
    assert (
        "fetch_base_model" in staff.get(reverse("admin:adapters_voice_recipe", args=[ready_voice.pk]), follow=True).text
    )


def test_others_may_not(client, make_author, author, ready_voice):
    page = reverse("admin:adapters_voice_recipe", args=[ready_voice.pk])
    client.force_login(author)
    assert client.get(page).status_code == 302
    looker = make_author(email="looker@example.org", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_voice"))
    client.force_login(looker)
    assert client.post(page, typed(rank=4)).status_code == 403
