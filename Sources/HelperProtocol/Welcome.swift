/// The helper's answer to Hello: its release, and everything that its policy allows.
public struct Welcome: Sendable, Equatable {
    /// The protocol version from here on.
    public var version: UInt16
    /// The helper's own release, at most 32 bytes.
    public var release: InlineBytes<33>
    /// Capabilities that the helper should have but lacks, one bit for each number (capabilities(7)).
    public var missing: UInt64
    public var roots: [Root]
    public var runtimes: [Runtime]
    /// Later additions that the helper supports, one bit each (version 2); unknown bits have no meaning.
    public var features: UInt64

    public init(
        version: UInt16, release: InlineBytes<33>, missing: UInt64, roots: [Root], runtimes: [Runtime],
        features: UInt64 = 0
    ) {
        self.version = version
        self.release = release
        self.missing = missing
        self.roots = roots
        self.runtimes = runtimes
        self.features = features
    }

    /// A directory beneath which the helper acts.
    public struct Root: Sendable, Equatable {
        public var kind: RootKind
        /// The least and the most components that a place to be removed has beneath the root.
        public var minimumDepth: UInt8
        public var maximumDepth: UInt8
        public var path: InlineBytes<256>
        /// For namespace roots, which names belong to pods: `uuid`, or a prefix followed by `*`; several are separated
        /// by a blank.
        public var names: InlineBytes<65>
        /// For cgroup roots, whether processes in any cgroup beneath may be signalled (version 2).
        public var mayKill: Bool

        public init(
            kind: RootKind, minimumDepth: UInt8, maximumDepth: UInt8, path: InlineBytes<256>,
            names: InlineBytes<65> = InlineBytes(), mayKill: Bool = false
        ) {
            self.kind = kind
            self.minimumDepth = minimumDepth
            self.maximumDepth = maximumDepth
            self.path = path
            self.names = names
            self.mayKill = mayKill
        }
    }

    /// An OCI runtime that the helper may call.
    public struct Runtime: Sendable, Equatable {
        public var name: InlineBytes<65>
        public var stateRoot: InlineBytes<256>
        /// Whether the runtime may delete bundles that have hooks.
        public var hooks: Bool

        public init(name: InlineBytes<65>, stateRoot: InlineBytes<256>, hooks: Bool) {
            self.name = name
            self.stateRoot = stateRoot
            self.hooks = hooks
        }
    }
}

/// What a root holds, which determines what may be done beneath it.
public enum RootKind: UInt8, Sendable, CaseIterable {
    case sandbox = 1
    case container = 2
    case networkNamespace = 3
    case ipcNamespace = 4
    case utsNamespace = 5
    /// Left-over cgroups: they may be removed with rmdir(2), and their processes signalled as the policy allows.
    case cgroup = 6
    /// Version 3.
    case userNamespace = 7

    /// The key of helper.conf whose lines name roots of this kind.
    public var key: StaticString {
        switch self {
        case .sandbox: "sandbox-root"
        case .container: "container-root"
        case .networkNamespace: "netns-root"
        case .ipcNamespace: "ipcns-root"
        case .utsNamespace: "utsns-root"
        case .cgroup: "cgroup-root"
        case .userNamespace: "userns-root"
        }
    }

    public var isNamespace: Bool {
        switch self {
        case .networkNamespace, .ipcNamespace, .utsNamespace, .userNamespace: true
        case .sandbox, .container, .cgroup: false
        }
    }

    /// Whether a version of the protocol has roots of this kind.
    public func exists(in version: UInt16) -> Bool { self != .userNamespace || version > 2 }
}
