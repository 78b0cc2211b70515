internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// One precondition of an installation, and whether it is met.
public struct Check: Sendable, Equatable, Codable {
    public enum Status: String, Sendable, Codable {
        case good
        /// It works, but not fully or not as it should.
        case warning
        case failed
        /// The check could not be made: another check has to succeed first, or there is nothing yet to check.
        case skipped
    }

    /// A stable name, for programs.
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
    /// Checks every precondition, and gives a remedy for each that is not met. A pure function.
    public var checks: [Check] {
        fileChecks + processChecks + startChecks + rootChecks + runtimeChecks + registryChecks + kernelChecks
    }

    // MARK: The helper's file

    private var fileChecks: [Check] {
        if let socketPath { return [socketCheck(socketPath)] }
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

    /// Checks the socket file. The connection is checked when the helper starts.
    private func socketCheck(_ path: String) -> Check {
        let name = "helper-socket"
        guard let socket else {
            return Check(
                name, .failed, "there is no socket at \(path), or this user may not look",
                remedy: "as root: systemctl enable --now podreap-helper.socket")
        }
        if socket.mode & 0o006 != 0 {
            return Check(
                name, .warning,
                "everybody may have helpers started (mode 0\(String(socket.mode, radix: 8))); only callers of helper.conf get an answer",
                remedy: "SocketMode=0660 in podreap-helper.socket")
        }
        return Check(name, .good, "helpers come from \(path), with nothing of this process's privileges")
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
                name, .failed, "users other than root can write to the helper (mode 0\(octal))",
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
                "the helper's capabilities are +ep: if the system withholds one, the helper cannot even say so",
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
