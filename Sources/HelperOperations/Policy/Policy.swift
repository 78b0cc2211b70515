public import HelperProtocol

/// What `helper.conf` allows: the helper never does anything else.
public struct Policy: Sendable, Equatable {
    public var roots: [Welcome.Root] = []
    /// For each root, whether only root can ever change which directory it is. If that is not known, the path is
    /// checked each time the root is opened.
    var firmRoots: [Bool] = []
    public var runtimes: [RuntimePolicy] = []
    /// The users, by uid, that may start the helper; root always may.
    public var callers: [UInt32] = []

    public init() {}

    public struct RuntimePolicy: Sendable, Equatable {
        public var seen: Welcome.Runtime
        public var path: InlineBytes<256>
        /// Whether only root can ever change which directory the state root is.
        var hasFirmRoot = false

        public init(seen: Welcome.Runtime, path: InlineBytes<256>) {
            self.seen = seen
            self.path = path
        }

        /// Opens the state root, checking its path unless it is firm. The runtime acts on what its state says, so
        /// whoever could write there could name any process.
        func openStateRoot(_ mode: OpenMode = .pathOfDirectory) throws(Outcome) -> Descriptor {
            if hasFirmRoot { return try Descriptor.absolute(seen.stateRoot.terminated, mode) }
            return try seen.stateRoot.openTrusted(mode, else: .rootReplaceable, strictly: true)
        }
    }

    /// Opens the root of a place. The place must name one of the policy's roots.
    func openRoot(of place: Place, _ mode: OpenMode) throws(Outcome) -> Descriptor {
        let index = Int(place.root)
        let path = roots[index].path
        if index < firmRoots.count, firmRoots[index] { return try Descriptor.absolute(path.terminated, mode) }
        return try path.openTrusted(mode, else: .rootReplaceable)
    }

    /// The root above a place; throws if the policy does not allow `use` at that place.
    func root(of place: Place, for use: PlaceUse) throws(Outcome) -> Welcome.Root {
        guard Int(place.root) < roots.count else { throw .refused(.unknownRoot) }
        let root = roots[Int(place.root)]
        if let rule = root.refusal(of: place, for: use) { throw .refused(rule) }
        return root
    }
}
