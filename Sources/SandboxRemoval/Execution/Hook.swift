internal import SandboxRegistry

extension Executor {
    /// Has the caller do what must be done while the namespaces are still there. It is not waited for beyond its deadline, even
    /// where it takes no notice of being cancelled.
    func callHook() async throws(StepFailure) {
        guard let hook = options.beforeNamespaces else { return }
        let sandbox = plan.sandbox
        let limit = min(options.beforeNamespacesTimeout, deadline - .now)
        let first = FirstResult<Result<Void, StepFailure>>()
        let work = Task {
            do {
                try await hook(sandbox)
                first.finish(.success(()))
            } catch {
                first.finish(.failure(StepFailure("\(error)")))
            }
        }
        let timer = Task {
            try? await Task.sleep(for: max(.zero, limit))
            first.finish(.failure(StepFailure("not done within \(limit.formattedSeconds); the namespaces are kept")))
        }
        defer {
            work.cancel()
            timer.cancel()
        }
        try await first.value().get()
    }
}
