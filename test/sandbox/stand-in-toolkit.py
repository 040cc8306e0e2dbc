"""Speaks the wire of toolkit/PROTOCOL.md with commands that do what a test needs, and imports nothing slow."""

import json
import os
import selectors
import signal
import sys
import time


def say(**line):
    print(json.dumps(line), flush=True)


def command(name, request):
    """Runs one command; the exit code."""
    if name == "echo":
        say(type="progress", fraction=0.5, message="half way")
        say(type="log", level="WARNING", message="mind the gap")
        say(type="result", result={"echo": request, "pid": os.getpid()})
    elif name == "big":
        say(type="result", result={"text": "é" * request["length"]})
    elif name == "fail":
        say(type="error", code="TARGET_CONSTANT", message="always 1", hint="choose another")
        return 2
    elif name == "chatter":
        print("not the protocol\n{broken json\n" + json.dumps({"type": "unknown"}), flush=True)
        print("to stderr", file=sys.stderr, flush=True)
        say(type="result", result="after chatter")
    elif name == "sleep":
        say(type="progress", fraction=0, message="asleep")
        time.sleep(request["seconds"])
        open("work/awake", "a").write("x")
        say(type="result", result="slept")
    elif name == "train":
        say(type="progress", fraction=0, message="training")
        time.sleep(request["seconds"])
        folder = "work/trials/" + request["trialId"]
        os.makedirs(folder, exist_ok=True)
        plan = open("work/plan.json").read() if os.path.exists("work/plan.json") else None
        with open(folder + "/result.json", "w") as file:
            json.dump({"trialId": request["trialId"], "plan": plan, "seconds": request["seconds"]}, file)
        say(type="result", result={"trialId": request["trialId"], "host": sys.prefix})
    elif name == "silent":
        print("last words", flush=True)
    elif name == "abort":
        os.kill(os.getpid(), signal.SIGABRT)
    elif name == "eat":
        say(type="progress", fraction=0, message="eating")
        held = []
        while True:
            held.append(os.urandom(10 * 2**20))
            time.sleep(0.02)
    elif name == "kill-parent":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(30)
    return 0


def zygote():
    say(type="ready", seconds=0.0)
    print("zygote says hello", file=sys.stderr, flush=True)
    running = {}
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    pending = b""
    while True:
        if selector.select(0.02):
            chunk = os.read(0, 65536)
            if not chunk:
                for pid in running.values():
                    os.killpg(pid, signal.SIGKILL)
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                order = json.loads(line)
                if order.get("kill"):
                    if order["id"] in running:
                        os.killpg(running[order["id"]], signal.SIGKILL)
                else:
                    running[order["id"]] = start(order)
        for id, pid in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del running[id]
                signaled = os.WIFSIGNALED(status)
                say(
                    type="exit",
                    id=id,
                    code=None if signaled else os.WEXITSTATUS(status),
                    signal=signal.Signals(os.WTERMSIG(status)).name if signaled else None,
                )


def start(order):
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    global say
    plain = say
    say = lambda **line: plain(id=order["id"], **line)  # noqa: E731
    code = command(order["command"], order["request"])
    sys.stdout.flush()
    os._exit(code)


if sys.argv[1] == "zygote":
    zygote()
elif sys.argv[1] == "zygote-that-dies":
    print("no such library", file=sys.stderr)
    sys.exit(3)
else:
    sys.exit(command(sys.argv[1], json.load(sys.stdin)))
