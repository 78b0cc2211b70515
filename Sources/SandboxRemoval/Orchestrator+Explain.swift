internal import HelperClient
public import SandboxRegistry

extension Orchestrator {
    /// Why a sandbox is not gone. Changes nothing, and starts no helper. Blocks for as long as looking takes.
    ///
    /// - Parameters:
    ///   - sandbox: One of the registry's.
    ///   - patience: Milliseconds that a filesystem has for its answer.
    public func explain(_ sandbox: Sandbox, patience: Int32 = 1000) throws(RemovalError) -> Explanation {
        try explained(sandbox).explain(patience: patience, serviceManager: helpers.serviceManager)
    }
}
