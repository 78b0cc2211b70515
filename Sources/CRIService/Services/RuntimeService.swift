internal import CRIMessages
internal import GRPCCore
internal import HelperProtocol
internal import SandboxRegistry
internal import SandboxRemoval
internal import SwiftProtobuf

/// The methods of `runtime.v1.RuntimeService` that stopping and removing need. `UnimplementedMethods` answers the
/// others.
struct RuntimeService: Runtime_V1_RuntimeService.SimpleServiceProtocol {
    let daemon: DaemonContext

    func version(
        request: Runtime_V1_VersionRequest, context: ServerContext
    ) async throws -> Runtime_V1_VersionResponse {
        .with {
            $0.version = "0.1.0"
            $0.runtimeName = "podreap"
            $0.runtimeVersion = "\(Release.version)"
            $0.runtimeApiVersion = "v1"
        }
    }

    func status(request: Runtime_V1_StatusRequest, context: ServerContext) async throws -> Runtime_V1_StatusResponse {
        var response = Runtime_V1_StatusResponse()
        var runtimes: [String] = []
        var ready = Runtime_V1_RuntimeCondition.with {
            $0.type = "RuntimeReady"
            $0.status = true
        }
        do {
            let calls = try await daemon.readiness.runtimes(within: daemon.timeLeft)
            runtimes = calls.map(\.name)
            ready.message = calls.notCalled
            if let problem = calls.whyNotReady {
                ready.status = false
                ready.reason = "RuntimesDoNotWork"
                ready.message = problem
            }
            _ = try await daemon.registry { (registry) throws(RegistryError) in try registry.reports(limit: 1) }
        } catch {
            // A call that had no time says nothing about the node.
            if daemon.timeLeft <= .zero { throw (error as? RemovalError).map(RPCError.init) ?? error }
            ready.status = false
            ready.reason = "PodsCannotBeRemoved"
            ready.message = (error as? RPCError)?.message ?? "\(error)"
        }
        // A kubelet requires this condition, although podreap does not manage the network.
        let network = Runtime_V1_RuntimeCondition.with {
            $0.type = "NetworkReady"
            $0.status = true
            $0.reason = "NotManagedHere"
            $0.message = "podreap sets up no network"
        }
        response.status.conditions = [ready, network]
        if request.verbose {
            response.info["podreap"] = json(
                Info(
                    registry: daemon.orchestrator.registry.path, runtimes: runtimes, atOnce: daemon.limits.atOnce,
                    underWay: daemon.jobs.count))
        }
        return response
    }

    private struct Info: Encodable {
        var registry: String
        var runtimes: [String]
        var atOnce: Int
        var underWay: Int
    }

    // MARK: Sandboxes

    func stopPodSandbox(
        request: Runtime_V1_StopPodSandboxRequest, context: ServerContext
    ) async throws -> Runtime_V1_StopPodSandboxResponse {
        try await daemon.finish(try await daemon.stop(of: request.podSandboxID, .forActing), request.podSandboxID)
        return Runtime_V1_StopPodSandboxResponse()
    }

    func removePodSandbox(
        request: Runtime_V1_RemovePodSandboxRequest, context: ServerContext
    ) async throws -> Runtime_V1_RemovePodSandboxResponse {
        try await daemon.finish(try await daemon.removal(of: request.podSandboxID, .forActing), request.podSandboxID)
        return Runtime_V1_RemovePodSandboxResponse()
    }

    func podSandboxStatus(
        request: Runtime_V1_PodSandboxStatusRequest, context: ServerContext
    ) async throws -> Runtime_V1_PodSandboxStatusResponse {
        let id = request.podSandboxID
        guard let sandbox = try await daemon.sandbox(id, .forLooking) else { throw RPCError.unknown(sandbox: id) }
        let view = try await daemon.read(.node) { (orchestrator) throws(RemovalError) in
            try SandboxView(sandbox, orchestrator)
        }
        return .with {
            $0.status = view.status
            if request.verbose { $0.info["podreap"] = json(view) }
        }
    }

    func listPodSandbox(
        request: Runtime_V1_ListPodSandboxRequest, context: ServerContext
    ) async throws -> Runtime_V1_ListPodSandboxResponse {
        let filter = request.filter
        let items = try await daemon.read(.node) { (orchestrator) throws(RemovalError) in
            var items: [Runtime_V1_PodSandbox] = []
            let id = try orchestrator.sandboxID(filter.id)
            for sandbox in try orchestrator.sandboxes() where filter.id.isEmpty || sandbox.id == id {
                guard sandbox.labels.match(filter.labelSelector) else { continue }
                let view = try SandboxView(sandbox, orchestrator)
                if filter.hasState, view.state != filter.state.state { continue }
                items.append(view.item)
            }
            return items
        }
        return .with { $0.items = items }
    }

    // MARK: Containers

    func stopContainer(
        request: Runtime_V1_StopContainerRequest, context: ServerContext
    ) async throws -> Runtime_V1_StopContainerResponse {
        guard request.timeout >= 0 else {
            throw RPCError(code: .invalidArgument, message: "timeout is \(request.timeout); expected 0 or more seconds")
        }
        // A grace of more than a day is cut to one day.
        let grace = Duration.seconds(min(request.timeout, 86_400))
        let work = try await daemon.stop(ofContainer: request.containerID, grace: grace)
        try await daemon.finish(work, request.containerID)
        return Runtime_V1_StopContainerResponse()
    }

    func removeContainer(
        request: Runtime_V1_RemoveContainerRequest, context: ServerContext
    ) async throws -> Runtime_V1_RemoveContainerResponse {
        try await daemon.finish(try await daemon.removal(ofContainer: request.containerID), request.containerID)
        return Runtime_V1_RemoveContainerResponse()
    }

    func containerStatus(
        request: Runtime_V1_ContainerStatusRequest, context: ServerContext
    ) async throws -> Runtime_V1_ContainerStatusResponse {
        let id = request.containerID
        guard let found = try await daemon.container(id, .forLooking) else { throw RPCError.unknown(container: id) }
        let state: ContainerState
        do throws(RemovalError) {
            state = try await daemon.orchestrator.state(
                of: found.container, in: found.sandbox, timeout: daemon.timeLeft)
        } catch {
            throw RPCError(error)
        }
        let view = ContainerView(container: found.container, state: state)
        return .with {
            $0.status = view.status
            if request.verbose { $0.info["podreap"] = json(found.container) }
        }
    }

    func listContainers(
        request: Runtime_V1_ListContainersRequest, context: ServerContext
    ) async throws -> Runtime_V1_ListContainersResponse {
        let filter = request.filter
        let containers = try await daemon.read(.node) { (orchestrator) throws(RemovalError) in
            let pod = try orchestrator.sandboxID(filter.podSandboxID)
            let id = try orchestrator.containerID(filter.id)
            var all: [(sandbox: Sandbox, container: Container)] = []
            for sandbox in try orchestrator.sandboxes() where filter.podSandboxID.isEmpty || sandbox.id == pod {
                for container in try orchestrator.containers(of: sandbox) where !container.isInfra {
                    all.append((sandbox, container))
                }
            }
            var found: [Runtime_V1_Container] = []
            for (sandbox, container) in all where filter.id.isEmpty || container.id == id {
                guard container.labels.match(filter.labelSelector) else { continue }
                let state = try orchestrator.observedState(of: container, in: sandbox)
                let view = ContainerView(container: container, state: state)
                if filter.hasState, view.criState != filter.state.state { continue }
                found.append(view.item)
            }
            return found
        }
        return .with { $0.containers = containers }
    }
}
