"""A redacted request is valid, keeps its lines and has no secret."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stack.processes import day
from tests.til.requests import REQUESTS
from tests.til.secrets_corpus import as_diff, draw, positives, request_of
from tests.til.secrets_keys import key, keys
from tests.til.secrets_lookalikes import negatives
from til.redaction.find import OTHERS, RULES, suspicious
from til.redaction.named import named_values
from til.redaction.redact import redact
from til.request import TilRequest


def test_redactions_are_listed_and_counted_by_kind_and_file() -> None:
    token, password = "gh" + "p_" + draw("aZ9", 36), "hunter" + "22"
    code = f"a = '{token}'\nb = '{token}'\npassword = '{password}'\n"
    after, redactions = redact(
        request_of(
            code, patch=as_diff(code), message=f"use {token}", repo=f"ada/{token}", metadata={"k": token}
        )
    )
    assert redactions == [
        {"kind": "github_token", "filepath": None, "count": 2},
        {"kind": "github_token", "filepath": "src/app.py", "count": 5},
        {"kind": "password", "filepath": "src/app.py", "count": 2},
    ]
    assert after.repo == "ada/[redacted:github_token]"
    assert after.files[0].patches[0].commit_message == "use [redacted:github_token]"
    assert "password = '[redacted:password]'" in after.files[0].latest_code


def test_a_metadata_value_is_judged_with_its_name() -> None:
    after, redactions = redact(request_of("", metadata={"db_password": "S3cretPw9", "team": "S3cretPw9"}))
    assert after.metadata == {"db_password": "[redacted:password]", "team": "S3cretPw9"}
    assert redactions == [{"kind": "password", "filepath": None, "count": 1}]


def test_paths_that_lose_a_secret_stay_valid_and_different() -> None:
    tokens = ["gh" + "p_" + draw("aZ9", 36) for _ in range(2)]
    patch = {"commit_message": "m", "patch": ""}
    files = [{"filepath": f"keys/{token}", "patches": [patch]} for token in tokens]
    after, redactions = redact(TilRequest.model_validate(day(files=[*files, files[0]])))
    assert after.sources() == ["keys/[redacted:github_token]", "keys/[redacted:github_token]-2"]
    assert [one["filepath"] for one in redactions] == after.sources()


def test_a_key_in_a_diff_leaves_its_lines_with_their_marks() -> None:
    pem = key("RSA PRI" + "VATE KEY")
    diff = f" before\n{as_diff(pem)} after\n"
    after = redact(request_of("", patch=diff))[0].files[0].patches[0].patch
    assert [line[:1] for line in after.split("\n")] == [line[:1] for line in diff.split("\n")]
    assert after.count("[redacted:private_key]") == 1
    assert (after[:8], after[-8:]) == (" before\n", "\n after\n")


def test_a_request_without_secrets_is_returned_as_it_is_and_a_webhook_keeps_its_url() -> None:
    url = f"https://hooks.slack{''}.com/services/T{draw('A1', 8)}/B{draw('A1', 8)}/{draw('aZ9', 24)}"
    request = request_of("a = 1\n", webhook={"url": url})
    assert redact(request) == (request, [])
    assert redact(request)[0] is request


FRAGMENTS = [
    'password = "',
    '"',
    "'",
    "=",
    ": ",
    "\n",
    "\\n",
    "://",
    ":",
    "@",
    "secret",
    "token=",
    "bearer ",
    "é",
]
BROKEN = [
    "[redacted:password]",
    "[redacted:",
    "]",
    "AK" + "IA",
    "x" * 40,
    "9aB",
    "-----BEGIN PRI" + "VATE KEY-----\n",
]
CASES = [case.text for case in positives() + keys() + negatives()]
PIECES = st.sampled_from(FRAGMENTS + BROKEN + CASES)
SOME = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
TEXTS = st.lists(PIECES | SOME, max_size=6).map("".join)
NAMES = TEXTS.map(lambda text: text[:64]).filter(bool)


@st.composite
def hostile_requests(draw_one: st.DrawFn) -> TilRequest:
    """Requests whose every text may hold secrets, pieces of them and placeholders, up to the limits."""
    request = draw_one(REQUESTS).model_dump(mode="json")
    text = TEXTS | TEXTS.map(lambda text: (text * 70_000)[:65_536] if len(text) < 30 else text)
    request["username"], request["repo"] = (draw_one(text)[:200] or "x" for _ in range(2))
    request["metadata"] = draw_one(st.dictionaries(NAMES, TEXTS.map(lambda text: text[:512]), max_size=3))
    for file in request["files"]:
        file["filepath"] = draw_one(TEXTS)[:1024] or "x"
        file["latest_code"] = draw_one(TEXTS)
        for patch in file["patches"]:
            patch["commit_message"], patch["patch"] = draw_one(text)[:65_536], draw_one(TEXTS)
    return TilRequest.model_validate(request)


@settings(max_examples=100, deadline=None)
@given(hostile_requests())
def test_a_redacted_request_is_valid_keeps_its_lines_and_redacts_to_itself(request: TilRequest) -> None:
    after, redactions = redact(request)
    assert TilRequest.model_validate(after.model_dump(mode="json")) == after
    assert redact(after) == (after, [])
    assert all(one["count"] > 0 for one in redactions)
    assert len({f.filepath for f in after.files}) == len({f.filepath for f in request.files})
    for old, new in zip(request.files, after.files, strict=True):
        assert new.latest_code.count("\n") == old.latest_code.count("\n")
        assert [p.patch.count("\n") for p in new.patches] == [p.patch.count("\n") for p in old.patches]


@pytest.mark.parametrize("length", range(35, 62))
def test_a_name_that_is_cut_keeps_no_part_of_a_placeholder(length: int) -> None:
    name = f"{'x' * (length - 28)} //r.example/:_authToken=npm_HwX9i"[:64]
    before = TilRequest.model_validate(day(metadata={name: "v"}))
    after, redactions = redact(before)
    assert redact(after) == (after, [])
    assert sum(one["count"] for one in redactions) == 1
    assert "npm_HwX9i" not in str(after.metadata)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_the_prefilter_matches_whatever_the_rules_find(texts: list[str]) -> None:
    spans = [span for text in texts for rule in RULES for span in rule.spans(text)]
    spans += [span for text in texts for span in named_values(text, config=True)]
    spans += [span for text in texts for forms in OTHERS for span in forms.spans(text)]
    assert not spans or suspicious("\n".join(texts))
