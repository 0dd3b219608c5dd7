"""The post: the JSON that an engine writes, and the result that the job has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

KEYWORD_CHARACTERS = 32
TITLE_CHARACTERS = 120


SECTIONS = ("learned", "concepts", "why", "how", "problem", "reflection")


class Point(BaseModel):
    """One statement and the commits (SHAs) or files (paths) that support it."""

    model_config = ConfigDict(extra="forbid")
    text: str
    sources: list[str]


class Draft(BaseModel):
    """The JSON that every engine writes: one list of points for each of the six `SECTIONS`."""

    model_config = ConfigDict(extra="forbid")
    title: str
    keywords: list[str]
    learned: list[Point]
    concepts: list[Point]
    why: list[Point]
    how: list[Point]
    problem: list[Point]
    reflection: list[Point]


class Section(BaseModel):
    """A section under its heading in the post's language."""

    heading: str
    points: list[Point]


class Result(BaseModel):
    """What `GET /v1/jobs/{id}` shows as `result`; `content` is the whole post in markdown."""

    title: str
    keywords: list[str]
    content: str
    sections: list[Section]
