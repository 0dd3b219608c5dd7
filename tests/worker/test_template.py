"""A template is found by its digest for ever, whatever languages come and go."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

from worker.writing.template import CURRENT, LANGUAGES, TEMPLATES, Template

OVER_ALL = "db06e4e9afc9cca77a55d66106c3b1c852e2f9756365710f109983a4d6667388"
RELEASED = {
    OVER_ALL,
    "04bba8ac01257db05552b6d6282d06a560aecb5e92314fa385e228d2fff2de65",
    "57fe0fe47e80c5825484827fb72bc2f54606d7cc80fdf89259acf4b969326054",
    "391db5238deb6c6e64d20feb1fc5db2230807b1e2ba84b0aea66de6af3551cbb",
    "230f58f2ac412223a3f5bf2512983bc986ef3db1a385a2deb261ad840bbd3856",
}


def test_a_released_template_is_never_changed_or_removed() -> None:
    assert set(TEMPLATES) == RELEASED
    assert all(CURRENT.digest(language) in RELEASED for language in LANGUAGES)


@dataclass(frozen=True)
class WithFrench(Template):
    fr: str = "En français."


def test_another_language_changes_no_digest_and_each_change_of_a_text_does() -> None:
    french = WithFrench(*astuple(CURRENT))
    assert [french.digest(one) for one in LANGUAGES] == [CURRENT.digest(one) for one in LANGUAGES]
    for name in ("post", "notes", "en"):
        assert replace(CURRENT, **{name: "else"}).digest("en") != CURRENT.digest("en")
    assert replace(CURRENT, ja="else").digest("en") == CURRENT.digest("en")
    assert TEMPLATES[OVER_ALL].for_post("en") == CURRENT.for_post("en")
