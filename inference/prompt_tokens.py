"""Between text and token ids: prompts by the base model's own chat template, and what single tokens look like.
Knows the tokenizer and its thread. Knows nothing of engines, limits or HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jinja2 import TemplateError

from inference.protocol import Call
from inference.token_texts import TokenText, TokenTexts
from inference.worker_errors import bad_request


class TokenReader:
    """Works on a single thread of its own: a long prompt must not hold up the event loop, and tokenizers that two
    threads use at once raise errors."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._texts = TokenTexts(tokenizer)
        self._known: dict[int, TokenText] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokenizer")

    async def prompt(self, call: Call) -> tuple[int, ...]:
        """Raises ApiError (400) when the template does not take the messages."""
        if isinstance(call.prompt, tuple):
            return call.prompt
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encode, call)

    async def texts(self, tokens: Iterable[int]) -> Mapping[int, TokenText]:
        """At least those of `tokens`."""
        if new := {token for token in tokens if token not in self._known}:
            read = asyncio.get_running_loop().run_in_executor(
                self._thread, lambda: {token: self._texts.of(token) for token in new}
            )
            self._known |= await read
        return self._known

    def _encode(self, call: Call) -> tuple[int, ...]:
        if not call.chat:
            return tuple(self._tokenizer(call.prompt).input_ids)
        try:
            ids = self._tokenizer.apply_chat_template(
                call.messages,
                add_generation_prompt=call.add_generation_prompt,
                continue_final_message=call.continue_final_message,
                tokenize=True,
                return_dict=True,
            )["input_ids"]
        except (TemplateError, ValueError) as error:
            raise bad_request(f"The chat template does not take these messages: {error}", param="messages") from error
        return tuple(ids)
