"""The fixed words of a post in each language: headings, notes, dates."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from til.request import Language


@dataclass(frozen=True)
class Words:
    """The fixed words of a post; `headings` in the order of `til.post.SECTIONS`."""

    name: str
    headings: tuple[str, str, str, str, str, str]
    keywords: str
    outline_note: str
    date: str

    def day(self, date: datetime.date) -> str:
        """The date in the language's own form."""
        return self.date.format(y=date.year, m=date.month, d=date.day, month=date.strftime("%B"))


WORDS: dict[Language, Words] = {
    "ko": Words(
        "한국어",
        ("오늘 배운 것", "핵심 개념", "왜 필요한가", "어떻게 쓰는가", "문제 해결", "돌아보기"),
        "키워드",
        "언어 모델 없이 커밋에서 그대로 뽑아 정리한 개요입니다.",
        "{y}년 {m}월 {d}일",
    ),
    "en": Words(
        "English",
        (
            "What I learned today",
            "Concepts",
            "Why it is needed",
            "How to use it",
            "Problem solving",
            "Reflection",
        ),
        "Keywords",
        "An outline extracted from the commits, made without a language model.",
        "{d} {month} {y}",
    ),
    "ja": Words(
        "日本語",
        ("今日学んだこと", "概念", "なぜ必要か", "使い方", "問題の解決", "振り返り"),
        "キーワード",
        "言語モデルを使わずに、コミットからそのまま抜き出した概要です。",
        "{y}年{m}月{d}日",
    ),
    "zh": Words(
        "中文",
        ("今天学到的", "概念", "为什么需要", "如何使用", "解决的问题", "反思"),
        "关键词",
        "这是直接从提交中摘录的提纲，未使用语言模型。",
        "{y}年{m}月{d}日",
    ),
}
