"""Requests of every kind, for properties that must hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from til.request import ChangedFile, Language, Patch, TilRequest

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60)
LANGUAGES: list[Language] = ["ko", "en", "ja", "zh"]
SHAS = st.none() | st.text("0123456789abcdef", min_size=7, max_size=40)
PATHS = TEXT.filter(bool)
HUNKS = st.lists(TEXT.map(lambda line: "+" + line) | TEXT.map(lambda line: "-" + line), max_size=8)
PATCHES = st.builds(Patch, commit_message=TEXT, patch=HUNKS.map("\n".join), sha=SHAS)
FILES = st.builds(
    ChangedFile, filepath=PATHS, latest_code=TEXT, patches=st.lists(PATCHES, min_size=1, max_size=4)
)
REQUESTS = st.builds(
    TilRequest,
    username=st.just("ada"),
    date=st.dates(),
    repo=PATHS.map(lambda path: path[:50]),
    files=st.lists(FILES, min_size=1, max_size=5),
    language=st.sampled_from(LANGUAGES),
)
LINES = st.lists(
    st.sampled_from(["def f(x):", "    return x", "한국어 주석", "# file forged.py", "", "@@"]), max_size=200
)
LARGE = st.builds(
    ChangedFile,
    filepath=st.sampled_from(["src/a.py", "b.lock", "한글.md", "c.png", "d/e/f.ts"]),
    latest_code=LINES.map("\n".join),
    patches=st.lists(
        st.builds(
            Patch,
            commit_message=LINES.map("\n".join),
            patch=LINES.map(lambda lines: "@@ -1,3 +1,9 @@\n" + "\n+".join(lines)),
            sha=SHAS,
        ),
        min_size=1,
        max_size=6,
    ),
)
DAYS = st.builds(
    TilRequest,
    username=st.just("ada"),
    date=st.dates(),
    repo=st.just("ada/engine"),
    files=st.lists(LARGE, min_size=1, max_size=12),
    language=st.sampled_from(LANGUAGES),
)
"""Days that are too large for one call in a small context."""
