internal import Foundation

/// The cgroup hierarchies that this process sees.
public enum Cgroups {
    /// Whether the tests of this process run on a node with cgroup version 2 alone: PODREAP_CGROUP_VERSION=2.
    public static let wantsVersion2Alone = ProcessInfo.processInfo.environment["PODREAP_CGROUP_VERSION"] == "2"

    /// From now on there is nothing but version 2 here, as on a node of today. There is no way back.
    public static func seeVersion2Alone() throws {
        try TestNode.shared()
        if !isVersion2Alone { try mountVersion2Alone() }
    }

    static func mountVersion2Alone() throws {
        try shell("umount -R -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup")
    }

    public static var isVersion2Alone: Bool { Entry.exists("/sys/fs/cgroup/cgroup.procs") }
    public static var shown: String { isVersion2Alone ? "cgroup version 2" : "this machine's cgroup hierarchies" }

    /// The directories at which hierarchies of either version are mounted, sorted.
    public static func hierarchies() throws -> [String] {
        let points = try NodeMount.beneath("/sys/fs/cgroup").filter {
            $0.type.hasPrefix("cgroup") && $0.root == "/"
        }.map(\.point)
        return Set(points).sorted()
    }

    /// The hierarchy that freezes, and how: the freezer's of version 1, else version 2's.
    public static var freezer: Freezer {
        isVersion2Alone
            ? Freezer(hierarchy: "/sys/fs/cgroup", file: "cgroup.freeze", frozen: "1", thawed: "0")
            : Freezer(hierarchy: "/sys/fs/cgroup/freezer", file: "freezer.state", frozen: "FROZEN", thawed: "THAWED")
    }

    public struct Freezer: Sendable {
        public let hierarchy: String
        /// The control file's name in a cgroup, and what is written to it.
        public let file: String
        public let frozen: String
        public let thawed: String

        public func freeze(_ cgroup: String) throws { try shell("echo \(frozen) >\(cgroup)/\(file)") }
        /// Thaws it if it is there.
        public func thaw(_ cgroup: String) throws {
            try shell("[ ! -d \(cgroup) ] || echo \(thawed) >\(cgroup)/\(file)")
        }
    }
}
