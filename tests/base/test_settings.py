"""Settings that are refused at the start."""

from __future__ import annotations

import pytest

from base.settings import ModelSettings, read


@pytest.mark.parametrize("models", ["", ",", " , "])
def test_a_list_without_an_alias_is_refused(models: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIL_MODELS", models)
    with pytest.raises(SystemExit, match="TIL_MODELS"):
        read(ModelSettings)
