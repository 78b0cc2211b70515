internal import HelperProtocol

/// What a launcher may be told to run: its runtime, with one of four verbs.
enum RuntimeVerb: Equatable {
    case state, delete, list
    case kill(signal: UInt8, all: Bool)
}

/// A command from the broker to a launcher: a packet of fixed size on their private socket, together with two
/// memfds for the runtime's standard output and error.
struct RuntimeCommand: Equatable {
    static var bytes: Int { 7 + 129 }

    var verb: RuntimeVerb
    /// Every verb's container but list's.
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
        }
        for index in 0..<4 { out.append(UInt8(truncatingIfNeeded: milliseconds >> UInt32(8 * index))) }
        let id = self.id?.bytes ?? InlineBytes()
        for index in 0..<128 { out.append(index < id.count ? id[index] : 0) }
        out.append(UInt8(id.count))
    }

    /// Checks everything again: the launcher does not trust the broker, which reads what strangers write.
    init(decoding packet: [UInt8]) throws(Malformed) {
        guard packet.count == Self.bytes else { throw .badLength }
        switch (packet[0], packet[1], packet[2]) {
        case (1, 0, 0): verb = .state
        case (2, 0, 0): verb = .delete
        case (3, 0, 0): verb = .list
        case (4, 1...64, 0...1): verb = .kill(signal: packet[1], all: packet[2] == 1)
        default: throw .unknownKind
        }
        milliseconds = 0
        for index in 0..<4 { milliseconds |= UInt32(packet[3 + index]) << UInt32(8 * index) }
        guard (1...Limits.deadlineMilliseconds).contains(milliseconds) else { throw .badDeadline }
        let length = Int(packet[Self.bytes - 1])
        guard length <= 128, (length == 0) == (verb == .list) else { throw .badContainerID }
        id = length == 0 ? nil : try ContainerID(Array(packet[7..<(7 + length)]))
    }

    /// The runtime's arguments. The id's grammar keeps it from being an option.
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
        }
        if let id { list.append(id.bytes) }
        return list
    }
}

/// A launcher's answer, in 8 bytes.
struct RuntimeEnd: Equatable {
    enum How: UInt8 { case ended = 0, timedOut = 1, notStarted = 2 }

    static var bytes: Int { 8 }

    var how: How
    /// Exit status, the negative number of the signal that ended it, or an error number.
    var status: Int32

    init(_ how: How, status: Int32) {
        self.how = how
        self.status = status
    }

    var encoded: [UInt8] {
        var out: [UInt8] = [how.rawValue, 0, 0, 0]
        let bits = UInt32(bitPattern: status)
        for index in 0..<4 { out.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * index))) }
        return out
    }

    init(decoding packet: [UInt8], count: Int) throws(Outcome) {
        guard count == Self.bytes, let how = How(rawValue: packet[0]) else { throw .refused(.confinementFailed) }
        var bits: UInt32 = 0
        for index in 0..<4 { bits |= UInt32(packet[4 + index]) << UInt32(8 * index) }
        self.how = how
        status = Int32(bitPattern: bits)
    }
}
