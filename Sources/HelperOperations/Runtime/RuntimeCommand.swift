internal import HelperProtocol

/// A launcher's commands: to run its runtime with one of four verbs, or to signal the processes in a cgroup.
enum RuntimeVerb: Equatable {
    case state, delete, list
    case kill(signal: UInt8, all: Bool)
    /// `continues`: processes that the previous command signalled are not signalled again.
    case signalCgroup(signal: UInt8, isExclusive: Bool, continues: Bool)

    /// Whether the command names a container.
    var hasContainer: Bool {
        switch self {
        case .state, .delete, .kill: true
        case .list, .signalCgroup: false
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
    var milliseconds: UInt32

    init(_ verb: RuntimeVerb, id: ContainerID?, milliseconds: UInt32) {
        self.verb = verb
        self.id = id
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
        }
        for index in 0..<4 { out.append(UInt8(truncatingIfNeeded: milliseconds >> UInt32(8 * index))) }
        let id = self.id?.bytes ?? InlineBytes()
        for index in 0..<128 { out.append(index < id.count ? id[index] : 0) }
        out.append(UInt8(id.count))
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
        default: throw .unknownKind
        }
        milliseconds = 0
        for index in 0..<4 { milliseconds |= UInt32(packet[3 + index]) << UInt32(8 * index) }
        guard (1...Limits.deadlineMilliseconds).contains(milliseconds) else { throw .badDeadline }
        let length = Int(packet[Self.bytes - 1])
        guard length <= 128, (length > 0) == verb.hasContainer else { throw .badContainerID }
        id = length == 0 ? nil : try ContainerID(Array(packet[7..<(7 + length)]))
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
        case .signalCgroup: break
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
