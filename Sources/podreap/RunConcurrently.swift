internal import SandboxRegistry
internal import SandboxRemoval

typealias Work =
    @Sendable (
        Orchestrator, String, @escaping @Sendable (RemovalEvent) -> Void
    ) async throws(RemovalError) -> RemovalAnswer

/// Does the same work on several sandboxes concurrently, shows the progress, and throws the worst status.
///
/// - Parameter ids: nil: all that are registered.
func runConcurrently(
    _ ids: [String]?, _ common: CommonOptions, _ helper: HelperOptions, _ time: TimeLeft, _ work: @escaping Work
) async throws {
    Stream.queueAll()
    let (orchestrator, targets) = try await helper.orchestrator(common, warm: ids == nil ? 0 : 1, time) { registry in
        try ids.map(registry.targets) ?? registry.sandboxes().map { ($0.id, $0) }
    }
    let style: Progress.Style =
        common.json ? .json : targets.count == 1 && Stream.output.isTerminal ? .live : .plain
    let worst = await withTaskGroup(of: Status.self) { group in
        for (id, sandbox) in targets {
            group.addTask {
                await runOne(id, sandbox, orchestrator, Progress(style, id, several: targets.count > 1), work)
            }
        }
        return await group.reduce(Status.done) { max($0, $1) }
    }
    guard worst == .done else { throw worst }
}

private func runOne(
    _ id: String, _ sandbox: Sandbox?, _ orchestrator: Orchestrator, _ progress: Progress, _ work: Work
) async -> Status {
    do throws(RemovalError) {
        let answer = try await work(orchestrator, id) { progress.tell($0) }
        let status = progress.end(answer)
        if case .unknown = answer, let hint = orchestrator.registry.hint(instead: id) { complain(hint) }
        return status
    } catch {
        progress.clear()
        complain("\(sandbox.map { "\(shortened($0.id)): " } ?? "")\(error)")
        return error.status
    }
}
