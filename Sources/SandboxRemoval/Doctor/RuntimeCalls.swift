internal import HelperClient
internal import HelperProtocol

/// The result of having an OCI runtime list its containers, under the helper's filter.
public enum RuntimeAnswer: Sendable, Equatable {
    /// The runtime ran and answered.
    case answered
    /// The runtime was not run: it has no state directory, so it has no container, and running it would create one.
    case notCalled
    /// The kernel killed it at a system call that the helper's filter forbids (SIGSYS).
    case killedByFilter
    /// The runtime did not answer, for this reason.
    case failed(String)
}

/// A runtime of the helper's policy, and the result of calling it.
public struct RuntimeCall: Sendable, Equatable {
    public var name: String
    public var answer: RuntimeAnswer

    /// What is wrong and what to do; nil if no problem is known.
    public var problem: String? {
        switch answer {
        case .answered, .notCalled: nil
        case .killedByFilter: "\(name) \(Self.killed); \(Self.whenKilled)"
        case .failed(let reason): "\(name) does not work: \(reason)"
        }
    }

    static let killed =
        "was killed at a system call that the helper's filter forbids, so its containers cannot be ended"
    static let whenKilled =
        "as root, ausearch -m SECCOMP (or dmesg) names the call: use another version of the runtime, and report it to podreap's makers"
}

extension Orchestrator {
    /// Calls every runtime of the helper's policy. Changes nothing, and takes as long as they take to list their
    /// containers.
    ///
    /// - Parameter timeout: For the whole call. A runtime that has not answered by then, or within 20 seconds, does not
    ///   work.
    public func callRuntimes(timeout: Duration = .seconds(120)) async throws(RemovalError) -> [RuntimeCall] {
        let time = CallTime(timeout)
        let session = try await time.session(helpers)
        let answers = await session.callRuntimes(time)
        return zip(session.welcome.runtimes, answers).map {
            RuntimeCall(name: printable($0.name.array), answer: $1)
        }
    }
}

extension HelperSession {
    /// Calls every runtime, in the policy's order.
    func callRuntimes(_ time: CallTime) async -> [RuntimeAnswer] {
        var answers: [RuntimeAnswer] = []
        for index in welcome.runtimes.indices { answers.append(await callRuntime(UInt8(index), time)) }
        return answers
    }

    private func callRuntime(_ runtime: UInt8, _ time: CallTime) async -> RuntimeAnswer {
        do throws(RemovalError) {
            let reply = try await time.look(
                .runtimeList(runtime: runtime), self, "its list of containers", atMost: .seconds(20))
            switch (reply.outcome, reply.facts) {
            case (.done, _): return .answered
            case (.alreadyDone, _): return .notCalled
            case (_, .runtime(let facts)) where facts.isKilledByFilter: return .killedByFilter
            default: return .failed(StepFailure(reply).reason)
            }
        } catch {
            return .failed("\(error)")
        }
    }
}
