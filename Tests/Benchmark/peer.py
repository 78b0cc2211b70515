#!/usr/bin/python3
"""Makes and removes pods of another runtime, as lines on standard input ask, and says how long a removal took.

    peer.py containerd SOCKET | podman DIR | podreapd SOCKET

    make NAME WORKLOADS handlesTerm|ignoresTerm    ok ID
    remove ID...                                   ok MICROSECONDS      all at once
    resident PID, anonymous PID                    ok KIBIBYTES         all of the process, and what no file backs

`podreapd` makes none: its pods are registered elsewhere. Anything but `ok` is an error.
"""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../Support/Peers"))
sys.dont_write_bytecode = True
import cri  # noqa: E402

# What the sample pods run, too (Tests/Support/SamplePod/Workload.swift).
SCRIPTS = {
    "handlesTerm": "trap 'kill $!; exit 0' TERM; sleep 2147483647 & wait",
    "ignoresTerm": "trap '' TERM; exec sleep 2147483647",
}


class Service:
    """A server of runtime.v1."""

    def __init__(self, socket):
        self.client = cri.Client(socket)

    def make(self, name, workloads, behaviour):
        pod, config, options = self.client.pod(name, False)
        for number in range(workloads):
            command = ["/bin/sh", "-c", SCRIPTS[behaviour]]
            self.client.container(pod, config, options, f"app-{number}", command)
        return pod

    def remove(self, ids):
        method = self.client.channel.unary_unary("/runtime.v1.RuntimeService/RemovePodSandbox")
        start = time.monotonic()
        for call in [method.future(cri.message({1: pod}), timeout=300) for pod in ids]:
            call.result()
        return time.monotonic() - start


class Podman:
    def __init__(self, directory):
        self.command = [os.path.join(HERE, "../Support/Peers/podman"), directory]
        self.ignoring = set()
        self.run("version")

    def run(self, *arguments):
        done = subprocess.run(self.command + list(arguments), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"podman {arguments[0]}: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()

    def make(self, name, workloads, behaviour):
        pod = self.run("pod", "create", "--name", name, "--infra-command", "/bin/pause")
        for number in range(workloads):
            command = ["/bin/sh", "-c", SCRIPTS[behaviour]]
            self.run("run", "--detach", "--pod", name, "--name", f"{name}-{number}", "localhost/busybox:1", *command)
        if behaviour == "ignoresTerm":
            self.ignoring.add(pod)
        return pod

    def remove(self, ids):
        # It would wait 10 s for each container that ignores TERM, one after the other; the others kill at once.
        patience = ["--time", "0"] if self.ignoring.intersection(ids) else []
        start = time.monotonic()
        self.run("pod", "rm", "--force", *patience, *ids)
        return time.monotonic() - start


FIELDS = {"resident": "VmRSS:", "anonymous": "RssAnon:"}


def memory(kind, pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(line.split()[1] for line in status if line.startswith(FIELDS[kind]))


def main(kind, place):
    peer = Podman(place) if kind == "podman" else Service(place)
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            if verb == "make":
                answer = peer.make(words[0], int(words[1]), words[2])
            elif verb == "remove":
                answer = round(peer.remove(words) * 1e6)
            else:
                answer = memory(verb, words[0])
            print("ok", answer, flush=True)
        except Exception as error:  # pylint: disable=broad-except
            print(f"{kind} {verb}: {error}".replace("\n", " "), flush=True)


main(*sys.argv[1:])
