#!/usr/bin/env python3
"""Does with podreap-helper.socket and podreap-helper@.service what systemd would do: listen.py UNITS SOCKET GROUP HELPER.

Listens with the mode of the socket unit and, for each connection, starts HELPER as root with the connection as descriptor 0 and what
the service unit says of capabilities and NO_NEW_PRIVS. Like systemd it keeps its copy of a connection until that helper has ended.
"""

import configparser
import os
import selectors
import signal
import socket
import subprocess
import sys


def unit(directory, name):
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(os.path.join(directory, name))
    return parser


def main():
    units, path, group, helper = sys.argv[1:]
    listening = unit(units, "podreap-helper.socket")["Socket"]
    service = unit(units, "podreap-helper@.service")["Service"]
    assert listening["Accept"] == "yes" and service["StandardInput"] == "socket"
    assert service["ExecStart"] == "/usr/libexec/podreap/podreap-helper" and "User" not in service
    bounding = ",".join("+" + name.lower().removeprefix("cap_") for name in service["CapabilityBoundingSet"].split())
    start = ["setpriv", "--bounding-set", "-all," + bounding]
    if service["NoNewPrivileges"] == "yes":
        start.append("--no-new-privs")

    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(path)
    os.chown(path, 0, int(group))
    os.chmod(path, int(listening["SocketMode"], 8))
    server.listen(64)
    wake, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)

    selector = selectors.DefaultSelector()
    for source in (server, wake):
        selector.register(source, selectors.EVENT_READ)
    helpers = []
    while True:
        for key, _ in selector.select():
            if key.fileobj is wake:
                wake.recv(64)
                continue
            connection, _ = server.accept()
            child = subprocess.Popen(
                start + [helper], stdin=connection, stdout=subprocess.DEVNULL, env={"LISTEN_FDS": "1"})
            helpers.append((child, connection))
        for child, connection in [each for each in helpers if each[0].poll() is not None]:
            connection.close()
            helpers.remove((child, connection))


main()
