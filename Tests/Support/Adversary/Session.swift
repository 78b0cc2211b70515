import HelperProtocol
import TestNode

/// Why the helper is not what PROTOCOL.md promises.
struct Broken: Error, CustomStringConvertible {
    var description: String
}

/// A helper that is started again whenever it has ended, as it must have ended.
final class Session {
    private var helper: TestHelper?
    private var greeted = false
    private(set) var starts = 0
    private var outcomes: [String: Int] = [:]

    /// Answers by outcome, since this was last asked.
    func takeOutcomes() -> [String: Int] {
        defer { outcomes = [:] }
        return outcomes
    }

    /// Sends one packet, or what a hostile orchestrator makes of it, and checks what comes of it; the facts.
    func send(_ packet: [UInt8], _ random: inout Seeded) throws -> Facts {
        let helper = try running()
        let request = try? RequestPacket(decoding: packet.span, version: helper.version)
        switch Int.random(in: 0..<1000, using: &random) {
        case 0:
            // Two at once: the first answer says so, unless it was quicker.
            try helper.send(packet)
            let isFirstTheLast = (try? helper.send(packet)) == nil
            if case .malformed = try answer(nil).outcome { return try end(.malformed) }
            if isFirstTheLast { throw Broken(description: "ended after a valid packet") }
            if case .malformed = try answer(nil).outcome { return try end(.malformed) }
        case 1:
            try helper.send(packet, descriptors: [0])
            guard try answer(nil).outcome == .malformed(.unexpectedDescriptor) else {
                throw Broken(description: "took a descriptor")
            }
            return try end(.malformed)
        case 2:
            try helper.send(packet)
            return try end(.gone)
        default:
            try helper.send(packet)
            let reply = try answer(request)
            switch reply.outcome {
            case .malformed, .unsupported: return try end(.malformed)
            default: return reply.facts
            }
        }
        return .none
    }

    private func running() throws -> TestHelper {
        if let helper { return helper }
        let made = try TestHelper(ungreeted: TestHelper.start)
        starts += 1
        helper = made
        // Nothing is answered before Hello; now and then that is tried.
        if starts % 16 != 0 { try made.greet() }
        return made
    }

    private func answer(_ request: RequestPacket?) throws -> Reply {
        guard let helper, let answer = try helper.receive(seconds: 16) else {
            throw Broken(description: "no answer in 16 s")
        }
        let reply = answer.reply
        outcomes[reply.outcome.name, default: 0] += 1
        if case .malformed = reply.outcome { return reply }
        if let request, !reply.answers(request) { throw Broken(description: "\(reply) is no answer to \(request)") }
        return reply
    }

    private enum Ending { case malformed, gone }

    private func end(_ ending: Ending) throws -> Facts {
        guard let helper else { return .none }
        self.helper = nil
        if ending == .malformed {
            // Throws, as it should, where the socket is closed; under load that may take its time.
            let more = try? helper.receive(seconds: 15)
            if let more { throw Broken(description: "goes on after a malformed packet: \(more.reply)") }
            guard try helper.isClosed() else { throw Broken(description: "does not end after a malformed packet") }
        }
        helper.closeSocket()
        // 1 where a runtime was running when the orchestrator went.
        let exit = try helper.process.wait(seconds: 10)
        guard exit == .exited(0) || ending == .gone && exit == .exited(1) else {
            throw Broken(description: "ended with \(exit.map { "\($0)" } ?? "nothing")")
        }
        return .none
    }

    /// Ends the helper as an orchestrator does.
    func end() throws {
        guard let helper else { return }
        helper.closeSocket()
        let exit = try helper.process.wait(seconds: 10)
        guard exit == .exited(0) else { throw Broken(description: "ended with \(exit.map { "\($0)" } ?? "nothing")") }
        self.helper = nil
    }
}

extension Outcome {
    fileprivate var name: String {
        switch self {
        case .done: "done"
        case .alreadyDone: "alreadyDone"
        case .inProgress: "inProgress"
        case .refused(let rule, _): "refused \(rule)"
        case .malformed(let reason): "malformed \(reason)"
        case .failed(let failure): "failed \(failure.call) \(failure.errno)"
        case .timedOut: "timedOut"
        case .unsupported: "unsupported"
        }
    }
}
