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

    /// Directories may be looked at anywhere, and removed at the depths that the root fixes.
    func directoryRoot(for place: Place, looking: Bool) throws(Outcome) -> Welcome.Root {
        let root = try root(place)
        guard !root.kind.isNamespace || looking else { throw .refused(.wrongRootKind) }
        guard looking || (Int(root.minimumDepth)...Int(root.maximumDepth)).contains(place.depth)
        else { throw .refused(.wrongDepth) }
        return root
    }
}

/// The names that a namespace root is for: `uuid`, or a prefix followed by `*`, several separated by a blank.
public struct NamePatterns {
    private let text: InlineBytes<65>
    public init(_ text: InlineBytes<65>) { self.text = text }

    public func match(_ name: InlineBytes<256>) -> Bool {
        var start = 0
        for index in 0...text.count where index == text.count || text[index] == 0x20 {
            if matches(start..<index, name) { return true }
            start = index + 1
        }
        return false
    }

    private func matches(_ pattern: Range<Int>, _ name: InlineBytes<256>) -> Bool {
        guard let last = pattern.last else { return false }
        guard text[last] == 0x2a else { return name.isUUID }
        let prefix = pattern.dropLast()
        guard name.count > prefix.count else { return false }
        for (index, position) in prefix.enumerated() where text[position] != name[index] { return false }
        return true
    }
}

extension InlineBytes {
    /// 8-4-4-4-12 lower-case hexadecimal digits (RFC 9562).
    fileprivate var isUUID: Bool {
        guard count == 36 else { return false }
        for index in 0..<36 {
            switch (index, self[index]) {
            case (8, 0x2d), (13, 0x2d), (18, 0x2d), (23, 0x2d): continue
            case (8, _), (13, _), (18, _), (23, _): return false
            case (_, 0x30...0x39), (_, 0x61...0x66): continue
            default: return false
            }
        }
        return true
    }
}
