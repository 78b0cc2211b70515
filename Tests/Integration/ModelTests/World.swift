import Foundation
import SamplePod
import TestNode
import TestPods

/// A node with all that a history has made on it, and what the model knows of whose each thing is.
final class World {
    /// One making of a sandbox or a container.
    struct Making {
        var name: String
        var container = PlainContainer()
        /// The container's bundle.
        var bundle = ""
    }

    let node: PodNode
    var base: String { node.sample.base }
    /// The same directory without what is mounted in it.
    let plain = "/mnt/plain"
    var ledger = Ledger()
    /// What a clean node has.
    private(set) var clean: Set<Thing> = []

    /// The last making of each id that is still at its place.
    var current: [String: Making] = [:]
    /// What each registry knows, by its name and the sandbox's id.
    var records: [RegistryName: [String: Record]] = [:]
    var boot = 0
    private(set) var seed: UInt64 = 0
    /// Whether /proc hides other users' processes, and whether helper.conf lists the runtime.
    var isHidden = false
    var isRuntimeListed = true
    /// Whether podreap may end what lives in a cgroup that no state of the runtime's names any more.
    var mayKill = false
    /// Whether crun runs the containers of this history. Only on version 2 alone: crun takes a node with hierarchies of
    /// both versions for one with version 2, and finds none of its cgroups.
    private(set) var isCrun = false
    var runtime: String { isCrun ? "crun" : "runc" }
    /// Where the runtime keeps its states.
    var runtimeRoot: String { isCrun ? "\(node.sample.base)/crun" : node.sample.runtimeRoot }
    /// The runtime with its root, as a person calls it.
    var runtimeCall: String { "\(runtime) --root \(runtimeRoot)" }
    /// The name of its file in a container's state directory.
    var stateFile: String { isCrun ? "status" : "state.json" }
    /// What was done up to now, as a person would do it.
    private(set) var script: [String] = []
    /// Where the promise was broken.
    var violations: [String] = []
    var statistics = Statistics()
    /// Tells a registry's file from those of earlier histories.
    private(set) var number = 0
    private var makings: [String: Int] = [:]
    /// Makings of which the runtime's state is lost or damaged.
    var damaged: Set<String> = []
    /// Processes that do not come to their end, as one that is frozen.
    private var lingering: Set<Thing> = []

    init(_ node: PodNode) throws {
        self.node = node
        try shell(
            """
            mkdir -m 711 -p \(node.sample.base)/crun; mkdir -p \(plain); mount --bind \(node.sample.base) \(plain)
            for h in pids unified .; do
                [ -e /sys/fs/cgroup/$h/cgroup.procs ] && mkdir -p /sys/fs/cgroup/$h/\(Self.callers) && break
            done
            """)
        node.addEnding(Cleaning.marked)
        node.addEnding(
            "umount \(plain); rmdir \(plain) /sys/fs/cgroup/*/\(Self.callers) /sys/fs/cgroup/\(Self.callers) || true")
        try shell("cp \(try TestPrograms.leader.get()) \(node.sample.base)/image/bin/leader")
        try node.setPolicy(policy)
        _ = try Self.program.get()
        see(by: .others)
        clean = Set(ledger.owners.keys)
    }

    /// The cgroup in which calls run, so that it is seen when their helpers have ended.
    static let callers = "podreap-model-\(currentProcess())"

    var policy: String {
        let lines = node.policy.split(separator: "\n").map { line -> String in
            if line.hasPrefix("cgroup-root") {
                return line.replacing(" depth 1", with: " depth 1-3") + (mayKill ? " kill" : "")
            }
            return line.hasPrefix("container-root") ? "\(line) depth 1-2" : String(line)
        }
        return (lines + ["runtime = crun /usr/bin/crun \(base)/crun"]).joined(separator: "\n") + "\n"
    }

    // MARK: Doing

    /// Runs a script of a person's, shows it, and gives what it has made to somebody.
    @discardableResult
    func run(_ script: String, by owner: Owner = .others) throws -> String {
        note(script)
        let output = try shell(script)
        see(by: owner)
        settle()
        return output
    }

    /// Waits for processes that are ending: what they leave then is no act's.
    func settle() {
        for round in 0..<100 {
            let ending = ledger.owners.keys.filter { thing in
                guard case .process(let pid, _) = thing, !lingering.contains(thing) else { return false }
                return Seen.isEnding(pid)
            }
            if ending.isEmpty { return }
            if round == 99 { lingering.formUnion(ending) }
            pause(milliseconds: 3)
            see(by: .others)
        }
    }

    /// Adds to what is shown, with the node's places by their short names.
    func note(_ text: String) {
        script.append(
            text.replacing(base, with: "$N").replacing("/sys/fs/cgroup/", with: "$CG/")
                .replacing(SampleNode.cgroup.dropFirst(), with: "$G"))
    }

    /// Looks at the node: what is new is somebody's.
    func see(by owner: Owner, remembering: Bool = false) {
        ledger.update(look(), by: owner, remembering: remembering)
    }

    func look() -> Seen {
        Seen(
            base: base, plain: plain, cgroupRoots: node.sample.cgroupRoots,
            known: ledger.owners.keys.filter(\.isProcess))
    }

    func making(_ id: String) -> Making {
        makings[id, default: 0] += 1
        return Making(name: "\(id)#\(makings[id, default: 0])")
    }

    // MARK: Looking

    func exists(_ path: String) -> Bool { ledger.entries[path] != nil }
    func isMounted(_ path: String) -> Bool { ledger.owners.keys.contains { $0.isMount && $0.path == path } }
    func isAnythingMounted(beneath path: String) -> Bool {
        ledger.owners.keys.contains { $0.isMount && $0.path?.isBeneath(path) == true }
    }
    /// Living processes of a making.
    func processes(of making: String) -> [Int32] {
        ledger.owners.compactMap { thing, owners in
            guard case .process(let pid, _) = thing, owners.contains(where: { $0.making == making }) else { return nil }
            return pid
        }.sorted()
    }
    func directory(of id: String) -> String {
        Universe.isSandbox(id) ? node.directory(ofSandbox: id) : node.directory(of: id)
    }
    func state(of id: String) -> String { "\(runtimeRoot)/\(id)" }
    /// The making whose directory is at an id's place; nil where there is none, or another's.
    func place(_ id: String) -> Making? {
        guard let making = current[id], ledger.owner(of: directory(of: id))?.making == making.name else { return nil }
        return making
    }

    func measured<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
        let (seconds, result) = try timed(body)
        statistics.seconds[name, default: 0] += seconds
        return result
    }

    // MARK: From one history to the next

    func begin(seed: UInt64) throws {
        self.seed = seed
        number += 1
        (script, violations, current, records, makings, boot) = ([], [], [:], [:], [:], 0)
        (isHidden, isRuntimeListed, mayKill, lingering, damaged) = (false, true, seed / 2 % 2 == 0, [], [])
        isCrun = Cgroups.isVersion2Alone && seed / 4 % 2 == 1
        try node.setPolicy(policy)
        statistics.histories += 1
        if isCrun { statistics.crunHistories += 1 }
    }

    /// Takes away all that the history has left, by hand, and says what could not be.
    func end() throws -> [String] {
        try shell(Cleaning.script(self), seconds: 120)
        try node.setPolicy(policy)
        var left: Set<Thing> = []
        for _ in 0..<500 {
            ledger = Ledger()
            see(by: .others)
            left = Set(ledger.owners.keys).symmetricDifference(clean)
            if left.isEmpty { return [] }
            pause(milliseconds: 10)
        }
        return left.map { "the node is not clean: \($0)" }.sorted()
    }
}
