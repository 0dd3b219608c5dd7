"""The cost of redaction: very little if nothing is found, and at most in proportion to the text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from base.errors import TooManyWaiting
from tests.stack.processes import day
from tests.stack.yardstick import best_on_reference, cpu_milliseconds
from tests.til.secrets_corpus import as_diff, draw, request_of, whole
from til.redaction.pool import Redactor
from til.redaction.redact import redact
from til.request import TilRequest

ROOT = Path(__file__).parents[2]


def repeated(unit: str) -> Callable[[int], str]:
    return lambda length: (unit * (length // len(unit) + 1))[:length]


NOTHING_TO_FIND: dict[str, Callable[[int], str]] = {
    "jwt": repeated("eyJ"),
    "jwt parts": repeated("eyJ."),
    "openai": repeated("sk-"),
    "slashes": repeated("/"),
    "urls": repeated("://a:"),
    "aws": repeated("aws key '" + "a" * 39),
    "begin": repeated("-----BEGIN PRI" + "VATE KEY-----\n"),
    "headers": lambda n: "-----BEGIN PRI" + "VATE KEY-----\n" + "Abc: c\n" * (n // 7),
    "spaces": lambda n: "password" + " " * n,
    "names": repeated("password token secret "),
    "value": lambda n: 'password="' + "1." * (n // 2),
    "one letter": repeated('password = "' + "abcdefgh" * 25 + '"\n'),
    "known words": repeated('password = "' + "my" * 90 + '."\n'),
    "identifiers": repeated('api_key = "' + "key" * 60 + '."\n'),
    "constants": repeated('secret = "' + "A_" * 90 + '"\n'),
    "dots": repeated('password = "' + "ab." * 60 + '"\n'),
    "signs": repeated('password = "a' + "!" * 190 + '"\n'),
    "flags": repeated("--password your-example1 "),
    "commands": repeated("mysql -p "),
    "users": repeated('auth=("a", "your-example-1") '),
    "pairs": repeated('f("password", "your-example1")'),
    "next lines": repeated("password: |\n"),
    "variables": repeated('password" {\n'),
    "attributes": repeated('password a="b" '),
    "queries": repeated("CREATE USER "),
    "base64": lambda n: draw("aZ9+/"[:3] + "bcdefgABCDEFG012345+/", n),
    "hex": lambda n: draw("0123456789abcdef", n),
}
FULL_OF_SECRETS: dict[str, Callable[[int], str]] = {
    "ids": repeated("AK" + "IAIOSFODNN7EXAMPL1,"),
    "urls": repeated("://a:b2x@"),
    "names": repeated("password="),
    "passwords": repeated("password=\"password='abc123x' "),
    "keys": repeated("A" * 64 + "\n-----END PRI" + "VATE KEY-----\n"),
}


def seconds(text: str) -> float:
    """Of this thread's processor, at best, for a request that is this text."""
    request = request_of(text, "a.env")
    return min(cpu_milliseconds(lambda: redact(request)) for _ in range(2)) / 1000


@pytest.mark.parametrize("name", NOTHING_TO_FIND)
def test_8_times_the_text_takes_8_times_as_long_also_4_mib_made_to_be_slow(name: str) -> None:
    make = NOTHING_TO_FIND[name]
    assert seconds(make(4 << 20)) < 16 * seconds(make(512 << 10)) + 0.05


@pytest.mark.parametrize("name", FULL_OF_SECRETS)
def test_8_times_the_secrets_take_8_times_as_long(name: str) -> None:
    make = FULL_OF_SECRETS[name]
    assert seconds(make(256 << 10)) < 16 * seconds(make(32 << 10)) + 0.05


def typical(kib: int) -> TilRequest:
    """A day's commits to four files, of this repository's own code."""
    source = "".join(
        (ROOT / path).read_text() for path in ("webhooks/claim.py", "tenants/keys.py", "api/routes/submit.py")
    )
    size = kib * 1024 // 8
    pieces = [source[n * size : (n + 1) * size] for n in range(4)]
    files = [
        {
            "filepath": f"src/part{number}.py",
            "latest_code": piece,
            "patches": [
                {"commit_message": "fix: a host that hangs delays no other", "patch": as_diff(piece)[:size]}
            ],
        }
        for number, piece in enumerate(pieces)
    ]
    return TilRequest.model_validate(day(files=files))


def test_16_kb_in_which_nothing_is_found_cost_at_most_0_3_ms() -> None:
    request = typical(16)
    assert redact(request) == (request, [])
    assert len(whole(request)) >= 16_000
    taken = best_on_reference(lambda: [redact(request) for _ in range(100)], rounds=20) / 100
    assert taken <= 0.3, f"{taken:.3f} ms"


def test_different_texts_cost_no_more_than_the_same_text_repeated() -> None:
    """RE2 builds its automaton lazily: with too many states, each new text takes 100 times as long."""
    rooms = [room for room in ROOT.iterdir() if room.is_dir() and not room.name.startswith(".")]
    sources = [path.read_text()[:16_384] for room in sorted(rooms) for path in sorted(room.rglob("*.py"))]
    requests = [request_of(source, "a.py") for source in sources if "\0" not in source]
    clean = [request for request in requests if not redact(request)[1]]
    taken = cpu_milliseconds(lambda: [redact(request) for request in clean])
    assert len(clean) > 200
    assert taken / len(clean) <= 1


@pytest.mark.parametrize("kib", [16, 1024])
async def test_a_large_request_is_redacted_off_the_event_loop_with_the_same_outcome(kib: int) -> None:
    token = "gh" + "p_" + draw("aZ9", 36)
    request = request_of(f"{token}\n" + "a = 1\n" * (kib * 1024 // 6))
    redactor = Redactor(2**30)
    searching = asyncio.create_task(redactor.redact(request))
    turns = 0
    while not searching.done():
        turns += 1
        await asyncio.sleep(0)
    assert searching.result() == redact(request)
    assert turns > 1


async def test_large_requests_wait_in_bounds_and_delay_no_smaller_one() -> None:
    large = request_of("password=\"password='abc123x' " * 20_000)
    medium = request_of("a = 1\n" * 20_000)
    redactor = Redactor(2_000_000)
    waiting = [asyncio.create_task(redactor.redact(large)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyWaiting):
        await redactor.redact(large)
    assert await redactor.redact(medium) == (medium, [])
    assert not waiting[-1].done()
    assert {len(kinds) for _, kinds in await asyncio.gather(*waiting)} == {1}
    redactor.close()
