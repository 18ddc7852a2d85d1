"""What an older version has pickled is read as it was, or refused with what to do; it is never half read."""

from __future__ import annotations

import json
import pickle
import sys
from base64 import b64decode
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import fsm_egress as fe

FOUND = json.loads(
    (Path(__file__).parent / "vectors" / "pickles-before-wings.json").read_text(encoding="utf-8")
)
PICKLES = {name: b64decode(text) for name, text in FOUND["pickles"].items()}
READ = {"Pattern", "PipyConfig", "Sidecar"}  # which stand where they stood, and are what they were
ANSWERS = {"Partition", "Verification"}  # whose modules are there, but no longer hold them


def unpickled(name: str) -> Any:
    return pickle.loads(PICKLES[name])  # noqa: S301  # because the bytes are our own


@pytest.mark.parametrize("name", sorted(PICKLES.keys() - READ - ANSWERS))
def test_what_has_moved_is_to_be_made_anew(name: str) -> None:
    with pytest.raises(
        ModuleNotFoundError, match="what another version has pickled is to be made anew"
    ) as error:
        unpickled(name)
    assert str(error.value).startswith("there is no module `fsm_egress.")


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_that_have_moved_are_not_read(name: str) -> None:
    with pytest.raises(ImportError, match="what another version has pickled is to be made anew") as error:
        unpickled(name)
    assert f"has no `{name}`: public names are in `fsm_egress`" in str(error.value)
    module = sys.modules[str(error.value.name)]
    assert not hasattr(module, "nothing")


def test_what_is_read_is_what_it_was() -> None:
    config = fe.pipy_config(fe.load(*FOUND["documents"]), "curl.curl")
    made = {
        "Pattern": fe.Pattern("^/get"),
        "PipyConfig": config,
        "Sidecar": fe.Sidecar.read(config.to_json()),
    }
    assert made.keys() == READ
    for name, value in made.items():
        assert type(unpickled(name)) is type(value)
        assert repr(unpickled(name)) == repr(value)


def test_only_modules_of_ours_are_told_of() -> None:
    assert find_spec("fsm_egress_of_others") is None
    with pytest.raises(
        ModuleNotFoundError, match=r"there is no module `fsm_egress\.nowhere`: public names are in"
    ):
        find_spec("fsm_egress.nowhere")
    with pytest.raises(ImportError, match="cannot import name 'nowhere' from 'fsm_egress'"):
        exec("from fsm_egress import nowhere")  # noqa: S102  # because it is an error to a type checker
    assert "fsm_egress.nowhere" not in sys.modules
