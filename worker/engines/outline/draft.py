"""A day as a draft, without a model: only what the commits and their diffs say, each of it whole and once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from til.markdown import one_line
from til.post import KEYWORD_CHARACTERS, TITLE_CHARACTERS, Draft
from til.request import TilRequest
from worker.engines.outline.facts import Facts, facts_of
from worker.engines.outline.page import Page
from worker.engines.outline.paths import is_test
from worker.engines.outline.shown import Shown
from worker.engines.outline.told import Told, title_of

MOST_KEYWORDS = 5
COMPOUND = re.compile(r"[^_]_[^_]|[a-z][A-Z]|[^\x00-\x7f]")
"""In a name that says more than a word does."""


def outline(
    request: TilRequest, sources: Sequence[str], most: int, text_characters: int, most_sources: int = 1
) -> Draft:
    """The draft of a day: up to `most` points a section of `text_characters` that cite `most_sources`.

    Deterministic, and linear in the size of the request.
    """
    facts, page = facts_of(request), Page(request, sources, text_characters, most_sources)
    title, titled = title_of(facts, page, TITLE_CHARACTERS)
    told, shown = Told(facts, page, most, titled), Shown(facts, page, most)
    return Draft(
        title=title,
        keywords=_keywords(facts),
        learned=told.learned(),
        concepts=shown.concepts(),
        why=told.why(),
        how=shown.how(),
        problem=told.problem(),
        reflection=shown.reflection(told_total=titled),
    )


def _keywords(facts: Facts) -> list[str]:
    """Kinds of files, scopes of commits, new names, and the repository; whole, or left out."""
    messages = [commit.message for commit in facts.commits]
    scopes = Counter(one.scope for one in messages if one.scope and one.kind not in ("dependency", "release"))
    new = sorted(
        (
            name
            for change in facts.changes
            if change.path in facts.names and not is_test(change.path)
            for name in facts.names[change.path].new
            if not name.startswith("_")
        ),
        key=lambda name: COMPOUND.search(name) is None,
    )
    name = facts.request.repo.rpartition("/")[2] or facts.request.repo
    wanted = [*facts.kinds()[:2], *(scope for scope, _ in scopes.most_common(2)), *new[:2], name, *new[2:]]
    words = dict.fromkeys(one_line(word) for word in wanted)
    return [word for word in words if word and len(word) <= KEYWORD_CHARACTERS][:MOST_KEYWORDS] or ["git"]
