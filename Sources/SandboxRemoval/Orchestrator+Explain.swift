internal import HelperClient
public import SandboxRegistry

extension Orchestrator {
    /// Explains why a sandbox is not gone. Changes nothing and starts no helper. Blocks until the node has been
    /// observed.
    ///
    /// - Parameters:
    ///   - sandbox: A sandbox of this registry.
    ///   - patience: How long a filesystem has to answer.
    public func explain(_ sandbox: Sandbox, patience: Duration = .seconds(1)) throws(RemovalError) -> Explanation {
        try explained(sandbox).explain(patience: patience, serviceManager: helpers.serviceManager)
    }
}
