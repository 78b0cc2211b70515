#!/usr/bin/python3
"""Makes a pod as CRI-O 1.36 leaves one, with real mounts, namespaces, cgroups, conmon and runc, but without CRI-O, which Debian has
not. What is where, and what the annotations say, is as it was seen on a node with CRI-O 1.36.3.

    crio_pod.py ROOTFS PARENT RUNTIME NAME [user] [--container NAME COMMAND...]...   prints the pod's id, then each container's

ROOTFS is the image, PARENT the pods' cgroup, RUNTIME the program that conmon calls. `user` is a pod with a user namespace. There is
no infra container (drop_infra_ctr): its bundle, its layer and its cgroups are there, and no process.
"""
import json
import os
import subprocess
import sys
import time
import uuid

RUN = "/run/containers/storage/overlay-containers"
DATA = "/var/lib/containers/storage/overlay-containers"
LAYERS = "/var/lib/containers/storage/overlay"
MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]
KEY = "io.kubernetes.cri-o."


def sh(*command, **options):
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **options)


def new_id():
    return uuid.uuid4().hex + uuid.uuid4().hex


def hierarchies():
    with open("/proc/self/mountinfo") as mounts:
        lines = [line.split() for line in mounts]
    return [words[4] for words in lines if words[words.index("-") + 1] in ("cgroup", "cgroup2")]


def pin(kind, option, name, mapped):
    """As pinns does. A kind of namespace has a folder of its own; they share a name."""
    path = f"/run/{kind}ns/{name}"
    os.close(os.open(path, os.O_CREAT, 0o444))
    if kind == "user":
        sleeper = subprocess.Popen(["unshare", "--user", "sleep", "100"])
        own = os.readlink("/proc/self/ns/user")
        while os.readlink(f"/proc/{sleeper.pid}/ns/user") == own:
            time.sleep(0.01)
        for file in ("uid_map", "gid_map"):
            with open(f"/proc/{sleeper.pid}/{file}", "w") as maps:
                maps.write("0 100000 65536\n")
        sh("mount", "--bind", f"/proc/{sleeper.pid}/ns/user", path)
        sleeper.kill()
        sleeper.wait()
        return
    # The pod's user namespace owns its other namespaces.
    enter = ["nsenter", f"--user=/run/userns/{name}", "--setuid=0", "--setgid=0"] if mapped else []
    sleeper = subprocess.Popen(enter + ["unshare", option, "sleep", "100"])
    own = os.readlink(f"/proc/self/ns/{kind}")
    while os.readlink(f"/proc/{sleeper.pid}/ns/{kind}") == own:
        time.sleep(0.01)
    sh("mount", "--bind", f"/proc/{sleeper.pid}/ns/{kind}", path)
    sleeper.kill()
    sleeper.wait()


def layer(rootfs, mapped):
    """A container's writable layer, mounted: the mount point is the root file system itself."""
    place = f"{LAYERS}/{new_id()}"
    for name in ("diff", "work", "merged"):
        os.makedirs(f"{place}/{name}")
    options = f"lowerdir={rootfs},upperdir={place}/diff,workdir={place}/work"
    sh("mount", "-t", "overlay", "-o", options, "overlay", f"{place}/merged")
    if mapped:
        sh("chown", "-R", "100000:100000", f"{place}/merged")
    return f"{place}/merged"


def bundle(made, config):
    for folder in (RUN, DATA):
        place = f"{folder}/{made}/userdata"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/config.json", "w") as file:
            json.dump(config, file)


def annotations(pod, made, name, kind, rootfs, parent):
    kubernetes = f"k8s_{name}_default_uid-{name}_0"
    return {
        "io.container.manager": "cri-o", KEY + "Annotations": "null", KEY + "Labels": "null",
        KEY + "ContainerID": made, KEY + "SandboxID": pod, KEY + "SandboxName": kubernetes,
        KEY + "ContainerType": kind, KEY + "Created": "2026-11-26T14:37:38.212374466Z", KEY + "MountPoint": rootfs,
        KEY + "CgroupParent": parent, KEY + "ImageName": "localhost/busybox:1",
        KEY + "Metadata": json.dumps({"name": name, "namespace": "default", "uid": "uid-" + name, "attempt": 0}),
        **({KEY + "ShmPath": f"{RUN}/{pod}/userdata/shm"} if kind == "sandbox" else {}),
    }


def main(image, parent, runtime, name, *rest):
    mapped = rest[:1] == ("user",)
    pod, shared = new_id(), str(uuid.uuid4())
    spaces = [("user", "--user")] if mapped else []
    spaces += [("net", "--net"), ("ipc", "--ipc"), ("uts", "--uts")]
    for kind, option in spaces:
        pin(kind, option, shared, mapped)
    types = {"net": "network"}
    namespaces = [{"type": types.get(kind, kind), "path": f"/var/run/{kind}ns/{shared}"} for kind, _ in spaces]
    namespaces += [{"type": "pid"}, {"type": "mount"}]
    for hierarchy in hierarchies():
        os.makedirs(f"{hierarchy}{parent}/crio-{pod}")

    def config(made, own, kind, rootfs, command):
        return {
            "ociVersion": "1.0.2", "root": {"path": rootfs}, "hostname": name,
            "process": {"args": command, "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}},
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev/shm", "type": "bind", "source": f"{RUN}/{pod}/userdata/shm", "options": ["rw", "bind"]},
            ],
            "annotations": annotations(pod, made, own, kind, rootfs, parent),
            "linux": {
                "cgroupsPath": f"{parent}/crio-{made}", "namespaces": namespaces,
                **({"uidMappings": MAPPING, "gidMappings": MAPPING} if mapped else {}),
            },
        }

    shm = f"{RUN}/{pod}/userdata/shm"
    os.makedirs(shm)
    sh("mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,size=65536k", "shm", shm)
    bundle(pod, config(pod, name, "sandbox", layer(image, mapped), ["/pause"]))
    print(pod)
    containers = []
    for word in rest[1:] if mapped else rest:
        if word == "--container":
            containers.append([])
        else:
            containers[-1].append(word)
    for own, *command in containers:
        made = new_id()
        rootfs = layer(image, mapped)
        bundle(made, config(made, own, "container", rootfs, command))
        start(made, own, runtime)
        print(made)


def start(made, name, runtime):
    place = f"{RUN}/{made}/userdata"
    sh(
        "/usr/bin/conmon", "-b", place, "-c", made, "--exit-dir", "/var/run/crio/exits", "-l", f"{place}/log",
        "--log-level", "info", "-n", name, "-P", f"{place}/conmon-pidfile", "-p", f"{place}/pidfile",
        "--persist-dir", f"{DATA}/{made}/userdata", "-r", runtime, "--runtime-arg", "--root=/run/runc",
        "--socket-dir-path", "/var/run/crio", "-u", made, stdout=subprocess.DEVNULL)
    for _ in range(500):
        if os.path.exists(f"{place}/pidfile"):
            break
        time.sleep(0.01)
    else:
        raise SystemExit(f"conmon made no container: {open(place + '/log').read()}")
    # The state says that it is created only once runc has written it.
    for _ in range(500):
        state = subprocess.run(["runc", "--root=/run/runc", "state", made], capture_output=True, text=True)
        if state.returncode == 0 and json.loads(state.stdout)["status"] == "created":
            break
        time.sleep(0.01)
    sh("runc", "--root=/run/runc", "start", made)


if __name__ == "__main__":
    main(*sys.argv[1:])
