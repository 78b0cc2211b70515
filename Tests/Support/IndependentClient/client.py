#!/usr/bin/env python3
"""Removes a pod through podreap-helper, with nothing but the protocol's document and Python's standard library.

    client.py HELPER DOCUMENT

DOCUMENT is JSON: {"runtime": NAME, "containers": [{"id": ID, "directory": PATH}], "directory": PATH,
"namespaces": [PATH], "cgroups": [PATH]}, the infra container last. Prints a line for each step.
"""

import array
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time

HEADER = struct.Struct("<4sHHQII")
MAGIC = b"PDRP"
HELLO, UNMOUNT, NAMESPACE, DIRECTORY, STATE, KILL, DELETE, LIST = range(1, 9)
DONE, ALREADY_DONE, IN_PROGRESS, REFUSED, MALFORMED, FAILED, TIMED_OUT, UNSUPPORTED = range(8)
SANDBOX, CONTAINER, NETNS, IPCNS, UTSNS, CGROUP = range(1, 7)
SEALS = 0x2 | 0x4 | 0x8 | 0x1  # SHRINK, GROW, WRITE, SEAL
LOOK, ACT = b"\0", b"\1"


class Broken(Exception):
    """The helper said something that the document does not allow."""


class Reader:
    """Fields of a packet, front to back."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if count > len(self.data):
            raise Broken("truncated")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def text(self, size):
        return self.take(self.number(size))

    def flag(self):
        value = self.number(1)
        if value > 1:
            raise Broken("flag")
        return value == 1

    def node(self):
        return tuple(self.number(8) for _ in range(3))


class Answer:
    """A reply: status, what it brings, facts."""

    def __init__(self, status, reader, descriptor):
        self.status, self.detail, self.facts = status, None, None
        if status == REFUSED:
            self.detail = ("rule", reader.number(2), reader.text(2))
        elif status == MALFORMED:
            self.detail = ("reason", reader.number(2))
        elif status == FAILED:
            self.detail = ("errno", reader.number(4), "call", reader.number(2), reader.text(2))
        elif status == UNSUPPORTED:
            self.detail = ("versions", reader.number(2), reader.number(2))
        elif status > UNSUPPORTED:
            raise Broken("status")
        tag = reader.number(1)
        if tag == 1:
            self.facts = self.welcome(reader)
        elif tag == 2:
            self.facts = {"mount": reader.number(8), "unique": reader.flag()}
        elif tag == 3:
            self.facts = {"namespace": reader.node(), "mounted": reader.flag()}
        elif tag == 4:
            node, following, count = reader.node(), reader.number(8), reader.number(2)
            children = [(reader.number(1), reader.text(1)) for _ in range(count)]
            self.facts = {"directory": node, "next": following, "children": children}
        elif tag == 5:
            self.facts = {"count": reader.number(8)}
        elif tag == 6:
            self.facts = self.runtime(reader, descriptor)
        elif tag != 0:
            raise Broken("facts")
        if reader.data:
            raise Broken("trailing bytes")

    @staticmethod
    def welcome(reader):
        version, release, missing = reader.number(2), reader.text(1), reader.number(8)
        roots = []
        for _ in range(reader.number(1)):
            kind, least, most = reader.number(1), reader.number(1), reader.number(1)
            roots.append({"kind": kind, "depth": (least, most), "path": reader.text(1), "names": reader.text(1)})
        runtimes = []
        for _ in range(reader.number(1)):
            runtimes.append({"name": reader.text(1), "root": reader.text(1), "hooks": reader.flag()})
        return {"version": version, "release": release, "missing": missing, "roots": roots, "runtimes": runtimes}

    @staticmethod
    def runtime(reader, descriptor):
        status = struct.unpack("<i", reader.take(4))[0]
        state = reader.node() if reader.flag() else None
        errors = reader.text(2)
        if reader.flag():
            size = reader.number(4)
            if descriptor is None or fcntl.fcntl(descriptor, 1034) & SEALS != SEALS:
                raise Broken("no sealed memfd")
            output = os.pread(descriptor, size, 0)
        else:
            output = reader.text(2)
        return {"status": status, "state": state, "errors": errors, "output": output}

    def __str__(self):
        return f"status {self.status} {self.detail or ''} {self.facts or ''}"


class Helper:
    """A helper process and the socket to it."""

    def __init__(self, program):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen([program], stdin=theirs)
        theirs.close()
        self.last = 0
        self.welcome = self.expect(self.ask(HELLO, struct.pack("<HH", 1, 1)), DONE).facts

    @staticmethod
    def expect(answer, *statuses):
        if answer.status not in statuses:
            raise Broken(str(answer))
        return answer

    def ask(self, kind, body, milliseconds=30000):
        self.last += 1
        self.socket.send(HEADER.pack(MAGIC, 1, kind, self.last, len(body), milliseconds) + body)
        self.socket.settimeout(milliseconds / 1000 + 6)
        try:
            packet, control, flags, _ = self.socket.recvmsg(16384, socket.CMSG_SPACE(4))
        except ConnectionResetError:
            packet, control, flags, _ = self.socket.recvmsg(16384, socket.CMSG_SPACE(4))
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise Broken("cut")
        descriptor = None
        for level, kind_of_data, data in control:
            if (level, kind_of_data) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptor = array.array("i", data)[0]
        if len(packet) < HEADER.size:
            raise Broken("the helper has ended")
        magic, version, answered, request, length, status = HEADER.unpack(packet[: HEADER.size])
        if (magic, version, length) != (MAGIC, 1, len(packet) - HEADER.size):
            raise Broken("header")
        if (answered, request) not in ((kind | 0x8000, self.last), (0x8001, 0)):
            raise Broken("an answer to something else")
        try:
            return Answer(status, Reader(packet[HEADER.size :]), descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def place(self, path, *kinds):
        """A path as root and names: the longest root of these kinds that it lies beneath."""
        found = [
            (len(root["path"]), index)
            for index, root in enumerate(self.welcome["roots"])
            if root["kind"] in kinds and path.encode().startswith(root["path"] + b"/")
        ]
        length, index = max(found)
        names = path.encode()[length + 1 :].split(b"/")
        return bytes([index, len(names)]) + b"".join(bytes([len(name)]) + name for name in names)

    def close(self):
        self.socket.close()
        return self.process.wait(10)


def mounts_beneath(path):
    """Mount points at or beneath a path, the last mounted first."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        points = [line.split()[4] for line in table]
    return [point for point in reversed(points) if point == path or point.startswith(path + "/")]


def remove_directory(helper, path, kind):
    for point in mounts_beneath(path):
        answer = helper.expect(helper.ask(UNMOUNT, helper.place(point, kind) + ACT), DONE, ALREADY_DONE)
        print("unmounted", point, answer)
    place = helper.place(path, kind)
    look = helper.expect(helper.ask(DIRECTORY, place + LOOK + bytes(8)), DONE, ALREADY_DONE)
    if look.status == ALREADY_DONE:
        return
    act = b"\2" + struct.pack("<QQQ", *look.facts["directory"]) + struct.pack("<IBB", 100, 0, 1)
    while helper.expect(helper.ask(DIRECTORY, place + act), DONE, ALREADY_DONE, IN_PROGRESS).status == IN_PROGRESS:
        pass
    print("removed", path)


def remove_container(helper, runtime, container):
    identifier = container["id"].encode()
    target = bytes([runtime, len(identifier)]) + identifier
    state = helper.expect(helper.ask(STATE, target), DONE, ALREADY_DONE)
    if state.status == DONE and json.loads(state.facts["output"])["status"] != "stopped":
        helper.expect(helper.ask(KILL, target + ACT + bytes([9, 0])), DONE, ALREADY_DONE)
        for _ in range(1000):
            state = helper.expect(helper.ask(STATE, target), DONE, ALREADY_DONE)
            if state.status == ALREADY_DONE or json.loads(state.facts["output"])["status"] == "stopped":
                break
            time.sleep(0.01)
    helper.expect(helper.ask(DELETE, target + ACT), DONE, ALREADY_DONE)
    print("deleted", container["id"])
    remove_directory(helper, container["directory"], CONTAINER)


def main():
    program, document = sys.argv[1:]
    pod = json.loads(document)
    helper = Helper(program)
    if helper.welcome["missing"]:
        raise Broken(f"capabilities are missing: {helper.welcome['missing']:#x}")
    runtime = [entry["name"].decode() for entry in helper.welcome["runtimes"]].index(pod["runtime"])
    for container in pod["containers"]:
        remove_container(helper, runtime, container)
    remove_directory(helper, pod["directory"], SANDBOX)
    for path in pod["namespaces"]:
        answer = helper.ask(NAMESPACE, helper.place(path, NETNS, IPCNS, UTSNS) + ACT)
        print("unpinned", path, helper.expect(answer, DONE, ALREADY_DONE))
    for path in pod["cgroups"]:
        slice_ = struct.pack("<IBB", 1000, 0, 1)
        helper.expect(helper.ask(DIRECTORY, helper.place(path, CGROUP) + ACT + slice_), DONE, ALREADY_DONE)
    listed = helper.expect(helper.ask(LIST, bytes([runtime])), DONE)
    left = {entry["id"] for entry in json.loads(listed.facts["output"]) or []}
    if left & {container["id"] for container in pod["containers"]}:
        raise Broken("the runtime still lists a container")
    status = helper.close()
    print("helper ended with", status)
    return status


if __name__ == "__main__":
    sys.exit(main())
