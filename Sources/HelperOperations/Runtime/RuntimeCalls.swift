internal import HelperProtocol

/// How long the launcher may take beyond the command's own deadline, in milliseconds.
private var launcherMargin: UInt32 { 5000 }

extension Broker {
    /// `state`. If the runtime has no such container, it is answered without running anything.
    func state(_ target: RuntimeTarget, _ milliseconds: UInt32) throws(Outcome) -> Answer {
        guard try stateDirectory(target) != nil else { return Answer(.alreadyDone) }
        return try call(.state, target, milliseconds)
    }

    /// `kill`: sends a signal to the container's init process, or to all processes in its cgroup.
    func kill(
        _ target: RuntimeTarget, _ intent: Intent<NodeIdentity>, _ verb: RuntimeVerb, _ milliseconds: UInt32
    ) throws(Outcome) -> Answer {
        if let answer = try precheck(target, intent) { return answer }
        return try call(verb, target, milliseconds)
    }

    /// `delete`. The outcome is `done` if the state directory is gone, whatever the runtime's exit status was.
    func delete(
        _ target: RuntimeTarget, _ intent: Intent<NodeIdentity>, _ milliseconds: UInt32
    ) throws(Outcome) -> Answer {
        if let answer = try precheck(target, intent) { return answer }
        let runtime = try runtime(target.runtime)
        if !runtime.seen.hooks, try hasPoststopHooks(target, runtime) { throw .refused(.hooksNotAllowed) }
        return try call(.delete, target, milliseconds)
    }

    /// `list`.
    func list(_ runtime: UInt8, _ milliseconds: UInt32) throws(Outcome) -> Answer {
        // If the state root is missing, the runtime has no container, and some runtimes would create the root.
        guard try stateEntry(runtime, InlineBytes<129>(".")) != nil else { return Answer(.alreadyDone) }
        return try run(RuntimeCommand(.list, id: nil, milliseconds: milliseconds), runtime)
    }

    func runtime(_ index: UInt8) throws(Outcome) -> Policy.RuntimePolicy {
        guard Int(index) < policy.runtimes.count else { throw .refused(.unknownRuntime) }
        return policy.runtimes[Int(index)]
    }

    /// The runtime's state directory for the container; nil if it has none.
    private func stateDirectory(_ target: RuntimeTarget) throws(Outcome) -> NodeIdentity? {
        try stateEntry(target.runtime, target.id.bytes)
    }

    private func stateEntry(_ runtime: UInt8, _ name: InlineBytes<129>) throws(Outcome) -> NodeIdentity? {
        let runtime = try self.runtime(runtime)
        return try privileges.raised([.dacOverride]) { () throws(Outcome) -> NodeIdentity? in
            do throws(Outcome) {
                let directory = try runtime.openStateRoot()
                return try directory.status(name.terminated).identity
            } catch {
                if error.isMissingEntry { return nil }
                throw error.asResolution
            }
        }
    }

    /// What the container's state directory says; nil if there is no such directory.
    func containerFacts(_ target: RuntimeTarget) throws(Outcome) -> ContainerFacts? {
        let runtime = try runtime(target.runtime)
        return try privileges.raised([.dacOverride]) { () throws(Outcome) -> ContainerFacts? in
            do throws(Outcome) {
                let directory = try runtime.openStateRoot()
                return try directory.open(target.id.bytes.terminated, .pathOfDirectory).containerFacts(of: target.id)
            } catch {
                if error.isMissingEntry { return nil }
                throw error.asResolution
            }
        }
    }

    /// The answer if the runtime need not run: because the container has no state directory, or because the request
    /// only looks. Nil if the runtime must run.
    private func precheck(_ target: RuntimeTarget, _ intent: Intent<NodeIdentity>) throws(Outcome) -> Answer? {
        guard let found = try stateDirectory(target) else { return Answer(.alreadyDone) }
        switch intent {
        case .look where version < 2:
            return Answer(.done, .directory(DirectoryFacts(identity: found, children: [], next: 0)))
        case .look:
            guard let state = try containerFacts(target) else { return Answer(.alreadyDone) }
            return Answer(.done, .container(state))
        case .act(let only?) where only != found: throw .refused(.identityMismatch)
        case .act: return nil
        }
    }

    private func call(_ verb: RuntimeVerb, _ target: RuntimeTarget, _ milliseconds: UInt32) throws(Outcome) -> Answer {
        var answer = try run(RuntimeCommand(verb, id: target.id, milliseconds: milliseconds), target.runtime)
        guard case .runtime(var facts) = answer.facts else { return answer }
        facts.stateDirectory = try stateDirectory(target)
        answer.facts = .runtime(facts)
        let failed = Outcome.failed(Failure(errno: 0, call: .runtime))
        switch (verb, answer.outcome) {
        case (_, .timedOut): break
        case (.delete, _): answer.outcome = facts.stateDirectory == nil ? .done : failed
        case (_, _) where facts.status == 0: break
        default: answer.outcome = facts.stateDirectory == nil ? .alreadyDone : failed
        }
        return answer
    }

    private func run(_ command: RuntimeCommand, _ runtime: UInt8) throws(Outcome) -> Answer {
        let output = try Descriptor.memory()
        let errors = try Descriptor.memory()
        let end = try self.command(command, runtime, output, errors)
        if end.how == .notStarted { throw Outcome(errno: end.status, .exec) }
        var facts = RuntimeFacts(
            status: end.status, stateDirectory: nil, errorOutput: try errors.tail(Limits.errorOutputBytes),
            output: .inline([]))
        let outcome: Outcome =
            end.how == .timedOut ? .timedOut : end.status == 0 ? .done : .failed(Failure(errno: 0, call: .runtime))
        let size = try output.size()
        if size <= Limits.inlineOutputBytes {
            facts.output = .inline(try output.tail(size))
            return Answer(outcome, .runtime(facts))
        }
        try output.seal()
        facts.output = .memfd(bytes: UInt32(truncatingIfNeeded: size))
        return Answer(outcome, .runtime(facts), attachment: output)
    }

    /// Has a runtime's launcher carry out a command with two descriptors.
    func command(
        _ command: RuntimeCommand, _ runtime: UInt8, _ first: borrowing Descriptor, _ second: borrowing Descriptor
    ) throws(Outcome) -> RuntimeEnd {
        guard missing.isDisjoint(with: .runtimes) else { throw .refused(.missingCapability) }
        var packet: [UInt8] = []
        command.encode(into: &packet)
        let launcher = launchers[Int(runtime)]
        audit.begin()
        do throws(Outcome) { try launcher.socket.send(packet, first, second) } catch { endProcess(1) }
        try wait(for: launcher.socket, command.milliseconds + launcherMargin)
        packet = [UInt8](repeating: 0, count: RuntimeEnd.bytes + 1)
        let count = try launcher.socket.receive(into: &packet, size: packet.count)
        return try RuntimeEnd(decoding: packet, count: count)
    }
}

extension Descriptor {
    fileprivate func size() throws(Outcome) -> Int { Int(truncatingIfNeeded: try status().byteCount) }

    /// The last bytes of a file, at most `limit`.
    fileprivate func tail(_ limit: Int) throws(Outcome) -> [UInt8] {
        let size = try size()
        var buffer = [UInt8](repeating: 0, count: min(size, limit))
        if buffer.isEmpty { return [] }
        let count = try read(into: &buffer, at: size - buffer.count)
        return Array(buffer[..<count])
    }
}
