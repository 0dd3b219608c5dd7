"""`python -m tests.stack.faulty_worker`: a worker whose engine has the fault that `FAULT` names."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from dataclasses import replace

from tests.stack.worker import serve_with
from worker.engines import Call, Completion, Engine, EngineDead, OnText
from worker.engines.outline.engine import OutlineEngine
from worker.settings import WorkerSettings


class Poisoned(OutlineEngine):
    """A job for the repo `poison` kills its worker."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Write, or die."""
        if call.request.repo == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().generate(call, on_text)


class Stubborn(OutlineEngine):
    """Its calls never end, whoever cancels them."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Refuse to die."""
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)


class Silent(OutlineEngine):
    """Says nothing for eight seconds, then everything."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Be silent, then write."""
        await asyncio.sleep(8)
        return await super().generate(call, on_text)


class Mortal(OutlineEngine):
    """A job for the repo `deadly` ends the engine, not the process."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Write, or say that the engine has died."""
        if call.request.repo == "deadly":
            raise EngineDead
        return await super().generate(call, on_text)


class Uneven(OutlineEngine):
    """A job for the repo `long` takes a minute, any other two seconds."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Take that time, then write."""
        await asyncio.sleep(60 if call.request.repo == "long" else 2)
        return await super().generate(call, on_text)


class Unwritable(OutlineEngine):
    """Says of itself what PostgreSQL can't store."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.info = replace(self.info, engine_version="a\x00b")


class Sleepwalker(OutlineEngine):
    """Freezes its whole process during the next probe once the file `FREEZE` exists."""

    async def alive(self) -> bool:
        """Answer, perhaps much later."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.environ["FREEZE"])
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # This very thread goes no further.
        return True


class Stumbling(OutlineEngine):
    """Its probe raises an error, once, when the file `STUMBLE` exists."""

    async def alive(self) -> bool:
        """Answer, or crash."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.environ["STUMBLE"])
            raise KeyError("alive")
        return True


FAULTS: dict[str, type[OutlineEngine]] = {
    "poisoned": Poisoned,
    "stubborn": Stubborn,
    "silent": Silent,
    "mortal": Mortal,
    "uneven": Uneven,
    "unwritable": Unwritable,
    "sleepwalker": Sleepwalker,
    "stumbling": Stumbling,
}


def narrow(settings: WorkerSettings) -> Engine:
    """vLLM that generates one call at a time, whatever the number of slots: the others wait in it."""
    from worker.engines.vllm import VllmEngine

    model, length = str(settings.model), settings.max_model_len
    return VllmEngine(model, max_num_seqs=1, max_model_len=length, enforce_eager=True)


def faulty(settings: WorkerSettings) -> Engine:
    """The engine that `FAULT` names."""
    name = os.environ["FAULT"]
    return narrow(settings) if name == "narrow" else FAULTS[name](settings.outline_seconds)


if __name__ == "__main__":
    settings = WorkerSettings()
    serve_with(faulty(settings), settings)
