public import HelperProtocol

/// What `helper.conf` allows: the whole of what the helper will ever do.
public struct Policy: Sendable, Equatable {
    public var roots: [Welcome.Root] = []
    public var runtimes: [RuntimePolicy] = []
    /// Who may start the helper, by uid; root always may.
    public var callers: [UInt32] = []

    public init() {}

    public struct RuntimePolicy: Sendable, Equatable {
        public var seen: Welcome.Runtime
        public var path: InlineBytes<256>
    }

    func root(_ place: Place) throws(Outcome) -> Welcome.Root {
        guard Int(place.root) < roots.count else { throw .refused(.unknownRoot) }
        return roots[Int(place.root)]
    }

    /// Mounts may lie where directories may be removed, or deeper.
    func unmountRoot(for place: Place) throws(Outcome) -> Welcome.Root {
        let root = try root(place)
        guard root.kind == .sandbox || root.kind == .container else { throw .refused(.wrongRootKind) }
        guard place.depth >= Int(root.minimumDepth) else { throw .refused(.wrongDepth) }
        return root
    }

    /// Pins lie directly beneath a namespace root, under a pod's name.
    func namespaceRoot(for place: Place) throws(Outcome) -> Welcome.Root {
        let root = try root(place)
        guard root.kind.isNamespace else { throw .refused(.wrongRootKind) }
        guard place.depth == 1 else { throw .refused(.wrongDepth) }
        guard NamePatterns(root.names).match(place.name) else { throw .refused(.nameNotAllowed) }
        return root
    }

    /// What is signalled lies beneath a cgroup root, however deep.
    func cgroupRoot(for place: Place) throws(Outcome) -> Welcome.Root {
        let root = try root(place)
        guard root.kind == .cgroup else { throw .refused(.wrongRootKind) }
        guard place.depth > 0 else { throw .refused(.wrongDepth) }
        return root
    }

    /// Directories may be looked at anywhere, and removed at the depths that the root fixes.
    func directoryRoot(for place: Place, looking: Bool) throws(Outcome) -> Welcome.Root {
        let root = try root(place)
        guard !root.kind.isNamespace || looking else { throw .refused(.wrongRootKind) }
        guard looking || (Int(root.minimumDepth)...Int(root.maximumDepth)).contains(place.depth)
        else { throw .refused(.wrongDepth) }
        return root
    }
}
