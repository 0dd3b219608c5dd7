"""Recall and false positives on a corpus; and everything that detect-secrets finds is found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.til import (
    secrets_afterwards,
    secrets_calls,
    secrets_commands,
    secrets_files,
    secrets_lookalikes_code,
    secrets_lookalikes_files,
    secrets_lookalikes_unseen,
    secrets_lookalikes_words,
    secrets_others,
    secrets_unseen,
)
from tests.til.secrets_corpus import Case, as_diff, draw, missed, named, request_of, tokens, whole
from tests.til.secrets_encoded import in_base64
from tests.til.secrets_keys import keys
from tests.til.secrets_lookalikes import code, hashes, translations
from tests.til.secrets_rows import cases
from tests.til.secrets_vendors import vendors
from til.redaction import rules
from til.redaction.find import find, suspicious
from til.redaction.redact import TRANSLATION, redact
from til.redaction.rules import OWN_RULES, patterns_of

ROWS = (
    secrets_commands.GROUPS
    | secrets_calls.GROUPS
    | secrets_files.GROUPS
    | secrets_others.GROUPS
    | secrets_unseen.GROUPS
    | secrets_afterwards.GROUPS
)
SECRETS = {
    "tokens": tokens() + vendors(),
    "keys": keys(),
    "named": named() + missed(),
    "base64": in_base64(),
    **{group: cases(rows, 10 + number) for number, (group, rows) in enumerate(ROWS.items())},
}
LOOKALIKES = {
    "hashes": hashes(),
    "names": code(),
    "translations": translations(),
    **{
        group: [Case(text, path) for path, texts in module.LINES.items() for text in texts]
        for group, module in {
            "code": secrets_lookalikes_code,
            "files": secrets_lookalikes_files,
            "words": secrets_lookalikes_words,
            "unseen": secrets_lookalikes_unseen,
        }.items()
    },
}
MISSED = {
    'password = "correct horse battery staple"',
    "sign(payload",
    "restic --repo a init --password-command",
    "Encoding.UTF8.GetBytes",
    "new StringBuilder",
    "PASSWORDS = {",
    "INSERT INTO users",
    "smtp_sasl_password_maps",
    "tls-auth ta.key",
    "getpass.getpass = lambda",
    "case ",
    "assert user.check_password",
    "decrypt(data",
    "  key 0 ",
}
"""Secrets that the rules can't tell from other text; they count against the recall."""
SEEN = [case for group in SECRETS.values() for case in group if not case.text.startswith(tuple(MISSED))]


def is_found(case: Case, text: str, patch: str) -> bool:
    assert case.secret is not None
    after, redactions = redact(request_of(text, case.path, patch))
    kinds = {one["kind"] for one in redactions if one["filepath"] == case.path}
    return case.secret not in whole(after) and case.kind in kinds


@pytest.mark.parametrize("group", SECRETS)
def test_the_corpus_is_found_in_code_and_in_diffs(group: str) -> None:
    unseen = [
        case.text
        for case in SECRETS[group]
        if not (is_found(case, case.text, "") and is_found(case, "", as_diff(case.text)))
    ]
    assert [text for text in unseen if not text.startswith(tuple(MISSED))] == []


def test_the_corpus_has_hundreds_of_cases_and_its_recall_is_98_percent() -> None:
    secrets, lookalikes = (sum(map(len, groups.values())) for groups in (SECRETS, LOOKALIKES))
    assert (secrets, len(SEEN), lookalikes) == (722, 708, 758)
    assert len(SEEN) / secrets >= 0.98


@pytest.mark.parametrize("group", LOOKALIKES)
def test_no_lookalike_is_redacted_in_code_in_diffs_or_in_messages(group: str) -> None:
    """A translation only by its file: in a message its word may well be a password."""
    wrong = [
        case.text
        for case in LOOKALIKES[group]
        if redact(
            request_of(
                case.text,
                case.path,
                as_diff(case.text),
                message="m" if TRANSLATION.search(case.path) else case.text,
            )
        )[1]
    ]
    assert wrong == []


@pytest.mark.parametrize("case", SEEN, ids=lambda case: case.kind)
def test_the_prefilter_sees_every_secret_of_the_corpus(case: Case) -> None:
    assert suspicious("\n".join(["def f():", *case.text.split("\n"), "    return 1"]))


ASCII = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"'`<>{}")
QUOTES = st.sampled_from("\"'")
DETECTORS = [
    value
    for value in [*vars(rules).values(), BasicAuthDetector]
    if isinstance(value, type) and issubclass(value, RegexBasedDetector) and value is not RegexBasedDetector
]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.__name__)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_detect_secrets_finds_is_found(detector: type[RegexBasedDetector], data: st.DataObject) -> None:
    """For its patterns, save what a rule rejects on purpose: placeholders, JWTs that aren't, mere names."""
    vendor = detector.__name__.lower()
    rules = [rule for rule in OWN_RULES if vendor.startswith(rule.kind.split("_")[0])]
    pattern = data.draw(st.sampled_from(patterns_of(detector)))
    sample = data.draw(
        st.from_regex(pattern, fullmatch=True, alphabet=ASCII | QUOTES if "aws" in pattern.pattern else ASCII)
    )
    line = f'x = "{sample}"'
    spans = find(line, config=False)
    group = 1 if "aws" in pattern.pattern or "://[^" in pattern.pattern else 0
    assert rules
    for match in pattern.finditer(line):
        covered = any(start <= match.start(group) and match.end(group) <= end for start, end, _ in spans)
        assert covered or not any(rule.accept(match[group]) for rule in rules)


def test_many_secrets_on_a_line_are_all_found() -> None:
    keys = ["AK" + "IA" + draw("A1", 16) for _ in range(50)]
    for between in ("", ",", "_", " ", "x"):
        if between not in ("", "x"):
            after, redactions = redact(request_of(between.join(keys)))
            assert not any(one in whole(after) for one in keys)
            assert redactions[0]["count"] == 50


def test_the_corpus_itself_holds_no_secret() -> None:
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("secrets_*.py"))
    kinds = Counter(kind for _, _, kind in find(source, config=False))
    assert not kinds.keys() - {"password"}
