public import HelperProtocol

/// A real helper, started by the unprivileged caller, and the orchestrator's end of its socket.
public final class TestHelper: Sendable {
    public let process: Program
    private let state = State()
    /// The protocol version that Hello has found.
    public var version: UInt16 { state.version }

    /// An answer, and what came as a sealed memfd with it.
    public struct Answer {
        public var reply: Reply
        public var attachment: [UInt8]?
        public var outcome: Outcome { reply.outcome }
        public var facts: Facts { reply.facts }
    }

    /// The usual start of a helper: as the caller, with the installed program and the fixed policy.
    public static var start: ProgramStart {
        var start = ProgramStart(TestNode.helper)
        start.user = TestNode.caller
        start.group = TestNode.caller
        return start
    }

    /// Starts a helper and does not greet it. With `policy`, that is the text of `/etc/podreap/helper.conf` for it, in
    /// a mount namespace of its own: what is mounted later, it does not see.
    public init(ungreeted start: ProgramStart, policy: String? = nil) throws {
        try TestNode.shared()
        var start = start
        if let policy { start.binds.append((try TestPolicy(policy).directory, "/etc/podreap")) }
        process = try Program(start)
    }

    /// Starts a helper and says Hello.
    ///
    /// - Parameter versions: The protocol versions that the orchestrator claims to speak.
    public convenience init(
        _ start: ProgramStart = TestHelper.start, policy: String? = nil, versions: VersionRange = .spoken
    ) throws {
        try self.init(ungreeted: start, policy: policy)
        try greet(versions)
    }

    @discardableResult
    public func greet(_ versions: VersionRange = .spoken) throws -> Welcome {
        let answer = try ask(.hello(versions))
        guard case (.done, .welcome(let welcome)) = (answer.outcome, answer.facts) else {
            throw ProgramFailure(description: "no Welcome: \(answer.outcome)")
        }
        return welcome
    }

    /// Sends a request and waits for its answer: its deadline and 6 s more.
    public func ask(_ request: Request, milliseconds: UInt32 = 20_000) throws -> Answer {
        let id = state.next()
        try send(RequestPacket(id: id, deadline: milliseconds, request: request))
        guard let answer = try receive(seconds: Double(milliseconds) / 1000 + 6) else {
            throw ProgramFailure(description: "no answer to \(request)")
        }
        guard answer.reply.requestID == id || answer.reply.requestID == 0 else {
            throw ProgramFailure(description: "an answer to \(answer.reply.requestID) in the place of \(id)")
        }
        return answer
    }

    public func send(_ packet: RequestPacket) throws { try send(packet.encoded(version: version)) }

    public func send(_ packet: [UInt8], descriptors: [Int32] = []) throws {
        try sendPacket(process.socket, packet, descriptors)
    }

    /// The next answer; nil where none comes in time. Throws where the helper has closed its end.
    public func receive(seconds: Double = 10) throws -> Answer? {
        guard let (bytes, descriptor) = try receivePacket(process.socket, milliseconds: Int32(seconds * 1000))
        else { return nil }
        defer { closeDescriptor(descriptor) }
        guard !bytes.isEmpty else { throw ProgramFailure(description: "the helper has closed its socket") }
        let reply = try Reply(decoding: bytes.span, version: version)
        // Also where the Hello was not ours: the next answer is in this version.
        if case .welcome(let welcome) = reply.facts { state.version = welcome.version }
        guard descriptor >= 0 else { return Answer(reply: reply) }
        guard case .runtime(let facts) = reply.facts, case .memfd(let size) = facts.output, isSealed(descriptor)
        else { throw ProgramFailure(description: "a descriptor where none belongs, or one without seals") }
        return Answer(reply: reply, attachment: try readBytes(descriptor, limit: Int(size) + 1, offset: 0))
    }

    /// The next answer's bytes, as they are; nil where none comes in time.
    public func receiveBytes(seconds: Double = 10) throws -> [UInt8]? {
        try receivePacket(process.socket, milliseconds: Int32(seconds * 1000))?.bytes
    }

    /// Whether the helper has closed its end, after all answers were received.
    public func isClosed(seconds: Double = 5) throws -> Bool {
        try receivePacket(process.socket, milliseconds: Int32(seconds * 1000)).map { $0.bytes.isEmpty } ?? false
    }

    public func closeSocket() { process.closeSocket() }

    /// Closes the half of our end through which requests go.
    public func closeWritingHalf() throws { try closeWriting(process.socket) }

    /// The launchers, in the order of the policy's runtimes, once each is confined.
    public func launchers() throws -> [Int32] { Array(try processes().dropFirst()) }

    /// The process that unmounts and deletes namespaces.
    public func unmounter() throws -> Int32 {
        guard let first = try processes().first else { throw ProgramFailure(description: "there is no unmounter") }
        return first
    }

    /// The processes that the broker has started, once each is confined.
    public func processes() throws -> [Int32] {
        let pids = try NodeProcess(process.pid).children()
        for pid in pids {
            let end = monotonicSeconds() + 5
            while try NodeProcess(pid).status()["Seccomp"] != "2" {
                guard monotonicSeconds() < end else {
                    throw ProgramFailure(description: "process \(pid) has no filter")
                }
                pause(milliseconds: 1)
            }
        }
        return pids
    }

    private final class State: @unchecked Sendable {
        // Requests of one helper are sent one after the other.
        var version = Limits.oldestVersion
        private var last: UInt64 = 0
        func next() -> UInt64 {
            last += 1
            return last
        }
    }
}

extension Place {
    /// A place from a root's number and names.
    public static func at(_ root: UInt8, _ names: String...) throws -> Place {
        try Place(root: root, components: names.map { Array($0.utf8) })
    }
}

extension Request {
    /// The removal of a directory in one slice.
    public static func remove(_ place: Place, entries: UInt32 = 1_000_000, only: NodeIdentity? = nil) -> Request {
        .removeDirectory(place, .act(only: only, Slice(entries: entries)))
    }

    public static func lookAt(_ place: Place, cursor: UInt64 = 0) -> Request {
        .removeDirectory(place, .look(cursor: cursor))
    }
}
