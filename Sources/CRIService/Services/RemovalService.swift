internal import CRIMessages
internal import CoreMetrics
internal import FoundationEssentials
internal import GRPCCore
internal import SandboxRegistry
internal import SandboxRemoval
internal import SwiftProtobuf

/// `podreap.v1.Removal`.
struct RemovalService: Podreap_V1_Removal.SimpleServiceProtocol {
    let daemon: DaemonContext

    func registerPodSandbox(
        request: Podreap_V1_RegisterPodSandboxRequest, context: ServerContext
    ) async throws -> Podreap_V1_RegisterPodSandboxResponse {
        let sandbox = try Sandbox(request.sandbox)
        var containers: [Container] = []
        if request.hasInfra {
            containers.append(try Container(request.infra, "infra", isInfra: true, of: sandbox))
        }
        for (index, message) in request.containers.enumerated() {
            containers.append(try Container(message, "containers[\(index)]", of: sandbox))
        }
        let document = RegistrationDocument(sandbox: sandbox, containers: containers)
        do throws(RemovalError) {
            let registration = try await daemon.orchestrator.register(document, timeout: daemon.timeLeft)
            let warnings = registration.warnings + (await daemon.registryWarnings())
            return .with { $0.warnings = warnings }
        } catch {
            throw RPCError(error)
        }
    }

    func registerContainer(
        request: Podreap_V1_RegisterContainerRequest, context: ServerContext
    ) async throws -> Podreap_V1_RegisterContainerResponse {
        let id = request.podSandboxID
        guard let sandbox = try await daemon.sandbox(id, .none) else { throw RPCError.unknown(sandbox: id) }
        let container = try Container(request.container, "container", of: sandbox)
        do throws(RemovalError) {
            let registration = try await daemon.orchestrator.register([container], into: id, timeout: daemon.timeLeft)
            let warnings = registration.warnings + (await daemon.registryWarnings())
            return .with { $0.warnings = warnings }
        } catch {
            throw RPCError(error)
        }
    }

    func removePodSandbox(
        request: Podreap_V1_RemovePodSandboxRequest, response: RPCWriter<Podreap_V1_RemovePodSandboxResponse>,
        context: ServerContext
    ) async throws {
        let id = request.podSandboxID
        guard let work = try await daemon.removal(of: id, .none) else {
            let last = try await daemon.registry { (registry) throws(RegistryError) in
                try registry.reports(limit: 1, of: id).first?.outcome ?? ""
            }
            return try await response.write(.with { $0.unknown.lastOutcome = last })
        }
        // A client that reads slowly loses old events, never the report.
        let (events, source) = AsyncStream.makeStream(
            of: Podreap_V1_RemovePodSandboxResponse.self, bufferingPolicy: .bufferingNewest(4096))
        async let answer = end(of: work, source)
        do {
            for await event in events { try await response.write(event) }
        } catch {
            // The client is gone, but the removal goes on.
            _ = await answer
            throw error
        }
        switch await answer {
        case nil: throw daemon.stillRunning(id)
        case .failure(let error): throw RPCError(error)
        case .success(.unknown(_, let last)):
            try await response.write(.with { $0.unknown.lastOutcome = last?.outcome ?? "" })
        case .success(.finished(let report, let joined)):
            try await response.write(
                .with {
                    $0.report = Podreap_V1_Report(report)
                    $0.report.joined = joined
                })
        }
    }

    private func end(
        of work: RemovalJob, _ source: AsyncStream<Podreap_V1_RemovePodSandboxResponse>.Continuation
    ) async -> RemovalJob.Answer? {
        defer { source.finish() }
        return await work.waitForAnswer { source.yield(Podreap_V1_RemovePodSandboxResponse($0)) }
    }

    func plan(request: Podreap_V1_PlanRequest, context: ServerContext) async throws -> Podreap_V1_PlanResponse {
        let id = request.podSandboxID
        try DaemonContext.require(id, "pod_sandbox_id")
        let plan = try await daemon.read(.node) { (orchestrator) throws(RemovalError) in try orchestrator.plan(id) }
        guard let plan else { throw RPCError.unknown(sandbox: id) }
        return Podreap_V1_PlanResponse(plan)
    }

    func explain(
        request: Podreap_V1_ExplainRequest, context: ServerContext
    ) async throws -> Podreap_V1_ExplainResponse {
        let id = request.podSandboxID
        guard let sandbox = try await daemon.sandbox(id, .none) else { throw RPCError.unknown(sandbox: id) }
        let explanation = try await daemon.read(.explanation) { (orchestrator) throws(RemovalError) in
            try orchestrator.explain(sandbox)
        }
        return Podreap_V1_ExplainResponse(explanation)
    }

    func resolve(
        request: Podreap_V1_ResolveRequest, context: ServerContext
    ) async throws -> Podreap_V1_ResolveResponse {
        switch request.beginning {
        case .podSandbox(let text):
            guard let sandbox = try await daemon.sandbox(text, .any) else { throw RPCError.unknown(sandbox: text) }
            return .with { $0.podSandboxID = sandbox.id }
        case .container(let text):
            guard let found = try await daemon.container(text, .any) else {
                throw RPCError.unknown(container: text)
            }
            return .with {
                $0.podSandboxID = found.sandbox.id
                $0.containerID = found.container.id
            }
        case nil:
            throw RPCError(
                code: .invalidArgument, message: "beginning is not given; expected pod_sandbox or container")
        }
    }

    func collectGarbage(
        request: Podreap_V1_CollectGarbageRequest, context: ServerContext
    ) async throws -> Podreap_V1_CollectGarbageResponse {
        guard request.olderThan >= 0 else {
            throw RPCError(code: .invalidArgument, message: "older_than is \(request.olderThan); expected seconds")
        }
        let bound = Duration(recordedSeconds: request.olderThan == 0 ? 3600 : request.olderThan)
        do throws(RemovalError) {
            let facts = try await daemon.orchestrator.garbage(timeout: daemon.timeLeft)
            var response = Podreap_V1_CollectGarbageResponse()
            response.problems = facts.problems
            for verdict in facts.judge(olderThan: bound) where verdict.decision != .known {
                var item = Podreap_V1_Garbage(verdict)
                if request.remove, item.outcome == .removable {
                    let failure = try await daemon.orchestrator.collect(
                        verdict, from: facts, olderThan: bound, timeout: daemon.timeLeft)
                    item.outcome = failure == nil ? .removed : .failed
                    item.reason = failure ?? item.reason
                }
                if item.outcome != .kept {
                    Counter(label: "podreap_leaks_found_total", dimensions: [("kind", item.kind)]).increment()
                }
                response.items.append(item)
            }
            return response
        } catch {
            throw RPCError(error)
        }
    }

    func history(
        request: Podreap_V1_HistoryRequest, context: ServerContext
    ) async throws -> Podreap_V1_HistoryResponse {
        let limit = request.limit == 0 ? 20 : min(Int(request.limit), Registry.keptReports)
        let (id, matching) = (request.podSandboxID, request.matching)
        guard id.isEmpty || matching.isEmpty else {
            throw RPCError(code: .invalidArgument, message: "pod_sandbox_id and matching exclude each other")
        }
        let reports = try await daemon.registry { (registry) throws(RegistryError) in
            if !matching.isEmpty { return try registry.reports(limit: limit, matching: matching) }
            return try registry.reports(limit: limit, of: id.isEmpty ? nil : id)
        }
        return .with { $0.reports = reports.compactMap(RemovalReport.init).map(Podreap_V1_Report.init) }
    }
}
