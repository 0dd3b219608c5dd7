"""Whatever commits contain, a prompt has the same instructions, labels and schema, and only their sources."""

from __future__ import annotations

import re

import pytest

from tests.til.test_markdown import kinds
from tests.worker.engines import Counting, admitted
from tests.worker.injections import ORDERS, SHA, attack
from tests.worker.test_prompt import HEAD, prompt_context, prompts
from worker.writing.schema import post_schema
from worker.writing.template import CURRENT
from worker.writing.write import Generation, labels_of, write

WHERE = ("message", "patch", "code", "path")
PLAIN = attack("plain", "message")


def heads(user: str) -> list[str]:
    """The kinds of the frame's own lines."""
    found = [HEAD.match(line) for line in user.splitlines()]
    return [match[1] for match in found if match]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("order", ORDERS)
def test_the_prompt_keeps_its_structure_its_schema_and_its_sources(order: str, where: str) -> None:
    request = attack(order, where)
    (prompt,), (plain,) = prompts(request, 10**6)[1], prompts(PLAIN, 10**6)[1]
    assert prompt.system == plain.system == CURRENT.for_post("en")
    assert heads(prompt.user) == heads(plain.user) == ["repository", "file", "commit", "code of"]
    assert prompt.user.count(prompt_context(request).marker) == 2
    assert prompt.sources == [SHA, request.files[0].filepath]
    schema, usual = (post_schema(list(labels_of(one)), "en", 4096) for one in (prompt, plain))
    assert schema.keys() == usual.keys()
    assert labels_of(prompt) == dict(zip(schema["$defs"]["source"]["enum"], prompt.sources, strict=True))
    assert not any(re.search(r"<[|/\w]|\[/?INST", cited) for cited in labels_of(prompt))
    assert {**schema, "$defs": 0} == {**usual, "$defs": 0}


@pytest.mark.parametrize("where", WHERE)
async def test_the_post_keeps_its_structure(where: str) -> None:
    async def structure(order: str) -> list[str]:
        asked = attack(order, where)
        post = await write(asked, Counting(10**6), Generation("a:1", 1), admitted, lambda _: None)
        cited = {s for section in post.result.sections for p in section.points for s in p.sources}
        assert cited <= {SHA, asked.files[0].filepath}
        return kinds(post.result.content)

    for order in ORDERS:
        assert await structure(order) == await structure("plain")
