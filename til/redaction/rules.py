"""Patterns of secrets recognised by their form: detect-secrets' and ours, run by RE2 in linear time."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import re2
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

from til.redaction.judge import could_be_secret

Span = tuple[int, int, str]
"""Start and end of a secret in its text, and its kind."""


def real(token: str) -> bool:
    """Whether it is no placeholder like `xxxxxxxx` or `********`."""
    return re.search(r"([xX*.#_-])\1{7}", token) is None


def _github(token: str) -> bool:
    return real(token) and re.fullmatch(r"[a-z]+(_[a-z]+)+", token[4:]) is None


def mixed(token: str) -> bool:
    """Whether it has digits, capitals and small letters, as random tokens have and names have not."""
    return real(token) and all(re.search(kind, token) for kind in ("[0-9]", "[A-Z]", "[a-z]"))


def _jwt(token: str) -> bool:
    try:
        return JwtTokenDetector.is_formally_valid(".".join(token.split(".")[:2]))
    except RecursionError:
        return True


def _password(value: str) -> bool:
    return could_be_secret(value) and re.fullmatch(r"v?\d+(\.\d+)+[\w.-]*|\$\w+", value[:99]) is None


def _basic(token: str) -> bool:
    try:
        return b":" in base64.b64decode(token, validate=True)
    except binascii.Error:
        return False


def _plain(token: str) -> bool:
    try:
        return b"\0" in base64.b64decode(token, validate=True)
    except binascii.Error:
        return False


@dataclass(frozen=True)
class Rule:
    """`pattern` finds a candidate (its group 1, if it has one); `accept` decides whether it is a secret.
    `hint` is a cheaper pattern, which matches every text that `pattern` matches."""

    kind: str
    pattern: str
    accept: Callable[[str], bool] = real
    hint: str | None = None

    @cached_property
    def _compiled(self) -> Any:
        return re2.compile(self.pattern)

    def spans(self, text: str) -> Iterator[Span]:
        """Every secret of this kind in the text."""
        group = min(1, self._compiled.groups)
        for match in self._compiled.finditer(searchable(text)):
            start, end = match.span(group)
            if self.accept(text[start:end]):
                yield start, end, self.kind


def searchable(text: str) -> str | bytes:
    """The form that RE2 searches fastest: bytes if the text is ASCII, so that offsets are the same."""
    return text.encode() if text.isascii() else text


def patterns_of(detector: type[RegexBasedDetector]) -> list[re.Pattern[str]]:
    """The library's own patterns."""
    return list(vars(detector)["denylist"])


def _library(
    kind: str,
    detector: type[RegexBasedDetector],
    accept: Callable[[str], bool] = real,
    tail: str = "[\\w-]*",
) -> list[Rule]:
    """The detector's patterns for RE2: without captures and look-aheads, extended to the token's end."""
    return [Rule(kind, _for_re2(regex) + tail, accept) for regex in patterns_of(detector)]


def _for_re2(regex: re.Pattern[str]) -> str:
    pattern = re.sub(
        r"(?:\{(\d+),\d+\})?\(\?!\\w\)$", lambda m: f"{{{m[1]},}}" if m[1] else "", regex.pattern
    )
    pattern = re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern)
    return f"(?i:{pattern})" if regex.flags & re.IGNORECASE else f"(?:{pattern})"


def _alone(kind: str, detector: type[RegexBasedDetector], place: slice = slice(None)) -> list[Rule]:
    """The detector's patterns where they aren't a piece of a longer run of letters and digits."""
    patterns = [_for_re2(regex) for regex in patterns_of(detector)[place]]
    return [Rule(kind, rf"(?:\b|_|\\[nrt])({pattern})(?:\b|_)") for pattern in patterns]


ARMOUR = r"""(?:\\[rnt]|[\s"'`+\\,;.)(|>#*-])*"""
"""Characters between the lines of a PEM key: line ends, diff marks, quotes, escapes, indentation."""
NAME = r"(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?"
BEGIN = rf"-{{4,5}} ?BEGIN {NAME} ?-{{4,5}}"
HEADERS = rf"(?:[A-Za-z][A-Za-z-]+: [^\n\\]+{ARMOUR})*"
BODY = rf"[A-Za-z0-9+/=]{{30,}}(?:{ARMOUR}[A-Za-z0-9+/=]{{16,}})*"
END = rf"(?:{ARMOUR}[A-Za-z0-9+/=]{{1,15}}){{0,3}}{ARMOUR}-{{4,5}} ?END {NAME} ?-{{4,5}}"

OWN_RULES: tuple[Rule, ...] = (
    Rule("private_key", rf"{BEGIN}{ARMOUR}{HEADERS}{BODY}(?:{END})?", hint=BEGIN),
    Rule("private_key", rf"{BODY}{END}", hint=f"END {NAME}"),
    Rule("private_key", rf"Private-Lines: \d+{ARMOUR}({BODY}(?:{ARMOUR}[A-Za-z0-9+/=]+)?)"),
    Rule("private_key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    *_alone("aws_access_key", AWSKeyDetector, slice(0, 1)),
    Rule("aws_secret_key", f"(?i:{patterns_of(AWSKeyDetector)[1].pattern})"),
    Rule(
        "aws_secret_key",
        r"(?i:(?:aws|secret).{0,20}?(?:key|token).{0,20}?[^A-Za-z0-9/+])([A-Za-z0-9/+]{40})(?:[^\w/+=]|$)",
        mixed,
    ),
    *_library("azure_storage_key", AzureStorageKeyDetector, tail=""),
    *_library("github_token", GitHubTokenDetector, _github),
    Rule("github_token", r"github_pat_[A-Za-z0-9_]{22,}"),
    *_library("gitlab_token", GitLabTokenDetector, tail=r"[\w-]*(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?"),
    Rule("slack_token", r"xoxe?[.-](?:xox[bp]-)?\d-[A-Za-z0-9]{20,}|xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]+"),
    *_library("slack_token", SlackDetector),
    *_library("stripe_key", StripeDetector),
    Rule("stripe_key", r"[rs]k_test_[0-9a-zA-Z]{24,}"),
    *_library("jwt", JwtTokenDetector, _jwt, tail=r"[\w.+/=-]*"),
    *_alone("twilio_key", TwilioKeyDetector),
    *_library("sendgrid_key", SendGridDetector),
    *_library("openai_key", OpenAIDetector),
    Rule("openai_key", r"sk-(?:proj|svcacct|admin)-[\w-]{20,}", mixed),
    Rule("anthropic_key", r"sk-ant-[\w-]{20,}", mixed),
    Rule("npm_token", r"\bnpm_[A-Za-z0-9]{36,}"),
    Rule("npm_token", r"_authToken[ \t]*=[ \t]*([^\s'\"$<{]{8,})"),
    *_library("pypi_token", PypiTokenDetector),
    *(
        replace(rule, hint=r"\.[\w-]{6}\.[\w-]{27}")
        for rule in _library("discord_token", DiscordBotTokenDetector, mixed)
    ),
    Rule("telegram_token", rf"\b({_for_re2(patterns_of(TelegramBotTokenDetector)[0])})(?:[^\w-]|$)", mixed),
    *(replace(rule, hint=r"-us[0-9]") for rule in _alone("mailchimp_key", MailchimpDetector)),
    *_library("square_secret", SquareOAuthDetector),
    Rule("google_api_key", r"AIza[\w-]{35,}|GOCSPX-[\w-]{28,}", mixed),
    Rule("huggingface_token", r"\bhf_[A-Za-z]{34,}"),
    Rule("digitalocean_token", r"do[opr]_v1_[a-f0-9]{64}"),
    Rule("vault_token", r"\bhv[sb]\.[\w-]{24,}", mixed),
    Rule("webhook_secret", r"\bwhsec_[A-Za-z0-9+/=]{24,}"),
    Rule("til_key", r"\btil_[\w-]{43}"),
    Rule("authorization", r"(?i:authorization\W{1,6}(?:bearer|token)[ \t]+)([\w.~+/-]{12,}=*)", mixed),
    Rule("authorization", r"(?i:\bbasic[ \t]+)([A-Za-z0-9+/]{8,}={0,2})", _basic),
    Rule("authorization", r"(?i:\bbearer[ \t]+)([\w.~+/-]{20,}=*)", mixed),
    Rule("authorization", r"(?i:\bAUTH[ \t]+PLAIN[ \t]+)([A-Za-z0-9+/]{8,}={0,2})", _plain),
    Rule(
        "authorization",
        r"""(?:"auth"[ \t]*:[ \t]*"|\b_auth[ \t]*=[ \t]*"?)([A-Za-z0-9+/]{8,}={0,2})""",
        _basic,
    ),
    Rule("webhook_url", r"(https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w-]{60,})"),
    Rule("google_oauth_token", r"\bya29\.[\w-]{30,}", mixed),
    Rule("new_relic_key", r"\bNRA[KAL]-[A-Z0-9]{27,}"),
    Rule("notion_token", r"\b(?:ntn|secret)_[A-Za-z0-9]{43,}", mixed),
    Rule("basic_auth", r"://[^\s:/?#@\[\]]*:([^\s/?#\"'`(){}\[\]]+)@", _password),
)
