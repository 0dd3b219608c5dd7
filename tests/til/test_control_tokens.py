"""No text in a prompt contains a control token of a model, and cited sources are still found."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stack.processes import day
from tests.worker.engines import Scripted, admitted
from til.control_tokens import CONTROL, broken_up
from til.post import SECTIONS
from til.request import TilRequest
from worker.engines import Call, Completion, OnText
from worker.writing.write import Generation, write

FAMILIES = {
    "ChatML, Qwen": "<|im_start|> <|im_end|> <|endoftext|> <think> </think> <tool_call> </tool_response>",
    "Llama 2, Mistral": "<s> </s> <unk> [INST] [/INST] <<SYS>> <</SYS>> [TOOL_CALLS] [AVAILABLE_TOOLS] "
    "[/SYSTEM_PROMPT] [IMG] [THINK] [ARGS]",
    "Llama 3 and 4": "<|begin_of_text|> <|start_header_id|> <|eot_id|> <|python_tag|> <|header_start|>",
    "Gemma": "<bos> <eos> <pad> <start_of_turn> <end_of_turn> <start_of_image> <unused99> <turn|> <|turn>",
    "gpt-oss": "<|start|> <|channel|> <|message|> <|return|> <|call|> <|end|>",
    "DeepSeek": "<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜tool▁calls▁begin｜>",
    "Phi, GLM, Command": "<|user|> [gMASK] <sop> <eop> <|START_OF_TURN_TOKEN|> <|END_THINKING|>",
    "EXAONE, Seed, Kimi, MiniMax": "[|endofturn|] <seed:bos> <|im_middle|> ]~b] [e~[ <[end▁of▁sentence]>",
    "code models": "<fim_prefix> <fim_middle> <file_sep> <repo_name> <gh_stars> <|fim_hole|> <PRE> <EOT>",
    "BERT, T5": "[CLS] [SEP] [MASK] <extra_id_0>",
}
TOKENS = sorted({token for tokens in FAMILIES.values() for token in tokens.split()})


def spelt(text: str) -> list[str]:
    return [token for token in TOKENS if token in text]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_of_every_family_are_broken_up(family: str) -> None:
    for token in FAMILIES[family].split():
        assert token not in broken_up(f"a{token}b{token}{token}<{token}[{token}")


@given(st.lists(st.sampled_from([*TOKENS, *"<>[]|/ \n", "a", "SYS"]), max_size=12).map("".join))
def test_breaking_up_a_token_makes_no_other(text: str) -> None:
    clean = broken_up(text)
    assert spelt(clean) == []
    assert broken_up(clean) == clean
    assert clean.replace(" ", "") == text.replace(" ", "")


def test_code_is_left_as_it_is() -> None:
    code = "if a<b and c|d: x[INSTANCE] = List<String> <div> </p> f <- g |> h; vec![1]; a[i]; [x] <T super"
    assert broken_up(code) == code
    assert CONTROL.search("<a><b>") is None


ALL = " ".join(TOKENS)


class Citing(Scripted):
    """Cites whatever may be cited, and spells every token in its notes."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """The answer to this very call."""
        self.asked.append(call)
        points = [{"text": ALL, "sources": [source]} for source in call.schema["$defs"]["source"]["enum"]]
        post = {"title": "T", "keywords": ["k"]} | dict.fromkeys(SECTIONS, points)
        answer = {"notes": points} if "notes" in call.schema["properties"] else post
        return Completion(json.dumps(answer), True, 1, 0, 1)


@pytest.mark.parametrize(("context", "calls"), [(10**6, 1), (40_000, 2)])
async def test_no_field_of_a_request_nor_a_note_brings_one_into_a_prompt(context: int, calls: int) -> None:
    diff = f"@@ -1 +1 @@\n-{ALL}\n+{ALL}\n"
    patch = {"commit_message": f"{ALL}\n\n{ALL}", "patch": diff, "sha": "4f2a91c0"}
    paths = [f"src/{token}.py" for token in TOKENS]
    files = [{"filepath": path, "latest_code": f"{ALL}\n" * 9, "patches": [patch]} for path in paths]
    request = TilRequest.model_validate(day(username=ALL[:200], repo=ALL[-200:], files=files))
    engine = Citing([], context)
    post = await write(request, engine, Generation("a:1", 1), admitted, lambda _: None)
    assert len(engine.asked) >= calls
    for call in engine.asked:
        assert spelt(call.user) == []
    cited = {source for point in post.result.sections[0].points for source in point.sources}
    assert cited == {"4f2a91c0", *paths}
