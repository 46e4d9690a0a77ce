"""Completions and the manual page, tried in the shells and programs that read them."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from tools import tool


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files that may be completed, the scripts of the shells, and the manual page."""
    folder = tmp_path_factory.mktemp("completions")
    work = folder / "work"
    (work / "runs").mkdir(parents=True)
    for name in ("net.pt2", "net notes.txt", "other net.pt2", "images.npz", "stats.safetensors"):
        (work / name).touch()
    for shell, file in (("bash", "qdq.bash"), ("zsh", "_qdq"), ("fish", "qdq.fish")):
        done = subprocess.run([tool("qdq"), "completions", shell], check=True, capture_output=True, text=True)
        (folder / file).write_text(done.stdout)
    return folder


# A way to ask each shell: the words that it offers behind a command line.


def ask_bash(folder, line):
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f"source '{folder}/qdq.bash'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _qdq; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-uc", script], cwd=folder / "work", check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return sorted(word for word in done.stdout.splitlines() if word)


def ask_fish(folder, line):
    script = f"source '{folder}/qdq.fish'; complete -C '{line}'"
    env = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], cwd=folder / "work", env=env, check=True, capture_output=True, text=True
    )
    return sorted(word.split("\t")[0].rstrip("/") for word in done.stdout.splitlines() if word)


class Zsh:
    """An interactive zsh whose completions go to a file in place of the screen."""

    SETUP = r"""
PROMPT=; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D
compadd() {{
  builtin compadd -O found "$@"
  print -rl -- "${{found[@]}}" >> {folder}/offered
  builtin compadd "$@"
}}
finished() {{ zle expand-or-complete; BUFFER=; print done >> {folder}/offered }}
zle -N finished; bindkey '^T' finished; print ready > {folder}/offered
"""

    def __init__(self, folder):
        self.offered = folder / "offered"
        pid, self.terminal = pty.fork()
        if pid == 0:
            os.chdir(folder / "work")
            os.environ["TERM"] = "xterm"
            os.execvp("zsh", ["zsh", "-f", "-i"])
        setup = folder / "setup.zsh"
        setup.write_text(self.SETUP.format(folder=folder))
        self.send(f"source {setup}\n")
        self.wait_for("ready")

    def send(self, text):
        os.write(self.terminal, text.encode())

    def wait_for(self, word):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if select.select([self.terminal], [], [], 0.05)[0]:
                os.read(self.terminal, 65536)
            if self.offered.exists() and word in self.offered.read_text().split("\n"):
                return self.offered.read_text().split("\n")
        raise TimeoutError(f"zsh never said {word}")

    def ask(self, line):
        self.offered.write_text("")
        self.send(line + "\x14")
        words = {re.sub(r"\\(.)", r"\1", word) for word in self.wait_for("done")}  # files come quoted
        return sorted(words - {"", "done"})

    def close(self):
        self.send("\x03exit\n")
        os.close(self.terminal)


@pytest.fixture(scope="module", params=["bash", "zsh", "fish"])
def ask(request, folder):
    """ask(line): the words that the shell offers."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    if shell == "zsh":
        zsh = Zsh(folder)
        yield zsh.ask
        zsh.close()
    else:
        function = {"bash": ask_bash, "fish": ask_fish}[shell]
        yield lambda line: function(folder, line)


def all_commands():
    printed = subprocess.run([tool("qdq"), "--help"], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^  ([a-z]\S*)", printed.split("Commands:\n")[1], re.MULTILINE)


def test_commands_are_completed(ask):
    assert set(all_commands()) <= set(ask("qdq "))
    assert ask("qdq cal") == ["calibrate"]


def test_options_are_completed(ask):
    assert ask("qdq bench net.pt2 --per-") == ["--per-node", "--per-op"]
    assert "--weight-observer" in ask("qdq quantize net.pt2 --we")


def test_values_are_completed(ask):
    assert ask("qdq run net.pt2 --executor ") == ["fast", "reference", "simulated"]
    assert {"fuse_conv_bn", "duplicate_dq"} <= set(ask("qdq quantize net.pt2 --disable-pass "))
    assert "all" in ask("qdq quantize net.pt2 --dump-after a")
    assert {"MinMaxObserver", "MSEObserver"} <= set(ask("qdq calibrate net.pt2 --observer M"))
    assert ask("qdq explain net.pt2 --quantizer x") == ["x86", "xnnpack", "xpu"]
    assert ask("qdq completions ") == ["bash", "fish", "zsh"]


def test_files_are_completed_by_their_extensions(ask):
    assert ask("qdq inspect n") == ["net.pt2"]
    assert ask("qdq inspect ") == ["net.pt2", "other net.pt2", "runs"]
    assert ask("qdq quantize net.pt2 --calibrate ") == ["images.npz", "runs", "stats.safetensors"]
    assert ask("qdq quantize net.pt2 -c i") == ["images.npz"]


@needs("bash")
def test_bash_completes_behind_an_equals_sign(folder):
    assert ask_bash(folder, "qdq run --executor = f") == ["fast"]


@needs("man")
def test_the_manual_page_is_formatted_without_a_warning(tmp_path):
    page = tmp_path / "qdq.1"
    page.write_text(subprocess.run([tool("qdq"), "manual"], check=True, capture_output=True, text=True).stdout)
    env = {**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["man", "--warnings=w", "-l", page], env=env, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    text = re.sub(".\b", "", done.stdout)
    for command in all_commands():
        assert re.search(rf"^ +qdq {command}\b", text, re.MULTILINE), command
    for part in ("QDQ(1)", "--checkpoint-every", "xnnpack, x86, arm", "qdq inspect net.pt2 --json | jq .signature"):
        assert part in text


@needs("groff")
def test_the_manual_page_has_no_groff_warnings():
    page = subprocess.run([tool("qdq"), "manual"], check=True, capture_output=True).stdout
    done = subprocess.run(["groff", "-man", "-ww", "-z"], input=page, check=True, capture_output=True)
    assert done.stderr == b""


def test_an_unknown_shell_is_refused(run):
    assert "zsh" in run("completions", "tcsh", code=2).stderr
