#!/usr/bin/python3
"""images.py DIR: writes DIR/pause.tar and DIR/busybox.tar, docker archives of the static busybox, without any registry."""
import hashlib
import io
import json
import sys
import tarfile

# An infra container that ends on TERM; as a namespace's first process, sleep alone would not.
PAUSE = b"#!/bin/sh\ntrap 'kill $!; exit 0' TERM\nsleep 2147483647 &\nwait\n"


def layer(directories, links):
    """One layer as tar bytes: busybox, directories, and links to it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in directories:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        with open("/bin/busybox", "rb") as program:
            programs = {"bin/busybox": program.read(), "bin/pause": PAUSE}
        for name, data in programs.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
        for name in links:
            entry = tarfile.TarInfo("bin/" + name)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, "busybox", 0o777
            tar.addfile(entry)
    return out.getvalue()


def image(path, tag, data, config):
    """A one-layer image archive named tag."""
    digest = hashlib.sha256(data).hexdigest()
    made = "2024-01-01T00:00:00Z"
    spec = json.dumps({
        "architecture": "amd64", "os": "linux", "created": made, "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest]}, "history": [{"created": made}]}).encode()
    name = hashlib.sha256(spec).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": [digest + "/layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, content in ((name, spec), (digest + "/layer.tar", data), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


folders = ["bin", "dev", "proc", "sys", "etc", "tmp", "run"]
programs = layer(folders, ["sh", "sleep"])
image(f"{sys.argv[1]}/pause.tar", "localhost/pause:1", programs,
      {"Entrypoint": ["/bin/sleep", "1000000"], "Env": ["PATH=/bin"]})
image(f"{sys.argv[1]}/busybox.tar", "localhost/busybox:1", programs, {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]})
