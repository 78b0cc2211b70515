internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

// Checks of helper.conf's roots and runtimes, the registry and the kernel.

extension Installation {
    var rootChecks: [Check] {
        guard case .welcomed(let welcome) = start else {
            return [Check("roots", .skipped, "helper.conf's roots are known when the helper starts")]
        }
        return zip(welcome.roots, roots).map { root, state in
            let path = printable(root.path.array)
            let name = "root \(path)"
            let isMadeByPods = root.kind.isNamespace || root.kind == .cgroup
            return switch state {
            case .there: Check(name, .good, "\(path) is there")
            case .hidden: Check(name, .good, "\(path) cannot be seen by this user; the helper can")
            case .missing where isMadeByPods:
                Check(
                    name, .warning, "\(path) does not exist yet; the first pod makes it, or it is misspelt",
                    remedy: "see \(root.kind.key) in helper.conf")
            case .missing:
                Check(
                    name, .failed, "\(path) is not there",
                    remedy: "mkdir -p \(quoted(path)), or correct \(root.kind.key) in helper.conf")
            case .notADirectory:
                Check(name, .failed, "\(path) is no directory", remedy: "correct \(root.kind.key) in helper.conf")
            case .silent:
                Check(
                    name, .failed, "\(path) lies on a filesystem that does not answer",
                    remedy: "findmnt -T \(quoted(path)); bring that filesystem back")
            }
        }
    }

    var runtimeChecks: [Check] {
        guard case .welcomed(let welcome) = start else {
            return [Check("runtimes", .skipped, "helper.conf's runtimes are known when the helper starts")]
        }
        if welcome.runtimes.isEmpty {
            return [
                Check(
                    "runtimes", .failed, "helper.conf names no runtime, so no container can be ended",
                    remedy: "add to helper.conf: runtime = runc /usr/sbin/runc /run/runc")
            ]
        }
        return zip(welcome.runtimes, runtimes).map { runtime, answer in
            let name = printable(runtime.name.array)
            let root = printable(runtime.stateRoot.array)
            return switch answer {
            case .answered: Check("runtime \(name)", .good, "\(name) lists the containers of \(root)")
            case .notCalled:
                Check(
                    "runtime \(name)", .skipped,
                    "\(name) was not called: \(root) does not exist yet, so it has no container")
            case .killedByFilter:
                Check("runtime \(name)", .failed, "\(name) \(RuntimeCall.killed)", remedy: RuntimeCall.whenKilled)
            case .failed(let reason):
                Check(
                    "runtime \(name)", .failed, "\(name) does not work: \(reason)",
                    remedy:
                        "see its line in helper.conf (program, then state directory), and try as root: \(name) --root \(quoted(root)) list"
                )
            }
        }
    }

    var registryChecks: [Check] {
        let directory = registryPath.lastIndex(of: "/").map { String(registryPath[..<$0]) } ?? "."
        guard let found = registryDirectory else {
            return [
                Check(
                    "registry-directory", .failed,
                    "there is no directory \(directory) for the registry, or this user may not look",
                    remedy: "install -d -o USER -m 0700 \(quoted(directory)), for the user that podreap runs as")
            ]
        }
        var checks: [Check] = []
        let isOwned = found.owner == process.user || process.user == 0
        if found.mode & 0o002 != 0 {
            checks.append(
                Check(
                    "registry-directory", .failed,
                    "everybody can replace the registry: \(directory) has mode 0\(String(found.mode, radix: 8))",
                    remedy: "chmod 0700 \(quoted(directory))"))
        } else if !isOwned {
            checks.append(
                Check(
                    "registry-directory", .warning,
                    "\(directory) belongs to the user \(found.owner), and this is \(process.user)",
                    remedy: "run podreap as its owner: sudo -u '#\(found.owner)' podreap doctor"))
        } else {
            checks.append(Check("registry-directory", .good, "\(directory) belongs to the user \(found.owner)"))
        }
        if let file = registryFile, file.mode & 0o077 != 0 {
            checks.append(
                Check(
                    "registry-mode", .warning,
                    "users other than its owner can read the registry (mode 0\(String(file.mode, radix: 8)))",
                    remedy: "chmod 0600 \(quoted(registryPath))"))
        }
        switch registry {
        case .good(let sandboxes, let warnings):
            checks.append(
                Check("registry", .good, "\(registryPath) is sound, with \(count(sandboxes, "sandbox", "sandboxes"))"))
            checks += warnings.map {
                Check("registry-log", .warning, $0, remedy: "podreap ps, podreap discover; then remove that file")
            }
        case .notThereYet:
            checks.append(Check("registry", .good, "\(registryPath) will be made when the first sandbox is registered"))
        case .bad(let error): checks.append(Check("registry", .failed, "\(error)"))
        }
        return checks
    }

    var kernelChecks: [Check] {
        var checks: [Check] = []
        let lacks = [
            (kernel.openat2, "openat2(2)"), (kernel.mountRoots, "mount roots in statx(2)"),
            (kernel.mountAttributes, "mount_setattr(2)"),
        ].filter { !$0.0 }.map(\.1)
        if !lacks.isEmpty {
            checks.append(
                Check(
                    "kernel", .failed, "Linux \(kernel.release) lacks \(lacks.joined(separator: ", "))",
                    remedy: "Linux 5.12 or later"))
        } else if !kernel.uniqueMountIDs {
            checks.append(
                Check(
                    "kernel", .warning,
                    "Linux \(kernel.release) uses mount ids again; from 6.8 on a late retry can never hit another mount",
                    remedy: "Linux 6.8 or later, where that matters"))
        } else {
            checks.append(Check("kernel", .good, "Linux \(kernel.release) has all that is needed"))
        }
        checks.append(
            kernel.cgroupVersions.isEmpty
                ? Check(
                    "cgroups", .failed, "no cgroup hierarchy is mounted, so a container's processes cannot be known",
                    remedy: "mount -t cgroup2 none /sys/fs/cgroup")
                : Check(
                    "cgroups", .good,
                    "cgroups of version \(kernel.cgroupVersions.map(String.init).joined(separator: " and ")) are mounted"
                ))
        checks.append(
            kernel.systemLogRefusal.map { code in
                Check(
                    "system-log", .warning,
                    "there is no system log at /dev/log (\(Errno(code))), so nothing records what the helper does",
                    remedy: "start systemd-journald, or rsyslog")
            } ?? Check("system-log", .good, "the helper's acts go to the system log"))
        return checks
    }
}

extension HelperError {
    /// What helps, unless the description says it already; nil if nothing more is known.
    var remedy: String? {
        switch self {
        case .startRefused(let rule, let detail):
            switch rule {
            case .policyUnreadable: "write /etc/podreap/helper.conf, owned by root with mode 0644"
            case .policyMalformed: "correct that line of helper.conf"
            case .policyReplaceable, .rootReplaceable, .runtimeReplaceable:
                detail.first == "/" ? "chown root:root \(quoted(detail)); chmod go-w \(quoted(detail))" : nil
            case .peerNotCaller: "add to /etc/podreap/helper.conf: caller = USER"
            case .startedByOther: "start podreap as one of the callers in /etc/podreap/helper.conf"
            default: nil
            }
        default: nil
        }
    }
}
