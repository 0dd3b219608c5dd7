"""Writes the draft of a day without a model, only from what the commits and their diffs say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from til.markdown import one_line
from til.post import KEYWORD_CHARACTERS, TITLE_CHARACTERS, Draft
from til.request import TilRequest
from worker.engines.outline.change_sections import ChangeSections
from worker.engines.outline.commit_sections import CommitSections, title_of
from worker.engines.outline.facts import Facts, facts_of
from worker.engines.outline.page import Page
from worker.engines.outline.paths import is_test

MOST_KEYWORDS = 5
COMPOUND = re.compile(r"[^_]_[^_]|[a-z][A-Z]|[^\x00-\x7f]")
"""Matches names of several words, or not in ASCII: they say more than a common English word."""


def outline(
    request: TilRequest, sources: Sequence[str], most: int, text_characters: int, most_sources: int = 1
) -> Draft:
    """The draft of a day: up to `most` points a section, of up to `text_characters` and `most_sources` each.

    Deterministic, and linear in the size of the request.
    """
    facts, page = facts_of(request), Page(request, sources, text_characters, most_sources)
    title, titled = title_of(facts, page, TITLE_CHARACTERS)
    commits, changes = CommitSections(facts, page, most, titled), ChangeSections(facts, page, most)
    return Draft(
        title=title,
        keywords=_keywords(facts),
        learned=commits.learned(),
        concepts=changes.concepts(),
        why=commits.why(),
        how=changes.how(),
        problem=commits.problem(),
        reflection=changes.reflection(has_total=titled),
    )


def _keywords(facts: Facts) -> list[str]:
    """Languages, scopes of commits, new names, and the repository; too long ones are left out."""
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
