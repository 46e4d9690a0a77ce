"""Puts the present help texts into docs/command_line.md: each block that begins with "$ qdq ... --help".

    python3 tools/update_command_line_docs.py build/release/qdq
"""

import re
import subprocess
import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "command_line.md"
BLOCK = re.compile(r"```text\n\$ qdq (?P<arguments>[^\n]*--help)\n.*?```", re.DOTALL)


def updated(document, program):
    """The document's text with each help block as `program` prints it now."""

    def block(match):
        arguments = match["arguments"]
        printed = subprocess.run([program, *arguments.split()], check=True, capture_output=True, text=True).stdout
        return f"```text\n$ qdq {arguments}\n{printed.rstrip()}\n```"

    return BLOCK.sub(block, document)


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text(), Path(sys.argv[1]).resolve()))
