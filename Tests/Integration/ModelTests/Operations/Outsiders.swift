import SamplePod
import TestNode
import TestPods

/// Other processes of the node: some hold what is the pod's, and one has a pid that was the container's.
enum Outsiders {
    static let kinds: [OperationKind] = [
        .ofEither(2) { stand($0) },
        .ofSandbox(1) { copyMounts($0) },
        .ofContainer(3) { reusePID($0) },
        OperationKind(2) { _ in hide() },
        OperationKind(1) { _ in show() },
    ]

    /// A command, of which `sleep` is what remains, that goes on in the background as nobody's of the pods. Waits until it is what it will be.
    static func process(_ command: String) -> String {
        """
        env -i '\(Owner.others.mark)' PATH=/usr/sbin:/usr/bin:/sbin:/bin setsid \(command) </dev/null >/dev/null 2>&1 &
        for n in $(seq 500); do case $(cat /proc/$!/comm 2>/dev/null || echo sleep) in sleep) break;; esac; sleep 0.005; done
        """
    }

    static func stand(_ id: String) -> Operation {
        Operation("stand in directory", if: { $0.exists($0.directory(of: id)) }) { world in
            let directory = world.directory(of: id)
            try world.run("[ -d \(directory) ] || exit 0; cd \(directory); \(process("sleep 5555"))")
        }
    }

    static func copyMounts(_ id: String) -> Operation {
        Operation("copy mounts", if: { $0.exists($0.node.directory(ofSandbox: id)) }) { world in
            try world.run(process("unshare --mount --propagation private sleep 6666"))
        }
    }

    /// Another process with the pid that the container's init had.
    static func reusePID(_ id: String) -> Operation {
        Operation(
            "reuse pid",
            if: { world in
                guard let making = world.current[id],
                    let pid = contents(of: "\(making.bundle)/pid").flatMap({ Int32($0) })
                else {
                    return false
                }
                return Seen.startTime(of: pid) == nil
            }
        ) { world in
            guard let making = world.current[id], let pid = contents(of: "\(making.bundle)/pid").flatMap({ Int32($0) })
            else { return }
            try world.run(
                """
                for n in $(seq 30); do
                    echo \(pid - 1) >/proc/sys/kernel/ns_last_pid
                    env -i '\(Owner.others.mark)' /bin/sleep 7777 </dev/null >/dev/null 2>&1 &
                    [ $! = \(pid) ] && break
                    kill -9 $!
                done
                """)
        }
    }

    /// A usual hardening of the node.
    static func hide() -> Operation {
        Operation("hide processes", if: { !$0.isHidden }) { world in
            world.isHidden = true
            try world.run("mount -t proc -o hidepid=2 proc /proc")
        }
    }

    static func show() -> Operation {
        Operation("show processes", if: { $0.isHidden }) { world in
            world.isHidden = false
            try world.run("umount /proc")
        }
    }
}
