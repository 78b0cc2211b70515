internal import HelperProtocol

/// A launcher's commands: to run its runtime with one of four verbs, or to signal the processes in a cgroup.
enum RuntimeVerb: Equatable {
    case state, delete, list
    case kill(signal: UInt8, all: Bool)
    /// `continues`: processes that the previous command signalled are not signalled again.
    case signalCgroup(signal: UInt8, isExclusive: Bool, continues: Bool)
    /// Signals the command's processes alone.
    case signalProcesses(signal: UInt8)

    /// Whether the command names a container.
    var hasContainer: Bool {
        switch self {
        case .state, .delete, .kill: true
        case .list, .signalCgroup, .signalProcesses: false
        }
    }
}

/// A command from the broker to a launcher: a packet of fixed size on their private socket. With it come two memfds for
/// the runtime's standard output and error, or the cgroup's directory.
struct RuntimeCommand: Equatable {
    static var bytes: Int { 7 + 129 }

    var verb: RuntimeVerb
    /// The container, if the verb has one.
    var id: ContainerID?
    /// The processes to signal, if the verb signals processes: at most `Limits.cgroupProcesses`.
    var processes: [ProcessIdentity]
    var milliseconds: UInt32

    init(_ verb: RuntimeVerb, id: ContainerID?, processes: [ProcessIdentity] = [], milliseconds: UInt32) {
        self.verb = verb
        self.id = id
        self.processes = processes
        self.milliseconds = milliseconds
    }

    func encode(into out: inout [UInt8]) {
        out.removeAll(keepingCapacity: true)
        switch verb {
        case .state: out += [1, 0, 0]
        case .delete: out += [2, 0, 0]
        case .list: out += [3, 0, 0]
        case .kill(let signal, let all): out += [4, signal, all ? 1 : 0]
        case .signalCgroup(let signal, let isExclusive, let continues):
            out += [5, signal, (isExclusive ? 1 : 0) | (continues ? 2 : 0)]
        case .signalProcesses(let signal): out += [6, signal, 0]
        }
        for index in 0..<4 { out.append(UInt8(truncatingIfNeeded: milliseconds >> UInt32(8 * index))) }
        let object = id?.bytes.array ?? Self.encoded(processes)
        for index in 0..<128 { out.append(index < object.count ? object[index] : 0) }
        out.append(UInt8(object.count))
    }

    /// Checks every field again: the launcher does not trust the broker, which reads input from strangers.
    init(decoding packet: [UInt8]) throws(Malformed) {
        guard packet.count == Self.bytes else { throw .badLength }
        switch (packet[0], packet[1], packet[2]) {
        case (1, 0, 0): verb = .state
        case (2, 0, 0): verb = .delete
        case (3, 0, 0): verb = .list
        case (4, 1...64, 0...1): verb = .kill(signal: packet[1], all: packet[2] == 1)
        case (5, 1...64, 0...3):
            verb = .signalCgroup(
                signal: packet[1], isExclusive: packet[2] & 1 != 0, continues: packet[2] & 2 != 0)
        case (6, 1...64, 0): verb = .signalProcesses(signal: packet[1])
        default: throw .unknownKind
        }
        milliseconds = 0
        for index in 0..<4 { milliseconds |= UInt32(packet[3 + index]) << UInt32(8 * index) }
        guard (1...Limits.deadlineMilliseconds).contains(milliseconds) else { throw .badDeadline }
        let length = Int(packet[Self.bytes - 1])
        guard length <= 128 else { throw .badContainerID }
        let object = packet[7..<(7 + length)]
        if case .signalProcesses = verb {
            id = nil
            processes = try Self.processes(object)
            return
        }
        guard (length > 0) == verb.hasContainer else { throw .badContainerID }
        id = length == 0 ? nil : try ContainerID(Array(object))
        processes = []
    }

    /// Twelve bytes for each process.
    private static func encoded(_ processes: [ProcessIdentity]) -> [UInt8] {
        var out: [UInt8] = []
        for process in processes {
            for index in 0..<4 { out.append(UInt8(truncatingIfNeeded: process.pid >> UInt32(8 * index))) }
            for index in 0..<8 { out.append(UInt8(truncatingIfNeeded: process.startTime >> UInt64(8 * index))) }
        }
        return out
    }

    private static func processes(_ bytes: ArraySlice<UInt8>) throws(Malformed) -> [ProcessIdentity] {
        guard bytes.count % 12 == 0, (1...Limits.cgroupProcesses).contains(bytes.count / 12) else {
            throw .badProcesses
        }
        var found: [ProcessIdentity] = []
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: 12) {
            var process = ProcessIdentity(pid: 0, startTime: 0)
            for index in 0..<4 { process.pid |= UInt32(bytes[start + index]) << UInt32(8 * index) }
            for index in 0..<8 { process.startTime |= UInt64(bytes[start + 4 + index]) << UInt64(8 * index) }
            guard (1...UInt32(Int32.max)).contains(process.pid) else { throw .badProcesses }
            found.append(process)
        }
        return found
    }

    /// The runtime's arguments. The grammar of container ids prevents one from being read as an option.
    func arguments(_ policy: Policy.RuntimePolicy) -> ArgumentList {
        var list = ArgumentList()
        list.append(policy.seen.name)
        list.append("--root")
        list.append(policy.seen.stateRoot)
        switch verb {
        case .state: list.append("state")
        case .delete: list.append("delete")
        case .list:
            list.append("list")
            list.append("--format")
            list.append("json")
        case .kill(let signal, let all):
            list.append("kill")
            if all { list.append("--all") }
            if let id { list.append(id.bytes) }
            list.append(signal)
            return list
        case .signalCgroup, .signalProcesses: break
        }
        if let id { list.append(id.bytes) }
        return list
    }
}

/// A launcher's answer, in 12 bytes.
struct RuntimeEnd: Equatable {
    enum How: UInt8 { case ended = 0, timedOut = 1, notStarted = 2 }

    static var bytes: Int { 12 }

    var how: How
    /// For a runtime: its exit status, the negative number of the signal that ended it, or the error number if it could
    /// not be started. For a cgroup: the error number of the first failure, or 0.
    var status: Int32
    /// How many processes of a cgroup were signalled.
    var count: UInt32 = 0

    init(_ how: How, status: Int32) {
        self.how = how
        self.status = status
    }

    var encoded: [UInt8] {
        var out: [UInt8] = [how.rawValue, 0, 0, 0]
        for bits in [UInt32(bitPattern: status), count] {
            for index in 0..<4 { out.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * index))) }
        }
        return out
    }

    init(decoding packet: [UInt8], count: Int) throws(Outcome) {
        guard count == Self.bytes, let how = How(rawValue: packet[0]) else { throw .refused(.confinementFailed) }
        var numbers: [2 of UInt32] = [0, 0]
        for index in 0..<8 { numbers[index / 4] |= UInt32(packet[4 + index]) << UInt32(8 * (index % 4)) }
        self.how = how
        status = Int32(bitPattern: numbers[0])
        self.count = numbers[1]
    }
}
