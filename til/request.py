"""The request: one developer's commits of one day. Used for the API's body, the stored row and the prompt."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from base.text import STORABLE

Language = Literal["ko", "en", "ja", "zh"]
WebhookEvent = Literal["started", "progress", "succeeded", "failed", "cancelled", "expired"]
ENDING_EVENTS: tuple[WebhookEvent, ...] = ("succeeded", "failed", "cancelled", "expired")

MOST_FILES, MOST_PATCHES = 2000, 1000
"""Files in a request, and patches of one file."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200), STORABLE]
Path = Annotated[str, StringConstraints(min_length=1, max_length=1024), STORABLE]
Text = Annotated[str, STORABLE]
Sha = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{7,64}$")]


class Strict(BaseModel):
    """Unknown fields are refused: a misspelt option must not be silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Patch(Strict):
    """One commit's change to one file, as a unified diff."""

    commit_message: Annotated[str, StringConstraints(max_length=65_536), STORABLE]
    patch: Text
    sha: Sha | None = None


class ChangedFile(Strict):
    """A file as it stands at the end of the day, and the day's patches to it, oldest first."""

    filepath: Path
    latest_code: Text = ""
    patches: Annotated[list[Patch], Field(min_length=1, max_length=MOST_PATCHES, fail_fast=True)]


class Webhook(Strict):
    """Where to send this job's events, and which of them."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048), STORABLE]
    events: Annotated[list[WebhookEvent], Field(min_length=1, max_length=6)] = list(ENDING_EVENTS)


class Options(Strict):
    """Sampling: `temperature` 0..2, `seed` 0..2^31-1 (null: random), `max_output_tokens` of a post."""

    temperature: Annotated[float, Field(ge=0, le=2)] = 0.3
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=256, le=8192)] = 2048


Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(min_length=1, max_length=64), STORABLE],
        Annotated[str, StringConstraints(max_length=512), STORABLE],
    ],
    Field(max_length=16),
]


class TilRequest(Strict):
    """A TIL post to be written: the body of `POST /v1/til`. Durations in seconds."""

    username: Name
    date: datetime.date
    repo: Name
    files: Annotated[list[ChangedFile], Field(min_length=1, max_length=MOST_FILES, fail_fast=True)]
    language: Language = "ko"
    webhook: Webhook | None = None
    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    priority: Annotated[int, Field(ge=-3600, le=3600)] = 0
    queue_seconds: Annotated[int, Field(ge=1, le=7 * 86_400)] = 86_400
    run_seconds: Annotated[int, Field(ge=1, le=3600)] = 600
    reuse: bool = False
    options: Options = Options()
    metadata: Metadata = {}

    @field_validator("language", mode="before")
    @classmethod
    def primary_subtag(cls, value: Any) -> Any:
        """`en-GB` asks for `en`: BCP 47's primary subtag chooses the language."""
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{2}(-[A-Za-z0-9]{1,8}){0,9}", value):
            return value.split("-")[0].lower()
        return value

    def sources(self) -> list[str]:
        """The sources that a point may cite: SHAs, then paths, each once, in order of appearance."""
        shas = [patch.sha for file in self.files for patch in file.patches if patch.sha]
        return list(dict.fromkeys([*shas, *(file.filepath for file in self.files)]))
