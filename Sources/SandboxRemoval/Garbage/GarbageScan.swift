internal import EventLoop
internal import NodeObservation
internal import SandboxRegistry
internal import Synchronization

/// A look at every process of the node. All removals of a collection share one for some seconds, because it takes as
/// long as the node has processes, however few items there are.
struct GarbageScan: Sendable {
    /// How long a scan counts. What is cheap to see, a cgroup's processes and a container's state, is seen again before
    /// each removal.
    static let lifetime: Duration = .seconds(10)

    /// Without its facts, which hold this scan.
    let gathering: GarbageGathering
    let claims: GarbageClaims

    var isRecent: Bool { ContinuousClock.now - gathering.began < Self.lifetime }
}

/// A collection's last scan.
final class LatestGarbageScan: Sendable {
    private let latest = Mutex<GarbageScan?>(nil)

    /// nil if there is none that still counts.
    var recent: GarbageScan? { latest.withLock { $0 }.flatMap { $0.isRecent ? $0 : nil } }

    func keep(_ scan: GarbageScan) { latest.withLock { $0 = scan } }
}

/// Which processes live in which namespaces; every process is looked at once for each kind.
final class NamespaceUsersByKind: Sendable {
    private let known = Mutex<[NamespaceKind: NamespaceUsers]>([:])

    func of(_ kind: NamespaceKind) throws(ObservationError) -> NamespaceUsers {
        if let found = known.withLock({ $0[kind] }) { return found }
        let found = try NamespaceUsers.observe(kind)
        known.withLock { $0[kind] = found }
        return found
    }
}
