/// The helper's answer to Hello: what it is, and all that its policy lets it do.
public struct Welcome: Sendable, Equatable {
    /// The protocol version from here on.
    public var version: UInt16
    /// The helper's own release, at most 32 bytes.
    public var release: InlineBytes<33>
    /// Capabilities that it should have and has not, a bit each by number (capabilities(7)).
    public var missing: UInt64
    public var roots: [Root]
    public var runtimes: [Runtime]
    /// Later additions that the helper has, a bit each (version 2); bits that are not known mean nothing.
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
        /// How many components lie between the root and what may be removed, at least and at most.
        public var minimumDepth: UInt8
        public var maximumDepth: UInt8
        public var path: InlineBytes<256>
        /// Namespace roots: which names are pods'. `uuid`, or a prefix followed by `*`; several separated by a blank.
        public var names: InlineBytes<65>
        /// Cgroup roots: whether processes in cgroups beneath may be signalled (version 2).
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
        /// Whether bundles with hooks may be deleted by it.
        public var hooks: Bool

        public init(name: InlineBytes<65>, stateRoot: InlineBytes<256>, hooks: Bool) {
            self.name = name
            self.stateRoot = stateRoot
            self.hooks = hooks
        }
    }
}

/// What a root holds, and so what may be done beneath it.
public enum RootKind: UInt8, Sendable, CaseIterable {
    case sandbox = 1
    case container = 2
    case networkNamespace = 3
    case ipcNamespace = 4
    case utsNamespace = 5
    /// Left-over cgroups: rmdir(2), and signals where the root may kill.
    case cgroup = 6

    public var isNamespace: Bool { self == .networkNamespace || self == .ipcNamespace || self == .utsNamespace }
}
