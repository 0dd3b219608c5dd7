"""Packing is quick, with a real tokenizer."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tests.stack.processes import day
from tests.stack.yardstick import best_on_reference
from til.control_tokens import broken_up
from til.request import TilRequest
from til.tokens import CODE_TOKENS
from worker.engines import Encoded
from worker.engines.chat import ChatTokenizer
from worker.engines.outline.engine import OutlineEngine
from worker.writing.plan import make_plan
from worker.writing.prompt import PromptContext
from worker.writing.prompt_pieces import read_day, text_of
from worker.writing.template import CURRENT

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("jobs", "worker", "webhooks", "api")
ALLOWED_MILLISECONDS = 20


class Tokenizing(OutlineEngine):
    """The tiny model's tokenizer without its engine, in a context of 8,192 tokens."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._chat = ChatTokenizer(AutoTokenizer.from_pretrained(folder))

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """What the context holds beside the answer."""
        return 8192 - max_output_tokens

    def encode(self, system: str, user: str) -> Encoded:
        """As the vLLM engine does."""
        return self._chat.encode(system, user)


def large_day(files: int, code_bytes: int, diff_bytes: int) -> TilRequest:
    """Our own source code, with diffs cut out of it."""
    source = "".join(path.read_text() for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    made = []
    for number in range(files):
        code = (source[number * 3000 :] + source)[:code_bytes]
        lines, diff, line = code.splitlines(), "", 10
        while len(diff) < diff_bytes:
            body = "".join(f"+{text}\n" for text in lines[line % len(lines) :][:7])
            diff += f"@@ -{line},0 +{line},{body.count(chr(10))} @@\n{body}"
            line += 23
        patch = {"commit_message": f"feat: change {number}", "patch": diff, "sha": f"{number:040x}"}
        made.append({"filepath": f"src/f{number}.py", "latest_code": code, "patches": [patch]})
    return TilRequest.model_validate(day(files=made))


@pytest.mark.parametrize(
    ("files", "code", "diff"), [(1, 190_000, 10_000), (20, 9_500, 500), (20, 2_000, 8_000)]
)
def test_a_day_of_200_kilobytes_is_packed_within_20_ms(
    tiny_model: Path, files: int, code: int, diff: int
) -> None:
    """CPU time of this thread, so that neighbours on the machine do not count; the best of several."""
    request, engine = large_day(files, code, diff), Tokenizing(tiny_model)
    assert len(request.model_dump_json()) > 190_000
    seeds = itertools.count()
    taken = best_on_reference(
        lambda: make_plan(PromptContext(request, CURRENT, next(seeds)), engine, CODE_TOKENS), 9
    )
    context = PromptContext(request, CURRENT, 0)
    plan = make_plan(context, engine, CODE_TOKENS)
    parts = "".join(map(text_of, plan.parts))
    planned = plan.prompt.user if plan.prompt else context.user_message(parts)
    assert all(broken_up(piece.text) in planned for piece in read_day(request).changes)
    assert taken < ALLOWED_MILLISECONDS


def test_a_prompt_is_read_as_the_chat_template_says(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for system, user in (("Write.", "한국어 and `code`\n"), ("Write.", ""), ("Write.", "")):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        usual = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        assert ChatTokenizer(tokenizer).encode(system, user) == Encoded(len(usual), list(usual))


def test_a_tokenizer_that_cuts_and_pads_by_itself_does_not_here(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    whole = ChatTokenizer(tokenizer).encode("Write.", "word " * 50)
    tokenizer.backend_tokenizer.enable_truncation(8)
    tokenizer.backend_tokenizer.enable_padding(length=4096)
    assert ChatTokenizer(tokenizer).encode("Write.", "word " * 50) == whole
