"""The way in: `python -I -m sproutml_toolkit COMMAND`. See PROTOCOL.md.

profile, split, prepare, train, ensemble, evaluate, report …: one JSON request on stdin, JSON lines on stdout.
zygote: a warm process that forks one child per command. agent-code: runs code that an agent wrote, in a sandbox for such.
predict: for people.
"""

import sys


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    name = arguments[0] if arguments else "--help"
    if name == "predict":
        from .predict import main as predict

        return predict(arguments[1:])
    if name == "agent-code":
        from .agent_code.inside import main as agent_code

        return agent_code()
    if name == "zygote":
        from .zygote import main as zygote

        return zygote()
    if name in ("--help", "-h", "help"):
        print(__doc__)
        return 0
    from .commands import serve
    from .wire import claim_stdout

    claim_stdout()
    return serve(name, sys.stdin.read)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
