internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// One precondition of an installation, and how it is met.
public struct Check: Sendable, Equatable, Codable {
    public enum Status: String, Sendable, Codable {
        case good
        /// It works, but not as it should, or not all of it.
        case warning
        case failed
        /// Another check has to succeed before.
        case skipped
    }

    /// For programs; it does not change.
    public var name: String
    public var status: Status
    public var text: String
    public var remedy: String?

    init(_ name: String, _ status: Status, _ text: String, remedy: String? = nil) {
        self.name = name
        self.status = status
        self.text = text
        self.remedy = remedy
    }
}

extension Installation {
    /// Every precondition, each with its remedy where it is not met. A pure function.
    public var checks: [Check] {
        fileChecks + processChecks + startChecks + rootChecks + runtimeChecks + registryChecks + kernelChecks
    }

    // MARK: The helper's file

    private var fileChecks: [Check] {
        guard let helper else {
            return [
                Check(
                    "helper", .failed, "there is no helper at \(helperPath), or this user may not look",
                    remedy: "install podreap-helper there, or name it with --helper or PODREAP_HELPER")
            ]
        }
        guard helper.isRegular else {
            return [Check("helper", .failed, "\(helperPath) is not a file", remedy: "install podreap-helper there")]
        }
        return [
            Check("helper", .good, "\(helperPath)"), ownership(helper), access(helper), capabilities(helper),
            nosuid(helper),
        ]
    }

    private func ownership(_ helper: InstalledFile) -> Check {
        let octal = String(helper.mode, radix: 8)
        let name = "helper-owner"
        if helper.owner != 0 {
            return Check(
                name, .failed, "the helper belongs to the user \(helper.owner), who can replace it",
                remedy: "chown root:podreap \(quoted(helper.path)), and give it its capabilities again")
        }
        if helper.mode & 0o022 != 0 {
            return Check(
                name, .failed, "others than root can write to the helper (mode 0\(octal))",
                remedy: "chmod 0750 \(quoted(helper.path)), and give it its capabilities again")
        }
        if helper.mode & 0o001 != 0 {
            return Check(
                name, .warning,
                "everybody may start the helper (mode 0\(octal)); only callers of helper.conf get an answer",
                remedy: "chmod 0750 \(quoted(helper.path))")
        }
        return Check(name, .good, "the helper belongs to root and the group \(helper.group), mode 0\(octal)")
    }

    private func access(_ helper: InstalledFile) -> Check {
        guard helper.refusal != nil else { return Check("group", .good, "this user may start the helper") }
        let isMember = process.groups.contains(helper.group)
        return Check(
            "group", .failed,
            isMember
                ? "this user is in the helper's group \(helper.group), but may not start it"
                : "this user is not in the helper's group \(helper.group), so it may not start it",
            remedy: isMember
                ? "chmod 0750 \(quoted(helper.path)), and o+x on the directories above it"
                : "usermod -aG podreap USER (the group \(helper.group)), and log in again")
    }

    private func capabilities(_ helper: InstalledFile) -> Check {
        let name = "capabilities"
        let setcap = "setcap \(CapabilityNames.helper)=p \(quoted(helper.path))"
        guard let found = helper.capabilities else {
            return Check(
                name, process.user == 0 ? .warning : .failed, "the helper's file has no capabilities", remedy: setcap)
        }
        let missing = CapabilityNames.needed & ~found.permitted
        if missing != 0 {
            return Check(
                name, .failed, "the helper's file lacks \(CapabilityNames.list(missing))", remedy: setcap)
        }
        if found.effective {
            return Check(
                name, .warning,
                "the helper's capabilities are +ep: where the system withholds one, it cannot even say so",
                remedy: setcap)
        }
        let surplus = found.permitted & ~CapabilityNames.needed
        if surplus != 0 {
            return Check(
                name, .warning,
                "the helper's file has capabilities that it does not need: \(CapabilityNames.list(surplus))",
                remedy: setcap)
        }
        return Check(name, .good, "the helper's file has its capabilities, and no others")
    }

    private func nosuid(_ helper: InstalledFile) -> Check {
        helper.isNoSetUserID
            ? Check(
                "nosuid", .failed,
                "the helper lies on a filesystem mounted nosuid, where file capabilities are ignored",
                remedy: "findmnt -T \(quoted(helper.path)); mount -o remount,suid …, or install it elsewhere")
            : Check("nosuid", .good, "file capabilities count where the helper lies")
    }

    // MARK: This process

    private var processChecks: [Check] {
        var checks: [Check] = []
        checks.append(
            process.noNewPrivileges
                ? Check(
                    "no-new-privileges", .failed,
                    "this process runs with no_new_privs, so the helper gets no capabilities",
                    remedy:
                        "take NoNewPrivileges= (and what implies it) from the unit, or have a socket unit start the helper"
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
                    low.map { "the hard limit \($0.name) is \($0.hard), and \($0.least) is needed" }
                        .joined(separator: "; "),
                    remedy: "raise them: " + low.map { "Limit\($0.name)=" }.joined(separator: " ")
                        + " of the unit, or ulimit -H"))
        return checks + viewChecks
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
        checks.append(
            process.seesOthers
                ? Check("proc", .good, "other users' processes can be seen")
                : Check(
                    "proc", .failed, "/proc hides other users' processes, so containers' cannot be watched",
                    remedy: "mount -o remount,hidepid=off /proc, or add podreap's user to its gid= group"))
        switch process.hasPrivateMounts {
        case false?: checks.append(Check("mount-namespace", .good, "this is the mount namespace of process 1"))
        case true?:
            checks.append(
                Check(
                    "mount-namespace", .failed,
                    "this is another mount namespace than that of process 1: what is unmounted here stays mounted there",
                    remedy:
                        "run podreap outside of containers and unshare, without PrivateMounts=, PrivateTmp=, ProtectSystem= …"
                ))
        case nil:
            checks.append(
                Check(
                    "mount-namespace", .warning, "whether this is the mount namespace of process 1 cannot be seen",
                    remedy: "compare as root: ls -l /proc/1/ns/mnt /proc/self/ns/mnt"))
        }
        return checks
    }

    // MARK: The start

    private var startChecks: [Check] {
        switch start {
        case .welcomed(let welcome):
            [Check("start", .good, "the helper \(welcome.release.array.shown) starts and accepts helper.conf")]
        case .failed(let error):
            [Check("start", .failed, "\(error)", remedy: error.remedy)]
        }
    }
}
