"""What kubectl's and Helm's own code make of texts: asked where Go is, and kept as data for where it is not.

`python tests/oracles/asked.py` asks anew about all that `tests/vectors/oracles.json` holds.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors" / "oracles.json"

Tree = dict[str, Any]


class Oracle:
    """The program of `main.go`, whose libraries are those that `go.mod` names."""

    def __init__(self, folder: Path) -> None:
        program = folder / "oracle"
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=HERE, check=True)
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, question: Tree) -> Tree:
        """The answer; that there is an error is kept, not its words, which are another's."""
        sent, heard = self.process.stdin, self.process.stdout
        assert sent is not None
        assert heard is not None
        sent.write(json.dumps(question, ensure_ascii=False).encode() + b"\n")
        sent.flush()
        answer: Tree = json.loads(heard.readline())
        return answer if "error" not in answer else {**answer, "error": True}

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait()


def known() -> list[Tree]:
    """The questions that were asked, each with what was answered."""
    found: list[Tree] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


def asked_anew(oracle: Oracle) -> list[Tree]:
    return [{"question": it["question"], "answer": oracle.ask(it["question"])} for it in known()]


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as place:
        oracle = Oracle(Path(place))
        lines = [json.dumps(it, ensure_ascii=False) for it in asked_anew(oracle)]
        oracle.close()
    VECTORS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
