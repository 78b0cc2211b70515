internal import EventLoop
internal import HelperProtocol
internal import LinuxSystem
internal import Synchronization

/// One helper's process and our end of its socket. Only one task sends requests at a time.
final class HelperConnection: Sendable {
    private let connection: Connection
    private let loop: EventLoop
    private let lastID = Atomic<UInt64>(0)
    /// The protocol version that its Welcome named; until then, the version in which Hello is sent.
    private let version = Atomic<UInt16>(Limits.oldestVersion)
    /// How long a process may take to end after it has closed its socket.
    private static let dying: Duration = .seconds(1)

    init(_ launch: HelperLaunch) throws(HelperError) {
        do throws(Errno) {
            loop = try EventLoop.shared.get()
        } catch {
            throw .system(errno: error.number)
        }
        do throws(Errno) {
            connection = try Connection(launch)
        } catch {
            throw HelperError(starting: launch, error)
        }
    }

    /// The process that listens at the socket that the helper came from; nil for a child.
    var listener: Int32? { connection.socket.listener }

    /// Sends one request and waits for its reply. After any error the helper can no longer be used and must be ended.
    ///
    /// - Parameters:
    ///   - time: How long the helper may take; no longer than the protocol allows.
    ///   - limit: The longest time to wait.
    func exchange(_ request: Request, deadline time: Duration, within limit: Duration) async throws(HelperError)
        -> Reply
    {
        let version = version.load(ordering: .relaxed)
        guard request.version <= version else {
            throw .unsupportedVersion(VersionRange(minimum: Limits.oldestVersion, maximum: version))
        }
        let deadline = ContinuousClock.now + limit
        let id = lastID.wrappingAdd(1, ordering: .relaxed).newValue
        do throws(Errno) {
            let packet = RequestPacket(id: id, deadline: UInt32(time / .milliseconds(1)), request: request)
            try connection.socket.send(packet.encoded(version: version))
        } catch {
            // A helper that refuses to start may have said so, and ended, before it is sent anything.
            guard error.isPeerGone else { throw .system(errno: error.number) }
        }
        var buffer = [UInt8](repeating: 0, count: Limits.replyBytes + 1)
        var isInTime = true
        while isInTime {
            isInTime = await loop.readable(connection.socket.descriptor.number, until: deadline)
            // The packet is looked for after the deadline too: this process may have slept past both its arrival and
            // the deadline.
            guard let packet = connection.socket.receive(into: &buffer) else { continue }
            guard packet.bytes > 0 else { throw .died(request.kind, await ending()) }
            return try Reply(buffer, packet, to: request.kind, id, version)
        }
        throw .noReply(request.kind, limit)
    }

    /// Uses this version of the protocol from now on.
    func speak(_ agreed: UInt16) { version.store(agreed, ordering: .relaxed) }

    var isRunning: Bool { connection.reap() == .running }

    /// Waits briefly for the process's end.
    private func ending() async -> HelperError.Ending {
        await connection.awaitEnd(loop, until: .now + Self.dying)
        guard case .ended(let status) = connection.reap() else { return .unknown }
        return status < 0 ? .signalled(-status) : .exited(status)
    }

    /// Ends the process, and returns when it is dead and reaped: soon, or never if the kernel holds it.
    func end() async {
        connection.end()
        while connection.reap() == .running { await connection.awaitEnd(loop, until: .now + .seconds(60)) }
    }
}

extension Duration {
    /// The longest deadline that a request may have.
    static var longestDeadline: Duration { .milliseconds(Limits.deadlineMilliseconds) }
}
