"""An engine of clockwork, and its clock: every step takes a second and writes one token of every request.
Knows when it writes what. Knows no model, so that every figure measured on it can be told beforehand."""

from __future__ import annotations

from inference.engine import Output, Request

IDLE_BYTES = 1000
"""What a step reads when nobody runs: the weights."""
REQUEST_BYTES = 10


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class ClockworkEngine:
    """`slow`: adapter -> steps that pass before its requests begin, the first time."""

    def __init__(self, clock: Clock, slow: dict[str | None, int] | None = None) -> None:
        self.clock = clock
        self.slow = slow or {}
        self.left: dict[str, int] = {}
        self.adapter_of: dict[str, str | None] = {}
        self.submitted: list[Request] = []

    def submit(self, request: Request) -> None:
        self.submitted.append(request)
        self.adapter_of[request.id] = request.adapter
        self.left[request.id] = request.sampling.max_tokens or 0

    def cancel(self, request_id: str) -> bool:
        return self.left.pop(request_id, None) is not None

    def has_work(self) -> bool:
        return bool(self.left)

    def bytes_read(self) -> int:
        return IDLE_BYTES + REQUEST_BYTES * len(self._running())

    def step(self) -> list[Output]:
        self.clock.time += 1
        running = self._running()
        for adapter in {self.adapter_of[name] for name in self.left}:
            self.slow[adapter] = max(0, self.slow.get(adapter, 0) - 1)
        outputs = []
        for name in running:
            self.left[name] -= 1
            ended = not self.left[name]
            outputs.append(Output(request_id=name, token_ids=(1,), finish_reason="length" if ended else None))
            if ended:
                del self.left[name]
        return outputs

    def _running(self) -> list[str]:
        return [name for name in self.left if not self.slow.get(self.adapter_of[name])]
