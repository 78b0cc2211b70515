#!/usr/bin/python3
"""Makes pods through a runtime's CRI (runtime.v1), without generated code: the few messages that it needs are encoded here.

    cri.py SOCKET pod NAME [host] [--container NAME COMMAND...]...   prints the pod's id, then each container's
    cri.py SOCKET stop POD [SECONDS]                                 StopPodSandbox
    cri.py SOCKET remove POD [SECONDS]                               RemovePodSandbox
    cri.py SOCKET list                                               prints ListPodSandbox's answer
    cri.py SOCKET ids                                                prints the ids that ListPodSandbox and ListContainers have

`host` is a pod with the node's network, PID and IPC namespaces. SECONDS is the call's deadline.
PODREAP_PEER_CGROUP names the parent of the pods' cgroups.
"""
import os
import re
import sys

import grpc

NODE, CONTAINER = 2, 1  # NamespaceMode
CGROUP = os.environ.get("PODREAP_PEER_CGROUP", "/podreap-peer")


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(fields):
    """Encodes {number: value}: an int, a str, encoded bytes, or a list of these."""
    out = b""
    for number, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                out += varint(number << 3) + varint(item)
            else:
                data = item.encode() if isinstance(item, str) else item
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def first_string(data):
    """The string in field 1 of a response; it is the only one, and shorter than 128 bytes."""
    assert data[0] == 1 << 3 | 2 and data[1] < 0x80, data
    return data[2:2 + data[1]].decode()


class Client:
    def __init__(self, socket):
        self.channel = grpc.insecure_channel("unix://" + socket)

    def call(self, method, fields, timeout=60):
        call = self.channel.unary_unary("/runtime.v1.RuntimeService/" + method)
        return call(message(fields), timeout=timeout, wait_for_ready=True)

    def pod(self, name, host):
        options = {1: NODE, 2: NODE, 3: NODE} if host else {2: CONTAINER}
        metadata = {1: name, 2: "uid-" + name, 3: "default", 4: 0}
        config = message({
            1: message(metadata), 2: "" if host else name, 3: "/tmp",
            6: message({1: "app", 2: name}),
            8: message({1: CGROUP, 2: message({1: message(options)})})})
        return first_string(self.call("RunPodSandbox", {1: config})), config, options

    def container(self, pod, config, options, name, command):
        container = message({
            1: message({1: name, 2: 0}), 2: message({1: "localhost/busybox:1"}), 3: command, 11: name + ".log",
            15: message({2: message({3: message(options)})})})
        made = first_string(self.call("CreateContainer", {1: pod, 2: container, 3: config}))
        self.call("StartContainer", {1: made})
        return made


def main(socket, verb, name="", *rest):
    client = Client(socket)
    calls = {"stop": "StopPodSandbox", "remove": "RemovePodSandbox"}
    if verb in calls:
        try:
            client.call(calls[verb], {1: name}, float(rest[0]) if rest else 60)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
        return
    if verb == "list":
        sys.stdout.buffer.write(client.call("ListPodSandbox", {}))
        return
    if verb == "ids":
        for method in ("ListPodSandbox", "ListContainers"):
            for found in re.findall(rb"[0-9a-f]{64}", client.call(method, {})):
                print(method, found.decode())
        return
    host = rest[:1] == ("host",)
    pod, config, options = client.pod(name, host)
    print(pod)
    containers = []
    for word in rest[1:] if host else rest:
        if word == "--container":
            containers.append([])
        else:
            containers[-1].append(word)
    for container, *command in containers:
        print(client.container(pod, config, options, container, command))


if __name__ == "__main__":
    main(*sys.argv[1:])
