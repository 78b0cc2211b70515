internal import HelperClient
public import SandboxRegistry

extension Orchestrator {
    /// Explains why a sandbox is not gone. Changes nothing and starts no helper. Blocks until the node has been
    /// observed.
    ///
    /// - Parameters:
    ///   - sandbox: A sandbox of this registry.
    ///   - patience: How many milliseconds a filesystem has to answer.
    public func explain(_ sandbox: Sandbox, patience: Int32 = 1000) throws(RemovalError) -> Explanation {
        try explained(sandbox).explain(patience: patience, serviceManager: helpers.serviceManager)
    }
}
