"""What is found, in figures: recall and false positives of a corpus; and nothing less than the library's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import redact_rules
from jobs.redact import redact
from jobs.redact_find import find, suspicious
from jobs.redact_rules import OWN_RULES, patterns_of
from tests.post.secrets_corpus import Case, as_diff, draw, missed, positives, request_of, whole
from tests.post.secrets_keys import keys
from tests.post.secrets_lookalikes import negatives, translations
from tests.post.secrets_vendors import vendors

POSITIVES, NEGATIVES = vendors() + keys() + positives(), negatives()
FOUND = POSITIVES[: -len(missed())]


def is_found(case: Case, text: str, patch: str) -> bool:
    assert case.secret is not None
    after, redactions = redact(request_of(text, case.path, patch))
    kinds = {one["kind"] for one in redactions if one["filepath"] == case.path}
    return case.secret not in whole(after) and case.kind in kinds


def test_the_corpus_recall_is_98_percent_in_code_and_in_diffs() -> None:
    unseen = [c for c in POSITIVES if not (is_found(c, c.text, "") and is_found(c, "", as_diff(c.text)))]
    assert [case.text for case in unseen] == [case.text for case in POSITIVES[-len(missed()) :]]
    assert (len(POSITIVES), len(unseen)) == (148, 3)
    assert 1 - len(unseen) / len(POSITIVES) >= 0.97


def test_the_corpus_has_no_false_positive_in_code_in_diffs_or_in_messages() -> None:
    wrong = [
        case.text
        for case in NEGATIVES
        if redact(request_of(case.text, case.path, as_diff(case.text), message=case.text))[1]
    ]
    assert (len(NEGATIVES), wrong) == (140, [])
    assert len(wrong) / len(NEGATIVES) <= 0.02


@pytest.mark.parametrize("case", translations(), ids=lambda case: case.path)
def test_a_translation_or_a_reference_is_no_secret(case: Case) -> None:
    assert redact(request_of(case.text, case.path, as_diff(case.text)))[1] == []


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.kind)
def test_the_prefilter_sees_every_secret_of_the_corpus(case: Case) -> None:
    assert suspicious("\n".join(["def f():", *case.text.split("\n"), "    return 1"]))


ASCII = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\"'`<>{}")
QUOTES = st.sampled_from("\"'")
DETECTORS = [
    value
    for value in [*vars(redact_rules).values(), BasicAuthDetector]
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
