/// The properties of a running podreapd that decide what a helper that it starts can do.
public struct DaemonProcess: Sendable, Equatable {
    public var pid: Int32
    /// Whether file capabilities are ignored (PR_SET_NO_NEW_PRIVS of prctl(2)).
    public var noNewPrivileges: Bool
    /// Whether it is in another mount namespace than process 1; nil if that cannot be seen.
    public var hasPrivateMounts: Bool?
    /// The socket for helpers that its environment names, empty if it names none; nil if that cannot be seen.
    public var helperSocket: String?

    public init(pid: Int32, noNewPrivileges: Bool, hasPrivateMounts: Bool?, helperSocket: String?) {
        self.pid = pid
        self.noNewPrivileges = noNewPrivileges
        self.hasPrivateMounts = hasPrivateMounts
        self.helperSocket = helperSocket
    }

    /// The daemons that are running now, ordered by pid. A daemon in a container belongs to another installation, and
    /// is left out.
    public static func running() throws(ObservationError) -> [DaemonProcess] {
        var found: [DaemonProcess] = []
        for pid in try ProcessTable.living(named: ["podreapd"]).map(\.pid) {
            // A process that has ended meanwhile is left out.
            guard (try? ProcessStatus.isOfThisNamespace(pid)) == true,
                let fields = try? contents(of: Array("/proc/\(pid)/status".utf8))
            else { continue }
            found.append(
                DaemonProcess(
                    pid: pid, noNewPrivileges: statusField("NoNewPrivs", in: fields)?.first == UInt8(ascii: "1"),
                    hasPrivateMounts: hasOtherMounts(pid),
                    helperSocket: helperSocket(pid)))
        }
        return found
    }

    /// A mount's id is unique among all namespaces, and every user may read mountinfo, but not /proc/1/ns/mnt.
    private static func hasOtherMounts(_ pid: Int32) -> Bool? {
        guard let first = try? MountTable.of(pid: 1), let own = try? MountTable.of(pid: pid) else { return nil }
        let ids = Set(first.mounts.map(\.id))
        return !own.mounts.contains { ids.contains($0.id) }
    }

    /// Only root and the daemon's own user may read its environment.
    private static func helperSocket(_ pid: Int32) -> String? {
        guard let bytes = try? contents(of: Array("/proc/\(pid)/environ".utf8)) else { return nil }
        let key = Array("PODREAP_HELPER_SOCKET=".utf8)
        return bytes.split(separator: 0).first { $0.starts(with: key) }?.dropFirst(key.count).text ?? ""
    }
}

/// The value of a field of /proc/PID/status (proc_pid_status(5)), without leading blanks; nil if there is none.
func statusField(_ key: String, in status: [UInt8]) -> ArraySlice<UInt8>? {
    let line = status.split(separator: newline).first { $0.starts(with: (key + ":").utf8) }
    return line?.dropFirst(key.utf8.count + 1).drop { $0 == space || $0 == UInt8(ascii: "\t") }
}
