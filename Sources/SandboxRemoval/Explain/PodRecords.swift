import FoundationEssentials
internal import HelperClient
internal import NodeObservation
public import SandboxRegistry

/// What the registry knows of one sandbox, and who works on it. One process can hand it to another that does not open
/// the registry.
public struct PodRecords: Codable, Sendable, Equatable {
    public var sandbox: Sandbox
    public var containers: [Container]
    /// The report of the sandbox's last removal or stop.
    public var report: RemovalReport?
    /// The process that works on the sandbox.
    var worker: Worker?
    /// Where pods' cgroups lie, according to helper.conf; empty if unknown.
    var cgroupRoots: [String] = []

    struct Worker: Codable, Sendable, Equatable {
        var pid: Int32
        /// Whether the process was stopped (^Z), so that it will not finish by itself.
        var isStopped: Bool
    }

    init(sandbox: Sandbox, containers: [Container], report: RemovalReport? = nil, worker: Worker? = nil) {
        self.sandbox = sandbox
        self.containers = containers
        self.report = report
        self.worker = worker
    }

    /// Explains why the sandbox is not gone. Changes nothing and opens no registry. Blocks until the node has been
    /// observed.
    ///
    /// - Parameters:
    ///   - patience: How long a filesystem has to answer.
    ///   - serviceManager: The process that starts the helpers, if that is not this process; its mounts count as the
    ///     node's.
    public func explain(patience: Duration = .seconds(1), serviceManager: Int32? = nil) throws(RemovalError)
        -> Explanation
    {
        do throws(ObservationError) {
            return .of(
                try .gather(
                    sandbox, containers, report, worker: worker.map { ($0.pid, $0.isStopped) }, patience: patience,
                    serviceManager: serviceManager))
        } catch {
            throw .observation(error)
        }
    }
}

extension Orchestrator {
    /// What `PodRecords.explain` needs to explain one of the registry's sandboxes.
    public func explained(_ sandbox: Sandbox) throws(RemovalError) -> PodRecords {
        PodRecords(
            sandbox: sandbox, containers: try records(of: sandbox),
            report: try lastReport(of: sandbox.id).flatMap { RemovalReport($0) },
            worker: worker(on: sandbox.id).map { PodRecords.Worker(pid: $0.pid, isStopped: $0.isStopped) })
    }

    /// All that is registered, without the reports and workers that `explain` also needs.
    public func allRecords() throws(RemovalError) -> [PodRecords] {
        try fromRegistry { (registry) throws(RegistryError) in
            var records: [PodRecords] = []
            for sandbox in try registry.sandboxes() {
                records.append(PodRecords(sandbox: sandbox, containers: try registry.containers(of: sandbox.id)))
            }
            return records
        }
    }
}
