"""A JSON object's members by type. Knows how to say which one is wrong.
Knows nothing of what the members mean."""

from __future__ import annotations

from typing import Any, NoReturn

from inference.worker_errors import bad_request


class Fields:
    """Null counts as absent, as it does for OpenAI. Raises ApiError (400) naming the field."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise bad_request("The body must be a JSON object.")
        self._body = body

    def get(self, name: str) -> Any:
        return self._body.get(name)

    def wrong(self, name: str, rule: str) -> NoReturn:
        raise bad_request(f"{name} {rule}.", param=name)

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not value:
            self.wrong(name, "must be a string, and not empty")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, "must be true or false")
        return default if value is None else value

    def integer(self, name: str, low: int | None = None, high: int | None = None) -> int | None:
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(name, "must be a whole number")
        if (low is not None and value < low) or (high is not None and value > high):
            self.wrong(name, f"must be between {low} and {high}, not {value}")
        return value

    def number(self, name: str) -> float | None:
        value = self.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            self.wrong(name, "must be a number")
        return value

    def token_ids(self, name: str) -> tuple[int, ...] | None:
        value = self.get(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in value):
            self.wrong(name, "must be a list of token ids")
        return tuple(value)

    def unicode(self, name: str, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            # JSON can spell half of a surrogate pair; no tokenizer can read one.
            self.wrong(name, "must be valid Unicode: it holds half of a surrogate pair")
        return text
