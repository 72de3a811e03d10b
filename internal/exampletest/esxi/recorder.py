"""Stands in for a host's programs: writes down how they are called, and answers from a
table."""

import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile

HOOKS = pathlib.Path(__file__).parents[3] / "example/esxi/curtin"
sys.path.insert(0, str(HOOKS / "maas"))
sys.dont_write_bytecode = True

PROGRAM = """#!/usr/bin/python3 -SE
import json, os, sys
home = os.path.dirname(os.path.abspath(__file__))
call = [os.path.basename(sys.argv[0])] + sys.argv[1:]
stdin = sys.stdin.read()
with open(home + "/calls", "a") as file:
    file.write(json.dumps([call, stdin]) + "\\n")
with open(home + "/answers") as file:
    answers = json.load(file)
for words, output, code in answers:
    if call[:len(words)] == words:
        sys.stdout.write(output)
        sys.exit(code)
"""


class Programs:
    """The programs, for the time of a with block. Calls that no answer is for succeed and
    say nothing."""

    def __init__(self, *names):
        self.names = names
        self.answers = []

    def answer(self, call, output="", code=0):
        """Has a call that starts with these words say this. Lists become JSON."""
        words = call.split() if isinstance(call, str) else call
        self.answers.append([words, output if isinstance(output, str) else json.dumps(output), code])
        return self

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        home = pathlib.Path(self.folder.name)
        (home / "answers").write_text(json.dumps(self.answers))
        for name in self.names:
            (home / name).write_text(PROGRAM)
            (home / name).chmod(0o755)
        self.path = os.environ["PATH"]
        os.environ["PATH"] = "%s:%s" % (home, self.path)
        return self

    def __exit__(self, *unused):
        os.environ["PATH"] = self.path
        self.calls = self.read()
        self.folder.cleanup()

    def read(self):
        calls = pathlib.Path(self.folder.name, "calls")
        return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []

    def lines(self, program=None):
        """The calls as lines; of one program, or all."""
        return [" ".join(call) for call, _ in self.calls if program in (None, call[0])]


def quietly(function, *args):
    """Calls a function, and returns its result and what it printed."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        result = function(*args)
    return result, output.getvalue()
