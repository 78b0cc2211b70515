public import HelperProtocol

/// What `helper.conf` allows: the whole of what the helper will ever do.
public struct Policy: Sendable, Equatable {
    public var roots: [Welcome.Root] = []
    /// For each root whether only root can ever change which directory it is. Where that is not known, it is looked at whenever the
    /// root is opened.
    var firmRoots: [Bool] = []
    public var runtimes: [RuntimePolicy] = []
    /// Who may start the helper, by uid; root always may.
    public var callers: [UInt32] = []

    public init() {}

    public struct RuntimePolicy: Sendable, Equatable {
        public var seen: Welcome.Runtime
        public var path: InlineBytes<256>
        /// The same of the state root.
        var hasFirmRoot = false

        public init(seen: Welcome.Runtime, path: InlineBytes<256>) {
            self.seen = seen
            self.path = path
        }

        /// The state root. The runtime acts on what its state says: whoever could write there could name any process.
        func openStateRoot(_ mode: OpenMode = .pathOfDirectory) throws(Outcome) -> Descriptor {
            if hasFirmRoot { return try Descriptor.absolute(seen.stateRoot.terminated, mode) }
            return try seen.stateRoot.openTrusted(mode, else: .rootReplaceable, strictly: true)
        }
    }

    /// A place's root, which is one of the policy's.
    func openRoot(of place: Place, _ mode: OpenMode) throws(Outcome) -> Descriptor {
        let index = Int(place.root)
        let path = roots[index].path
        if index < firmRoots.count, firmRoots[index] { return try Descriptor.absolute(path.terminated, mode) }
        return try path.openTrusted(mode, else: .rootReplaceable)
    }

    /// The root that a place lies beneath, if `use` is allowed there.
    func root(of place: Place, for use: PlaceUse) throws(Outcome) -> Welcome.Root {
        guard Int(place.root) < roots.count else { throw .refused(.unknownRoot) }
        let root = roots[Int(place.root)]
        if let rule = root.refusal(of: place, for: use) { throw .refused(rule) }
        return root
    }
}
