"""A post inside of other JSON or text is unwrapped, and live text shows nothing of the wrapper."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stack.processes import day
from tests.worker.test_live_markdown import CUTS, said
from til.markdown import render
from til.post import SECTIONS, Draft
from til.request import TilRequest
from worker.writing.schema import InvalidOutput, parse
from worker.writing.unwrap import candidates

LABELS = {"src/mill.py": "src/mill.py"}
REQUEST = TilRequest.model_validate(day())


def post(text: str) -> str:
    points = [{"text": text, "sources": ["src/mill.py"]}]
    return json.dumps({"title": "T", "keywords": ["k"]} | dict.fromkeys(SECTIONS, points), ensure_ascii=False)


POST = post('It {turns}: ``` "{" </think> <|im_end|>.')
DRAFT = post("a draft")
WRAPPERS = {
    "a fence": "```json\n@\n```",
    "a fence without an end": "```\n@",
    "thoughts": "<think>\nSo {\"a\": 1} or " + DRAFT + "\n</think>\n\n@",
    "thoughts whose begin is in the template": "Let me see. " + DRAFT + "</think>@",
    "thoughts in brackets": "[THINK]hm[/THINK]@",
    "thoughts and a fence": "<think></think>\n```json\n@\n```\n",
    "channels": "<|channel|>analysis<|message|>hm {<|end|><|start|>assistant<|channel|>final<|message|>@",
    "an end token": "@<|im_end|>",
    "another end token": "@</s>\n",
    "a byte order mark": "\ufeff@",
    "prose around": "Here is {the} post:\n\n@\n\nI hope that it helps!",
    "a list": "[@]",
    "an object around": '{"til_post": @}',
    "blanks": "\n\n  @\n\n",
}  # fmt: skip


def wrapped(name: str, text: str = POST) -> str:
    return WRAPPERS[name].replace("@", text)


def read(text: str, whole: bool = True) -> Draft:
    for value in candidates(text, whole):
        try:
            return parse(value, LABELS)
        except InvalidOutput:
            continue
    raise InvalidOutput


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_whole_post_is_taken_out_of_its_wrapper(name: str) -> None:
    assert read(wrapped(name)) == parse(json.loads(POST), LABELS)


def test_a_post_that_was_encoded_twice_is_unwrapped() -> None:
    assert read(json.dumps(POST)) == read(json.dumps(json.dumps(POST))) == read(POST)


@pytest.mark.parametrize("name", ["a fence", "thoughts", "prose around"])
def test_a_post_that_was_cut_off_is_completed_in_its_wrapper_too(name: str) -> None:
    text = wrapped(name)
    cut = text[: text.rindex('"sources"')]
    with pytest.raises(InvalidOutput):
        read(cut, whole=False)
    points = json.loads(POST)
    points["reflection"] *= 2
    text = wrapped(name, json.dumps(points))
    assert len(read(text[: text.rindex('"sources"')], whole=False).reflection) == 1


@pytest.mark.parametrize(
    "text", ["", "{}", "no", "```json\n```", POST[:-1], POST.replace("mill", "wall"), "null"]
)
def test_json_that_is_no_post_is_not_unwrapped_to_one(text: str) -> None:
    with pytest.raises(InvalidOutput):
        read(f"<think>hm</think>{text}")


@pytest.mark.parametrize("hostile", ['{"' * 50_000, '{"a":' * 20_000, "[" * 100_000, '{"a": 1} ' * 12_000])
def test_a_long_answer_is_searched_in_few_places(hostile: str) -> None:
    for whole in (True, False):
        assert len(list(candidates(hostile, whole))) <= 256
        with pytest.raises(InvalidOutput):
            read(hostile, whole)


SHOWN = [name for name in WRAPPERS if "template" not in name]


@given(st.sampled_from(SHOWN), CUTS)
def test_live_text_shows_the_post_and_nothing_of_its_wrapper(name: str, cuts: list[int]) -> None:
    whole = render(parse(json.loads(POST), LABELS), REQUEST).content
    assert "".join(said(wrapped(name), cuts)) == whole
