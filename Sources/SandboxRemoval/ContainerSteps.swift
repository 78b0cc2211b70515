internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

// A runtime's exit status is never believed: what counts is that the process is gone, the cgroup empty, and the
// runtime's state directory not there any more.

extension Executor {
    /// Ends a container's processes.
    func end(
        _ container: Container, _ method: EndMethod, signal: UInt8, grace: Duration
    ) async throws(StepFailure) -> StepSuccess {
        switch method {
        case .process(let process):
            let handle = try orFail { () throws(ObservationError) in
                try ProcessHandle(pid: process.pid, startTime: process.startTime)
            }
            guard let handle else { return try await endRemaining(container, initWas: process.pid) }
            return try await end(handle, container, signal: signal, grace: grace)
        case .remaining:
            return try await endRemaining(container, initWas: nil)
        case .askRuntime:
            guard let pid = try await livingProcess(of: container) else {
                return try await endRemaining(container, initWas: nil)
            }
            let handle = try orFail { () throws(ObservationError) in try ProcessHandle(pid: pid) }
            guard let handle else { return try await endRemaining(container, initWas: pid) }
            return try await end(handle, container, signal: signal, grace: grace)
        case .beforeReboot:
            guard let pid = try await livingProcess(of: container) else { return .alreadyDone }
            throw StepFailure(
                """
                \(container.runtime) runs a container with this id as process \(pid), but this one was registered \
                before the machine was booted: it is another's and is not touched
                """)
        }
    }

    /// The handle was opened before the signal is sent, so no other process can be taken for this one.
    private func end(
        _ handle: consuming ProcessHandle, _ container: Container, signal: UInt8, grace: Duration
    ) async throws(StepFailure) -> StepSuccess {
        let pid = handle.pid
        if signal != Signal.kill {
            do throws(StepFailure) {
                _ = try await kill(container, signal: signal, all: false)
            } catch {
                // Nobody knows whether a helper that died had it sent. Sent twice is better than not at all.
                guard error.cause?.kind == .helper else { throw error }
                _ = try await kill(container, signal: signal, all: false)
            }
            if await hasEnded(handle, within: grace) {
                return StepSuccess(detail: try await endRemaining(container, initWas: pid).detail)
            }
        }
        var answer = try await kill(container, signal: Signal.kill, all: false)
        // Where the runtime did not send it, the process is either about to go by itself, or stays.
        var patience = answer.outcome == .done ? options.afterKill : min(options.afterKill, .seconds(1))
        var isGone = await handle.wait(until: min(deadline, .now + min(patience, Self.usualEnd)))
        if !isGone {
            // What is frozen does not die of KILL (cgroup version 1). Not every runtime thaws what it kills, but each
            // does when it kills all.
            if try isFrozen(container) {
                answer = try await kill(container, signal: Signal.kill, all: true)
                if answer.outcome == .done { patience = options.afterKill }
            }
            isGone = await handle.wait(until: min(deadline, .now + patience))
        }
        guard isGone else { throw try stuck(pid, container, answer) }
        let rest = try await endRemaining(container, initWas: pid)
        return StepSuccess(detail: rest.detail)
    }

    /// Gives a process time to end by itself: less where somebody waits who wants it to have none.
    private func hasEnded(_ handle: borrowing ProcessHandle, within grace: Duration) async -> Bool {
        let end = min(deadline, .now + grace)
        while !isHurried() {
            if await handle.wait(until: min(end, .now + .milliseconds(100))) { return true }
            if end <= .now { break }
        }
        return handle.isGone
    }

    /// How long a process takes to end, unless something is wrong.
    static var usualEnd: Duration { .milliseconds(200) }

    /// With the init gone, ends what else is in the cgroup: where the container had no PID namespace of its own.
    private func endRemaining(_ container: Container, initWas pid: Int32?) async throws(StepFailure) -> StepSuccess {
        guard try !members(of: container).isEmpty else { return .alreadyDone }
        let answer = try await kill(container, signal: Signal.kill, all: true)
        if !answer.isSuccess {
            // With init dead some runtimes refuse to kill, but end what is left when they delete.
            _ = try await call(.runtimeDelete(try target(container), .act(only: nil)), atMost: options.runtimeCall)
        }
        let left: [Int32]
        do throws(ObservationError) {
            left = try await Cgroup.waitUntilEmpty(container.cgroups, until: min(deadline, .now + options.afterKill))
        } catch {
            throw StepFailure(error)
        }
        if let first = left.first { throw try stuck(first, container, answer) }
        return StepSuccess(detail: "processes outlived the container's init and were killed")
    }

    /// Deletes a container of which nothing lives.
    func delete(_ container: Container) async throws(StepFailure) -> StepSuccess {
        let reply = try await call(.runtimeDelete(try target(container), .act(only: nil)), atMost: options.runtimeCall)
        // A runtime that hangs when it has done its work was killed, and has done its work.
        guard reply.isSuccess || reply.saysStateIsGone else {
            throw StepFailure(reply, of: "\(container.runtime) delete")
        }
        if !plan.isAfterReboot {
            // The runtime has removed them, so it is enough to see that.
            let left = try orFail { () throws(ObservationError) in try Cgroup.existing(container.cgroups) }
            if !left.isEmpty {
                if let pid = try members(of: container).first { throw try stuck(pid, container, reply) }
                try await remove(cgroups: left)
            }
        }
        return reply.outcome == .alreadyDone ? .alreadyDone : .done
    }

    /// What the runtime has left of its cgroups: empty directories.
    private func remove(cgroups: [String]) async throws(StepFailure) {
        for directory in cgroups {
            let place: Place
            do throws(RootError) {
                place = try roots.place(directory, for: .remove, in: [.cgroup])
            } catch {
                throw StepFailure(
                    "the runtime left the cgroup \(directory) behind; rmdir it, or add a cgroup-root: \(error)")
            }
            let slice = Slice(entries: options.sliceEntries)
            let reply = try await call(.removeDirectory(place, .act(only: nil, slice)), atMost: options.afterKill)
            guard reply.isSuccess else { throw StepFailure(reply, of: "remove the cgroup \(directory)") }
        }
    }

    private func kill(_ container: Container, signal: UInt8, all: Bool) async throws(StepFailure) -> Reply {
        let request = Request.runtimeKill(try target(container), .act(only: nil), signal: signal, all: all)
        let reply = try await call(request, atMost: options.runtimeCall)
        switch reply.outcome {
        case .refused: throw StepFailure(reply, of: "\(container.runtime) kill")
        // The runtime was not even started, so nothing was sent that could be waited for.
        case .failed(let failure) where failure.errno != 0: throw StepFailure(reply, of: "\(container.runtime) kill")
        default: return reply
        }
    }

    /// The pid of the container's init as the runtime knows it; nil where it does not run, or the runtime does not know it.
    private func livingProcess(of container: Container) async throws(StepFailure) -> Int32? {
        let reply = try await call(.runtimeState(try target(container)), atMost: options.runtimeCall)
        if reply.outcome == .alreadyDone { return nil }
        guard reply.outcome == .done else { throw StepFailure(reply, of: "\(container.runtime) state") }
        guard let state = RuntimeState(reply.facts) else {
            throw StepFailure("the state that \(container.runtime) prints is not understood")
        }
        return state.livingProcess
    }

    func target(_ container: Container) throws(StepFailure) -> RuntimeTarget {
        try orFail { () throws(RootError) in try roots.target(container.id, runtime: container.runtime) }
    }

    private func members(of container: Container) throws(StepFailure) -> [Int32] {
        if plan.isAfterReboot { return [] }
        return try orFail { () throws(ObservationError) in try Cgroup.members(of: container.cgroups) }
    }

    private func isFrozen(_ container: Container) throws(StepFailure) -> Bool {
        try orFail { () throws(ObservationError) in try Cgroup.isFrozen(container.cgroups) }
    }

    /// What is known of a process that should be gone.
    private func stuck(_ pid: Int32, _ container: Container, _ answer: Reply) throws(StepFailure) -> StepFailure {
        let status = try orFail { () throws(ObservationError) in try ProcessStatus.of(pid: pid) }
        let process =
            status.map { "process \(pid) (\(printable(Array($0.name.utf8))), state \($0.state))" } ?? "process \(pid)"
        let place = container.cgroups.first.map { " in the cgroup \($0)" } ?? ""
        if answer.outcome == .alreadyDone || answer.saysStateIsGone {
            return StepFailure(
                "\(container.runtime) does not know the container any more, but its \(process) lives\(place)")
        }
        var text = "its \(process) lives\(place) after KILL"
        if let tracer = try orFail({ () throws(ObservationError) in try ProcessStatus.tracer(of: pid) }) {
            text +=
                ": process \(tracer) traces it, and has to go on or to end: kill -CONT \(tracer); kill -KILL \(tracer)"
        }
        if status?.state == "D" { text += ": it waits in the kernel, for a disk or a network filesystem" }
        let frozen = try orFail { () throws(ObservationError) -> FrozenCgroup? in
            for directory in container.cgroups {
                if let first = try FrozenCgroup.above(directory).first { return first }
            }
            return nil
        }
        if let frozen {
            text += ": the cgroup \(frozen.directory) is frozen; as root: echo \(frozen.thaws) > \(frozen.file)"
        }
        if !answer.isSuccess { text += "; \(StepFailure(answer, of: "\(container.runtime) kill").reason)" }
        return StepFailure(text)
    }
}

extension Reply {
    var isSuccess: Bool { outcome == .done || outcome == .alreadyDone }

    /// Whether a runtime was run, and the helper saw afterwards that it has no state of the container.
    var saysStateIsGone: Bool {
        guard case .runtime(let runtime) = facts else { return false }
        return runtime.stateDirectory == nil
    }
}
