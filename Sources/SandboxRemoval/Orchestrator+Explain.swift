internal import HelperClient
public import SandboxRegistry

extension Orchestrator {
    /// Why a sandbox is not gone. Changes nothing, and starts no helper. Blocks for as long as looking takes.
    ///
    /// - Parameters:
    ///   - sandbox: One of the registry's.
    ///   - patience: Milliseconds that a filesystem has for its answer.
    public func explain(_ sandbox: Sandbox, patience: Int32 = 1000) throws(RemovalError) -> Explanation {
        let containers = try records(of: sandbox)
        let report = try lastReport(of: sandbox.id).flatMap { RemovalReport($0) }
        do {
            return .of(
                try .gather(
                    sandbox, containers, report, worker: worker(on: sandbox.id), patience: patience,
                    serviceManager: helpers.serviceManager))
        } catch {
            throw .observation(error)
        }
    }
}
