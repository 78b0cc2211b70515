internal import EventLoop
internal import FoundationEssentials
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
public import SandboxRegistry

extension Orchestrator {
    /// Calls `GarbageCollection.look` with this registry's records.
    public func garbage(timeout: Duration = .seconds(120)) async throws(RemovalError) -> GarbageFacts {
        try await garbageCollection.look(timeout: timeout)
    }

    /// Calls `GarbageCollection.remove` with this registry's records.
    public func collect(
        _ verdict: GarbageVerdict, from facts: GarbageFacts, olderThan bound: Duration,
        timeout: Duration = .seconds(120)
    ) async throws(RemovalError) -> String? {
        try await garbageCollection.remove(verdict, from: facts, olderThan: bound, timeout: timeout)
    }

    public var garbageCollection: GarbageCollection {
        GarbageCollection(helpers) { (deadline) throws(RemovalError) in try self.garbageRecords(until: deadline) }
    }
}

/// All registered pods and how the clock ran. One process can hand it to another that does not open the registry.
public struct GarbageRecords: Codable, Sendable {
    public var pods: [PodRecords] = []
    /// nil if unknown.
    public var sinceBoot: Duration?
    /// The times in this boot at which the clock was set forward.
    public var jumps: [ClockJump] = []

    public init() {}
}

extension Orchestrator {
    /// Blocks while it reads the registry, and until the deadline at most if another process writes to it.
    public func garbageRecords(until deadline: ContinuousClock.Instant) throws(RemovalError) -> GarbageRecords {
        var records = GarbageRecords()
        records.pods = try allRecords()
        (records.sinceBoot, records.jumps) = try noteClock(until: deadline)
        return records
    }

    /// Records how the clock runs, so that a later `gc` knows how old things are. Waits for it until the deadline.
    package func noteClockNow(until deadline: ContinuousClock.Instant) async {
        _ = try? await Threads.writing.run(until: deadline) { () throws(RemovalError) in
            try self.noteClock(until: deadline)
        }
    }

    /// Records how the clock runs, and returns what is known of it so far.
    private func noteClock(
        until deadline: ContinuousClock.Instant
    ) throws(RemovalError) -> (sinceBoot: Duration?, jumps: [ClockJump]) {
        guard let now = Self.clock() else { return (nil, []) }
        return try fromRegistry { (registry) throws(RegistryError) in
            (now.sinceBoot, try registry.noteClock(now, until: deadline))
        }
    }

    /// The clock now; nil if the time since boot is unknown.
    static func clock() -> ClockReading? {
        guard let boot = try? Boot.id(), let age = try? Boot.age() else { return nil }
        return ClockReading(bootID: boot, wall: Date(), sinceBoot: age)
    }
}

/// Finds and removes what is left of pods that no registry knows.
public struct GarbageCollection: Sendable {
    /// Returns all that is registered now; blocks until a deadline at most.
    public typealias Records = @Sendable (ContinuousClock.Instant) throws(RemovalError) -> GarbageRecords

    private let helpers: HelperPool
    private let records: Records

    /// - Parameter records: It is called again before anything is removed.
    init(_ helpers: HelperPool, records: @escaping Records) {
        self.helpers = helpers
        self.records = records
    }

    /// Creates a collection for a process that does not open the registry.
    ///
    /// - Parameters:
    ///   - helper: The path of `podreap-helper`; not used if `helperSocket` is given.
    ///   - helperSocket: The socket at which a service manager starts helpers.
    ///   - policy: A policy to use instead of the installed one; the helper accepts it from root only.
    ///   - atOnce: How many helpers work at once; nil for as many as suit the machine.
    ///   - records: It is called again before anything is removed.
    public init(
        helper: String, helperSocket: String? = nil, policy: String? = nil, atOnce: Int? = nil,
        records: @escaping Records
    ) {
        let launch =
            helperSocket.map { HelperLaunch.socket($0) } ?? .program(helper, arguments: policy.map { [$0] } ?? [])
        self.init(HelperPool(launch, limits: HelperLimits(helpers: atOnce)), records: records)
    }

    /// Finds what lies beneath the helper's roots and may be left of pods, and reads all that is registered. Changes
    /// nothing.
    ///
    /// - Parameter timeout: For the whole call.
    public func look(timeout: Duration = .seconds(120)) async throws(RemovalError) -> GarbageFacts {
        let time = CallTime(timeout)
        return try await time.bound("a look at the node") { () throws(RemovalError) in try await self.gather(time) }
    }

    private func gather(_ time: CallTime) async throws(RemovalError) -> GarbageFacts {
        var gathering = try await GarbageGathering(helpers, time)
        try await gathering.gather()
        var facts = gathering.facts
        // The registry is read last, so that a pod registered in the meantime is known.
        let registered = try records(time.deadline)
        facts.records = registered.pods.map { ($0.sandbox, $0.containers) }
        (facts.sinceBoot, facts.jumps) = (registered.sinceBoot, registered.jumps)
        return facts
    }

    /// Removes one item that `judge` decided to remove, provided that the decision still holds for the current registry
    /// and that what lies there is still what was observed.
    ///
    /// - Parameter timeout: For the whole call.
    /// - Returns: nil if the item is gone, otherwise why it is not.
    public func remove(
        _ verdict: GarbageVerdict, from facts: GarbageFacts, olderThan bound: Duration,
        timeout: Duration = .seconds(120)
    ) async throws(RemovalError) -> String? {
        let time = CallTime(timeout)
        let others = facts.items
        var facts = facts
        let scan = facts.scan
        facts.records = try await time.bound("the registry's answer") { () throws(RemovalError) in
            try self.records(time.deadline).pods.map { ($0.sandbox, $0.containers) }
        }
        let now = try await time.bound("a look at it") { () throws(RemovalError) in
            try await self.refreshed(verdict.item, among: others, scan, time)
        }
        (facts.items, facts.claims) = ([now.item], now.claims)
        guard case .remove = verdict.decision, case .remove? = facts.judge(olderThan: bound).first?.decision else {
            return "it must not be removed any more"
        }
        let session = try await time.session(helpers)
        let collector = GarbageCollector(helpers: session, roots: RootMap(session.welcome), time: time)
        do throws(StepFailure) {
            try await collector.remove(verdict.item)
            return nil
        } catch {
            return error.reason
        }
    }

    /// Observes again whether the item's container lives and its cgroup is empty, because both may have changed; and who
    /// else uses it, if that was not seen just now.
    private func refreshed(
        _ item: GarbageItem, among items: [GarbageItem], _ latest: LatestGarbageScan, _ time: CallTime
    ) async throws(RemovalError) -> (item: GarbageItem, claims: GarbageClaims) {
        let scan: GarbageScan
        if let recent = latest.recent {
            scan = recent
        } else {
            let gathering = try await GarbageGathering(helpers, time)
            scan = GarbageScan(gathering: gathering, claims: try gathering.claims(on: items))
            latest.keep(scan)
        }
        var item = item
        item.use = try await scan.gathering.use(of: item)
        return (item, scan.claims)
    }
}

/// Carries out a decision, and acts only on the very objects that were observed.
struct GarbageCollector {
    let helpers: HelperSession
    let roots: RootMap
    let time: CallTime
    /// The longest that one request takes; a directory that takes longer is gone on with.
    private static let slice: Duration = .seconds(20)
    /// Time bounds a request, not entries: with few entries a request, a deep tree would be descended again for every
    /// few.
    private static let entries = Limits.sliceEntries

    func remove(_ item: GarbageItem) async throws(StepFailure) {
        switch item.kind {
        case .container(let runtime, _):
            let target = try orFail { () throws(RootError) in try roots.target(item.name, runtime: runtime) }
            try await act(.runtimeDelete(target, .act(only: item.node)))
        case .namespace(let kind):
            let place = try place(Array(item.path.utf8), .deleteNamespace, [kind.rootKind])
            try await act(.deleteNamespace(place, .act(only: item.node)))
        case .mount:
            try await detach(item.mounts)
        case .monitor(_, let pid, let startTime):
            try await MonitorEnding.end(pid: pid, startTime: startTime, until: time.deadline)
        case .directory, .cgroup:
            try await detach(item.mounts)
            let kinds: [RootKind] = item.kind == .cgroup ? [.cgroup] : [.sandbox, .container]
            let place = try place(Array(item.path.utf8), .remove, kinds)
            let intent = DirectoryIntent.act(only: item.node, Slice(entries: Self.entries))
            while try await act(.removeDirectory(place, intent)) == .inProgress {}
        }
    }

    private func detach(_ mounts: [MountedPlace]) async throws(StepFailure) {
        for mount in mounts {
            let place = try place(mount.path, .unmount, [.sandbox, .container])
            try await act(.unmount(place, .act(only: MountIdentity(id: mount.id, unique: mount.unique))))
        }
    }

    private func place(_ path: [UInt8], _ use: PlaceUse, _ kinds: [RootKind]) throws(StepFailure) -> Place {
        try orFail { () throws(RootError) in try roots.place(path, for: use, in: kinds) }
    }

    @discardableResult
    private func act(_ request: Request) async throws(StepFailure) -> Outcome {
        let left = time.deadline - .now
        guard left > .zero else {
            throw StepFailure("the time for it (\(time.limit.formattedSeconds)) is over; the same call again goes on")
        }
        let reply: Reply
        do throws(HelperError) {
            reply = try await helpers.call(request, deadline: min(Self.slice, left), until: time.deadline)
        } catch {
            throw StepFailure(error)
        }
        guard reply.isSuccess || reply.outcome == .inProgress else { throw StepFailure(reply) }
        return reply.outcome
    }
}

extension GarbageItem {
    fileprivate var node: NodeIdentity? { identity.map(NodeIdentity.init) }
}
