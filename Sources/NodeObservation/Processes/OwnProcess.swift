internal import LinuxSystem

/// The properties of this process that decide what a helper that it starts can do, and what it sees of the node.
public struct OwnProcess: Sendable, Equatable {
    public var user: UInt32
    public var groups: [UInt32]
    /// Whether file capabilities are ignored (PR_SET_NO_NEW_PRIVS of prctl(2)).
    public var noNewPrivileges: Bool
    /// Whether other users' open files, namespaces and wait channels can be seen (CAP_SYS_PTRACE), except those of a
    /// process with capabilities that this one lacks.
    public var seesInside: Bool
    /// The pid of the process that traces this one; 0 if there is none.
    public var tracer: Int32
    /// The most capabilities that a program started from here can have, one bit each.
    public var bounding: UInt64
    /// Whether this process is in another mount namespace than process 1; nil if that cannot be seen.
    public var hasPrivateMounts: Bool?
    /// Whether this process is in the machine's own PID namespace.
    public var isInHostPIDNamespace: Bool
    /// The user namespace that this process is in (user_namespaces(7)).
    public var userNamespace: UserNamespace
    /// Whether other users' processes can be seen (hidepid of proc(5)).
    public var seesOthers: Bool
    /// Whether /proc shows more than processes (subset=pid of proc(5)).
    public var seesKernelFiles: Bool

    public enum UserNamespace: Sendable, Equatable {
        /// The machine's own.
        case initial
        /// Another one, in which all users and groups have the numbers that they have outside.
        case unchanged
        /// Another one, in which they have other numbers or none.
        case mapped
    }

    public init(
        user: UInt32 = 1000, groups: [UInt32] = [1000], noNewPrivileges: Bool = false, seesInside: Bool = false,
        tracer: Int32 = 0,
        bounding: UInt64 = .max, hasPrivateMounts: Bool? = false, isInHostPIDNamespace: Bool = true,
        userNamespace: UserNamespace = .initial, seesOthers: Bool = true, seesKernelFiles: Bool = true
    ) {
        self.user = user
        self.groups = groups
        self.noNewPrivileges = noNewPrivileges
        self.seesInside = seesInside
        self.tracer = tracer
        self.bounding = bounding
        self.hasPrivateMounts = hasPrivateMounts
        self.isInHostPIDNamespace = isInHostPIDNamespace
        self.userNamespace = userNamespace
        self.seesOthers = seesOthers
        self.seesKernelFiles = seesKernelFiles
    }

    public static func current() throws(ObservationError) -> OwnProcess {
        let (user, groups) = credentials()
        let status = try contents(of: Array("/proc/self/status".utf8)) ?? []
        func value(_ key: String) -> ArraySlice<UInt8>? { statusField(key, in: status) }
        let capabilities = value("CapEff").flatMap { UInt64($0.text, radix: 16) } ?? 0
        // Kernel threads can be seen only in the machine's own PID namespace; the first one is always process 2.
        let second = try? ProcessStatus.of(pid: 2)
        return OwnProcess(
            user: user, groups: groups, noNewPrivileges: value("NoNewPrivs")?.first == UInt8(ascii: "1"),
            seesInside: capabilities & 1 << 19 != 0, tracer: value("TracerPid")?.number() ?? 0,
            bounding: value("CapBnd").flatMap { UInt64($0.text, radix: 16) } ?? .max,
            hasPrivateMounts: try privateMounts(), isInHostPIDNamespace: second?.name == "kthreadd",
            userNamespace: try ownUserNamespace(), seesOthers: ContainerSearch.seesAll(),
            seesKernelFiles: try contents(of: Array("/proc/uptime".utf8)) != nil)
    }

    private static func ownUserNamespace() throws(ObservationError) -> UserNamespace {
        // PROC_USER_INIT_INO of linux/proc_ns.h.
        if try NodeObservation.linkTarget("/proc/self/ns/user") == Array("user:[4026531837]".utf8) { return .initial }
        for file in ["uid_map", "gid_map"] {
            let fields = try contents(of: Array("/proc/self/\(file)".utf8)) ?? []
            // One line: all numbers from 0 on, as 0 on.
            let words = fields.text.split(whereSeparator: \.isWhitespace)
            if words != ["0", "0", "4294967295"] { return .mapped }
        }
        return .unchanged
    }

    /// A mount's id is unique among all namespaces, and every user may read mountinfo, but not /proc/1/ns/mnt.
    private static func privateMounts() throws(ObservationError) -> Bool? {
        guard let first = try? MountTable.of(pid: 1) else { return nil }
        let ids = Set(first.mounts.map(\.id))
        return try !MountTable.current().mounts.contains { ids.contains($0.id) }
    }
}

/// Which of the features that podreap uses the kernel has.
public struct KernelFeatures: Sendable, Equatable {
    public var release: String
    /// Linux 5.6.
    public var openat2: Bool
    /// Linux 5.8: statx(2) tells whether a path is the root of a mount.
    public var mountRoots: Bool
    /// Linux 5.12: mount_setattr(2) keeps an unmount from propagating.
    public var mountAttributes: Bool
    /// Linux 6.8: mount ids are never reused.
    public var uniqueMountIDs: Bool
    /// The versions of the cgroup hierarchies that are mounted.
    public var cgroupVersions: [Int]
    /// The error number of connecting to the system log at /dev/log; nil if that succeeds.
    public var systemLogRefusal: Int32?

    public init(
        release: String = "", openat2: Bool = true, mountRoots: Bool = true, mountAttributes: Bool = true,
        uniqueMountIDs: Bool = true,
        cgroupVersions: [Int] = [2], systemLogRefusal: Int32? = nil
    ) {
        self.release = release
        self.openat2 = openat2
        self.mountRoots = mountRoots
        self.mountAttributes = mountAttributes
        self.uniqueMountIDs = uniqueMountIDs
        self.cgroupVersions = cgroupVersions
        self.systemLogRefusal = systemLogRefusal
    }

    public static func current() throws(ObservationError) -> KernelFeatures {
        let root = try status(of: [slash], mountOnly: false)
        let types = Set(try MountTable.current().mounts.map(\.type))
        let release = try contents(of: Array("/proc/sys/kernel/osrelease".utf8)) ?? []
        return KernelFeatures(
            release: release.prefix { $0 != newline }.text, openat2: hasOpenat2(),
            mountRoots: root?.isMountRoot != nil, mountAttributes: hasMountAttributes(),
            uniqueMountIDs: root?.hasUniqueMountID ?? false,
            cgroupVersions: (types.contains("cgroup") ? [1] : []) + (types.contains("cgroup2") ? [2] : []),
            systemLogRefusal: refusal(toConnect: "/dev/log")?.number)
    }
}
