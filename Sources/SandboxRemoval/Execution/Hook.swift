internal import EventLoop
internal import HelperClient
internal import LinuxSystem
internal import SandboxRegistry

extension PlanExecutor {
    /// Runs the caller's hook, which needs the namespaces. The wait ends at the hook's deadline, even if the hook
    /// ignores its cancellation.
    func callHook() async throws(StepFailure) {
        guard let hook = options.beforeNamespaces else { return }
        let sandbox = plan.sandbox
        let limit = min(options.beforeNamespacesTimeout, deadline - .now)
        let turn = try await programTurn(until: .now + limit)
        let program = options.beforeNamespacesProgram
        let first = FirstResult<Result<Void, StepFailure>>()
        let work = Task {
            do {
                if let program {
                    try await program(sandbox, turn)
                } else {
                    try await hook(sandbox)
                }
                turn.release()
                first.finish(.success(()))
            } catch {
                turn.release()
                first.finish(.failure(StepFailure("\(error)")))
            }
        }
        let alarm = Alarm(at: .now + limit) {
            first.finish(.failure(StepFailure("not done within \(limit.formattedSeconds); the namespaces are kept")))
        }
        defer {
            work.cancel()
            alarm.cancel()
        }
        try await first.value().get()
    }
    /// Waits until no program that was started for this sandbox earlier still runs, whether this process or a killed
    /// one started it.
    private func programTurn(until end: ContinuousClock.Instant) async throws(StepFailure) -> SandboxHold {
        let id = plan.sandbox.id
        while true {
            let turn: SandboxHold??
            do throws(Errno) {
                turn = try await Threads.registry.run(until: end) { [registry] () throws(Errno) in
                    try registry.programTurn(id)
                }
            } catch {
                throw StepFailure("\(registry.lockPath) cannot be locked: \(error)")
            }
            if let turn = turn ?? nil { return turn }
            guard end > .now else {
                throw StepFailure(
                    "the command that was started earlier still runs and is not started twice; the namespaces are kept")
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }
}
