internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import SandboxRegistry
internal import Synchronization

/// The time that a call has for all that it does.
struct CallTime: Sendable {
    let limit: Duration
    let deadline: ContinuousClock.Instant

    init(_ limit: Duration) { self.init(limit, until: .now + limit) }

    /// The time of a call that began earlier.
    init(_ limit: Duration, until deadline: ContinuousClock.Instant) {
        self.limit = limit
        self.deadline = deadline
    }

    /// The time for a write that the call goes on without if others keep the registry locked.
    init(ofSpareWriteUntil deadline: ContinuousClock.Instant) {
        self.init(max(.zero, min(deadline - .now, Registry.busyTimeout)))
    }

    var isOver: Bool { deadline <= .now }

    /// The error of a call that waited for something until its time was over.
    func overdue(_ what: String) -> RemovalError { .overdue(what, after: limit) }

    /// Runs `body` as a task that may block. If `body` has not returned a moment after the deadline, the call ends
    /// without it: whatever `body` waits for does not know the deadline, such as a read of /proc.
    func bound<Value: Sendable>(
        _ what: String, _ body: @escaping @Sendable () async throws(RemovalError) -> Value
    ) async throws(RemovalError) -> Value {
        let result = await within(deadline + Orchestrator.moment) { () -> Result<Value, RemovalError> in
            do throws(RemovalError) { return .success(try await onThreads(body)) } catch { return .failure(error) }
        }
        guard let result else { throw overdue(what) }
        return try result.get()
    }

    /// Runs `body`, which reads the registry, on its threads.
    func reading<Value: Sendable>(
        _ body: @escaping @Sendable () throws(RemovalError) -> Value
    ) async throws(RemovalError) -> Value {
        let value = try await Threads.registry.run(until: deadline + Orchestrator.moment, body)
        guard let value else { throw overdue("the registry's answer") }
        return value
    }

    /// Runs `body`, which writes to the registry and waits for others until the deadline that it is given. If it has not
    /// begun by the deadline, it never does. Otherwise it is waited for a moment longer: only the disk can hold it up,
    /// and then it is not known what becomes of it.
    func writing(
        _ body: @escaping @Sendable (ContinuousClock.Instant) throws(RegistryError) -> Void
    ) async throws(RemovalError) {
        let first = FirstResult<Result<Void, RemovalError>>()
        let turn = Turn()
        Threads.writing.start {
            guard turn.isFirst() else { return }
            do throws(RegistryError) { first.finish(.success(try body(deadline))) } catch {
                let isHeldUp = if case .busy = error { isOver } else { false }
                first.finish(.failure(isHeldUp ? overdue(Self.held) : .registry(error)))
            }
        }
        let alarms = [
            Alarm(at: deadline) { if turn.isFirst() { first.finish(.failure(overdue(Self.held))) } },
            Alarm(at: deadline + Orchestrator.moment) {
                first.finish(
                    .failure(overdue("an answer of the registry, so that it is not known whether it is done,")))
            },
        ]
        defer { for alarm in alarms { alarm.cancel() } }
        try await first.value().get()
    }

    private static let held = "the registry, which others keep locked,"

    /// Tells which of two was first.
    private final class Turn: Sendable {
        private let isTaken = Atomic(false)

        func isFirst() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
    }

    func session(_ helpers: HelperPool) async throws(RemovalError) -> HelperSession {
        do throws(HelperError) { return try await helpers.session(until: deadline) } catch { throw .helper(error) }
    }

    /// Sends a request that changes nothing, so that nobody has to wait for a reply that comes too late.
    ///
    /// - Parameters:
    ///   - what: What the request is about, for the error.
    ///   - most: How long the helper may take, if the call's time is longer; it then answers `timedOut`.
    func look(
        _ request: Request, _ helpers: HelperSession, _ what: String, atMost most: Duration = .seconds(86_400)
    ) async throws(RemovalError) -> Reply {
        let left = deadline - .now
        guard left > .zero else { throw overdue(what) }
        let answer = await within(deadline) { () -> Result<Reply, RemovalError> in
            do throws(HelperError) {
                return .success(try await helpers.call(request, deadline: min(left, most), until: deadline))
            } catch {
                return .failure(.helper(error))
            }
        }
        guard let reply = try answer?.get(), reply.outcome != .timedOut || most < left else { throw overdue(what) }
        return reply
    }
}
