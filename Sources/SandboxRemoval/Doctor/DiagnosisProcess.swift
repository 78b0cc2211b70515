internal import HelperClient
internal import NodeObservation

// Checks of what withholds privileges from helpers and of what can be seen, for this process and for running daemons.

extension Installation {
    var processChecks: [Check] {
        // A helper that a service manager starts inherits nothing from this process.
        (socketPath == nil ? privilegeChecks : []) + viewChecks + daemons.flatMap(daemonChecks)
    }

    private var privilegeChecks: [Check] {
        var checks: [Check] = []
        checks.append(
            process.noNewPrivileges
                ? Check(
                    "no-new-privileges", .failed,
                    "this process runs with no_new_privs, so the helper gets no capabilities",
                    remedy:
                        "remove NoNewPrivileges= (and what implies it) from the unit, or let podreap-helper.socket start the helper"
                )
                : Check("no-new-privileges", .good, "no_new_privs is not set"))
        checks.append(
            process.tracer != 0
                ? Check(
                    "tracer", .warning,
                    "process \(process.tracer) traces this one; a traced helper gets no capabilities",
                    remedy: "end the tracer (strace, gdb), or trace as root")
                : Check("tracer", .good, "nobody traces this process"))
        let withheld = CapabilityNames.needed & ~process.bounding
        checks.append(
            withheld != 0
                ? Check(
                    "bounding-set", .failed, "this process's bounding set lacks \(CapabilityNames.list(withheld))",
                    remedy: "give them back: CapabilityBoundingSet= of the unit, --cap-add of the container")
                : Check("bounding-set", .good, "the bounding set withholds nothing"))
        let low = limits.filter { $0.hard < $0.least }
        checks.append(
            low.isEmpty
                ? Check("limits", .good, "resource limits are high enough")
                : Check(
                    "limits", .failed,
                    low.map { "the hard limit \($0.name) is \($0.hard); the helper needs \($0.least)" }
                        .joined(separator: "; "),
                    remedy: "raise them: " + low.map { "Limit\($0.name)=" }.joined(separator: " ")
                        + " of the unit, or ulimit -H"))
        return checks
    }

    private var viewChecks: [Check] {
        var checks: [Check] = []
        if !process.isInHostPIDNamespace {
            checks.append(
                Check(
                    "pid-namespace", .warning,
                    "this is not the machine's own PID namespace, so containers' processes are not seen",
                    remedy: "run podreap on the host, or its container with hostPID"))
        }
        checks.append(userNamespace)
        checks.append(proc)
        checks.append(mountNamespace)
        return checks
    }

    private var userNamespace: Check {
        let name = "user-namespace"
        let remedy = "run podreap outside of rootless containers, unshare --user and PrivateUsers="
        return switch process.userNamespace {
        case .initial: Check(name, .good, "this is the machine's own user namespace")
        case .unchanged:
            Check(
                name, .warning,
                "this is another user namespace than the machine's: its capabilities do not count for mounts, cgroups and processes that were made outside of it",
                remedy: remedy)
        case .mapped:
            Check(
                name, .failed,
                "this is another user namespace than the machine's, and users have other numbers in it: neither capabilities nor owners of files are what they are on the node",
                remedy: remedy)
        }
    }

    private var proc: Check {
        let name = "proc"
        if !process.seesKernelFiles {
            return Check(
                name, .failed, "/proc shows processes only (subset=pid), so not even this boot can be told from others",
                remedy: "mount -t proc proc /proc")
        }
        return process.seesOthers
            ? Check(name, .good, "other users' processes can be seen")
            : Check(
                name, .failed, "/proc hides other users' processes (hidepid), so containers' cannot be watched",
                remedy:
                    "mount -o remount,hidepid=off /proc; or, with hidepid=1 or 2, add podreap's user to its gid= group"
            )
    }

    private var mountNamespace: Check {
        let name = "mount-namespace"
        if socketPath != nil { return Check(name, .good, "the helpers use the service manager's mounts") }
        return switch process.hasPrivateMounts {
        case false?: Check(name, .good, "this is the mount namespace of process 1")
        case true?:
            Check(
                name, .failed,
                "this is another mount namespace than that of process 1: what is unmounted here stays mounted there",
                remedy:
                    "run podreap outside of containers and unshare, without PrivateMounts=, PrivateTmp=, ProtectSystem= …"
            )
        case nil:
            Check(
                name, .warning, "this user cannot see whether this is the mount namespace of process 1",
                remedy: "compare as root: ls -l /proc/1/ns/mnt /proc/self/ns/mnt")
        }
    }

    /// Checks a daemon, because its unit may withhold privileges that this process has.
    private func daemonChecks(_ daemon: DaemonProcess) -> [Check] {
        let socket = daemon.helperSocket.flatMap { $0.isEmpty ? nil : $0 } ?? socketPath
        if let socket {
            return [Check("daemon \(daemon.pid)", .good, "podreapd (\(daemon.pid)) has its helpers from \(socket)")]
        }
        let remedy = "systemctl cat podreapd: "
        var wrong: [String] = []
        if daemon.noNewPrivileges { wrong.append("runs with no_new_privs, so its helpers get no capabilities") }
        if daemon.hasPrivateMounts == true {
            wrong.append("has a mount namespace of its own, from which unmounts do not reach the node")
        }
        if wrong.isEmpty {
            return [
                Check("daemon \(daemon.pid)", .good, "podreapd (\(daemon.pid)) may start helpers with capabilities")
            ]
        }
        // If its environment names a helper socket, neither problem matters.
        let isSure = daemon.helperSocket != nil
        return [
            Check(
                "daemon \(daemon.pid)", isSure ? .failed : .warning,
                "podreapd (\(daemon.pid)) \(wrong.joined(separator: "; it "))"
                    + (isSure
                        ? "" : ", unless its environment names a helper socket, which its own user or root can see"),
                remedy: remedy + "remove what podreapd.service says must not be there, or use helper-socket.conf")
        ]
    }
}
