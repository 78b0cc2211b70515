import HelperProtocol
import TestNode

/// Makes requests: valid ones aimed at everything that has a name, and what mutation makes of them.
struct Messages {
    var random: Seeded
    /// Names of entries that exist, inside the roots and outside; grows with what looks show.
    private var names: [[UInt8]]
    private let containers: [[UInt8]]
    /// Places where something is, by root.
    private let places: [[[[UInt8]]]]
    /// Identities that replies have shown, the canaries' own among them.
    private var mounts: [MountIdentity]
    private var nodes: [NodeIdentity]
    private var lastID: UInt64 = 1

    init(
        seed: UInt64, names: [String], places: [[String]], containers: [String], mounts: [MountIdentity],
        nodes: [NodeIdentity]
    ) {
        random = Seeded(seed)
        self.names = names.map { Array($0.utf8) }
        self.containers = containers.map { Array($0.utf8) }
        self.places = places.map { $0.map { $0.split(separator: "/").map { Array($0.utf8) } } }
        self.mounts = mounts
        self.nodes = nodes
    }

    /// Takes identities and names from a reply, to aim at later.
    mutating func learn(_ facts: Facts) {
        // The first ones, which were given, stay.
        let slot = Int.random(in: 100..<200, using: &random)
        switch facts {
        case .mount(let identity), .mountPoint(let identity, _): mounts.keep(identity, at: slot)
        case .namespace(let identity, _): nodes.keep(identity, at: slot)
        case .directory(let facts):
            nodes.keep(facts.identity, at: slot)
            if let child = facts.children.randomElement(using: &random) { names.keep(child.name, at: slot) }
        default: break
        }
    }

    /// The next packet: valid; or, once in 20, valid but for some bytes; or, once in 200, noise.
    mutating func next(acting: Bool) -> [UInt8] {
        while true {
            var packet = request(acting: acting).encoded(version: Limits.version)
            if random.oneIn(200) {
                packet = random.bytes(Int.random(in: 0...4200, using: &random))
            } else if random.oneIn(20) {
                mutate(&packet)
            }
            // A mutation can turn a look into an act.
            if acting || Self.read(packet)?.request.isAct != true { return packet }
        }
    }

    /// The request in a packet to a helper that has been greeted; nil where there is none.
    static func read(_ packet: [UInt8]) -> RequestPacket? {
        try? RequestPacket(decoding: packet.span, version: Limits.version)
    }

    mutating func hello() -> [UInt8] { RequestPacket(id: 1, deadline: 30_000, request: .hello(.spoken)).encoded() }

    private mutating func mutate(_ packet: inout [UInt8]) {
        // Mostly behind the header, where a change can still be a valid request.
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let first = random.oneIn(8) ? 0 : 24
            guard packet.count > first else { return }
            let index = Int.random(in: first..<packet.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: packet.remove(at: index)
            case 1: packet.insert(UInt8.random(in: .min ... .max, using: &random), at: index)
            case 2: packet[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 3: packet[index] = random.pick([0, 1, 2, 0x2e, 0x2f, 0x7f, 0xff])
            case 4: packet.replaceSubrange(index..., with: random.bytes(Int.random(in: 0...40, using: &random)))
            default: packet[index] = UInt8.random(in: .min ... .max, using: &random)
            }
        }
        // The length is usually set right again: else nothing behind the header would be read.
        guard packet.count >= 24, !random.oneIn(10) else { return }
        let length = UInt32(packet.count - 24)
        for index in 0..<4 { packet[16 + index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index)) }
    }

    private mutating func request(acting: Bool) -> RequestPacket {
        lastID += 1
        let request: Request
        var deadline = random.pick([1, 5, 50, 1000, 5000] as [UInt32])
        switch Int.random(in: 0..<100, using: &random) {
        case ..<5 where acting:
            request = .unmountBeneath(
                place([0, 1, 5]), only: random.oneIn(3) ? random.pick(nodes) : nil,
                most: random.pick([1, 3, 1_000_000]))
        case ..<30: request = .unmount(place([0, 1, 5]), acting ? act(mounts) : .look)
        case ..<50: request = .deleteNamespace(place([2, 3, 4]), acting ? act(nodes) : .look)
        case ..<97: request = .removeDirectory(place([0, 0, 0, 1, 1, 5, 5, 6, 7]), directoryIntent(acting))
        case ..<98 where random.oneIn(2): request = .runtimeState(target())
        case ..<98:
            let signal = random.oneIn(4) ? 9 : UInt8.random(in: 1...64, using: &random)
            request = .runtimeKill(target(), acting ? act(nodes) : .look, signal: signal, all: random.oneIn(2))
        case ..<99 where random.oneIn(3): request = random.oneIn(3) ? killProcesses(acting) : killInCgroups(acting)
        case ..<99 where acting && random.oneIn(4): request = .runtimeForget(target(), only: random.pick(nodes))
        case ..<99: request = .runtimeDelete(target(), acting ? act(nodes) : .look)
        default:
            request = random.oneIn(4) ? .runtimeList(runtime: UInt8.random(in: 0...4, using: &random)) : .hello(.spoken)
        }
        if deadline < 1000, random.oneIn(2) { deadline = 1000 }
        return RequestPacket(id: lastID, deadline: deadline, request: request)
    }

    private mutating func killInCgroups(_ acting: Bool) -> Request {
        let cgroups = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            CgroupTarget(place: place([6, 7]), identity: random.pick(nodes), isExclusive: random.oneIn(2))
        }
        let signal = random.oneIn(2) ? 9 : UInt8.random(in: 1...64, using: &random)
        return .runtimeKillCgroups(target(), acting ? act(nodes) : .look, signal: signal, cgroups)
    }

    private mutating func killProcesses(_ acting: Bool) -> Request {
        // Low numbers are those of the node's own programs, among them the helper's.
        let processes = (0..<Int.random(in: 1...Limits.cgroupProcesses, using: &random)).map { _ in
            ProcessIdentity(
                pid: UInt32.random(in: 1...40_000, using: &random),
                startTime: UInt64.random(in: 0...1_000_000, using: &random))
        }
        let signal = random.oneIn(2) ? 9 : UInt8.random(in: 1...64, using: &random)
        return .runtimeKillProcesses(
            target(), acting ? act(nodes) : .look, signal: signal,
            ProcessTargets(place: place([6, 7]), identity: random.pick(nodes), processes: processes))
    }

    /// A place for an operation that is for these roots: mostly one of theirs, and where something is.
    private mutating func place(_ fitting: [Int]) -> Place {
        if random.oneIn(60) { return Place(root: UInt8.random(in: .min ... .max, using: &random)) }
        // With version 2 alone there is one root for cgroups, and not two.
        let root =
            random.oneIn(5)
            ? Int.random(in: 0..<places.count, using: &random) : random.pick(fitting.filter { $0 < places.count })
        var components = random.pick(places[root])
        if random.oneIn(5) { components.append(random.pick(names)) }
        if random.oneIn(5) { components[Int.random(in: 0..<components.count, using: &random)] = random.pick(names) }
        if random.oneIn(20) {
            components = (0..<Int.random(in: 0...16, using: &random)).map { _ in random.pick(names) }
        }
        return (try? Place(root: UInt8(root), components: components)) ?? Place(root: UInt8(root))
    }

    private mutating func act<Identity>(_ known: [Identity]) -> Intent<Identity> {
        random.oneIn(3) ? .act(only: random.pick(known)) : .act(only: nil)
    }

    private mutating func directoryIntent(_ acting: Bool) -> DirectoryIntent {
        guard acting, !random.oneIn(3) else {
            let cursor = random.oneIn(3) ? UInt64.random(in: .min ... .max, using: &random) : 0
            return .look(cursor: cursor)
        }
        let count = random.oneIn(4) ? UInt8.random(in: 1...16, using: &random) : 1
        let slice = Slice(
            entries: random.pick([1, 2, 10, 1_000_000]), index: .random(in: 0..<count, using: &random), count: count)
        return .act(only: random.oneIn(3) ? random.pick(nodes) : nil, slice)
    }

    private mutating func target() -> RuntimeTarget {
        let id = try? ContainerID(random.pick(containers))
        return RuntimeTarget(runtime: UInt8.random(in: 0...3, using: &random), id: id!)
    }
}

extension Array {
    fileprivate mutating func keep(_ item: Element, at slot: Int) {
        if slot < count { self[slot] = item } else { append(item) }
    }
}

extension Request {
    /// Whether it may change something.
    var isAct: Bool {
        switch self {
        case .hello, .unmount(_, .look), .deleteNamespace(_, .look), .removeDirectory(_, .look),
            .runtimeKill(_, .look, _, _), .runtimeKillCgroups(_, .look, _, _), .runtimeKillProcesses(_, .look, _, _),
            .runtimeDelete(_, .look), .runtimeState, .runtimeList:
            false
        default: true
        }
    }
}
