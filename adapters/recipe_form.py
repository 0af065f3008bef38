"""The form of a recipe, for staff: a field for each of its own, with its own help.
Knows how the recipe's types are typed in. Knows nothing of what the values do, or of voices."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import fields
from functools import cache
from typing import Any

from django import forms

from adapters.training.recipe import Recipe


class RecipeForm(forms.Form):
    """`recipe` holds what was typed once the form is valid; bounds are the recipe's own."""

    recipe: Recipe

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        help_texts = _help()
        for field in fields(Recipe):
            self.fields[field.name] = _field(field.name, field.default, help_texts.get(field.name, ""))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors:
            return values
        try:
            self.recipe = Recipe.from_dict(values)
        except (ValueError, TypeError) as error:
            # It begins with the name of the field.
            name, _, said = str(error).partition(": ")
            self.add_error(name if name in self.fields else None, said or str(error))
        return values


def _field(name: str, default: Any, help_text: str) -> forms.Field:
    shared = {"label": name.replace("_", " ").capitalize(), "help_text": help_text}
    if isinstance(default, bool):
        return forms.BooleanField(required=False, **shared)
    if isinstance(default, int):
        return forms.IntegerField(**shared)
    if isinstance(default, float):
        return forms.FloatField(widget=forms.NumberInput(attrs={"step": "any"}), **shared)
    if isinstance(default, tuple):
        return _Numbers(required=False, **shared)
    return forms.CharField(required=default is not None and default != "", **shared)


class _Numbers(forms.CharField):
    """Several numbers in one line."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else ", ".join(f"{number:g}" for number in value or ())

    def clean(self, value: Any) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in str(super().clean(value)).split(",") if part.strip())
        except ValueError:
            raise forms.ValidationError("Write numbers with commas between them: 0.001, 0.002") from None


@cache
def _help() -> dict[str, str]:
    """The sentence under each field of the recipe: what it says to programmers is what staff need to know."""
    body = ast.parse(textwrap.dedent(inspect.getsource(Recipe))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for line, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(line, ast.AnnAssign)
            and isinstance(line.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[line.target.id] = inspect.cleandoc(str(below.value.value))
    return found
