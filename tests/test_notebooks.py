"""The notebooks run from a clean kernel, and show what they show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples" / "notebooks").glob("*.ipynb"))
VOLATILE = re.compile(r"0x[0-9a-f]+")


def shown(notebook: Any) -> list[list[tuple[str, str]]]:
    """What each cell shows: its texts and its HTML."""
    return [
        [(kind, VOLATILE.sub("", text)) for output in cell.outputs for kind, text in texts(output)]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def texts(output: Any) -> list[tuple[str, str]]:
    if output.output_type == "stream":
        return [(output.name, output.text)]
    assert output.output_type == "execute_result", output
    data: dict[str, str] = output.data
    # pandas makes the tables of data frames; what is in them is in their text.
    return sorted((kind, text) for kind, text in data.items() if 'class="dataframe"' not in text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter itself
def test_it_shows_what_was_committed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path))
    committed = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    fresh = nbformat.from_dict(json.loads(json.dumps(committed)))  # type: ignore[no-untyped-call]
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(fresh, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert shown(fresh) == shown(committed)


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first-tour", "property-testing", "reviewing-a-change"]
