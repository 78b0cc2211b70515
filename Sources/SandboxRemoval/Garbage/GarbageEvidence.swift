internal import FoundationEssentials
internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

/// Determines whether anything of a container that its runtime calls stopped still lives, by the evidence that removals
/// use.
struct GarbageEvidence: Sendable {
    let helpers: HelperSession
    let roots: RootMap
    let mounts: MountTable
    let time: CallTime

    func use(of id: String, runtime: String, _ target: RuntimeTarget) async throws(RemovalError) -> GarbageItem.Use {
        let reply = try await time.look(
            .runtimeKill(target, .look, signal: Signal.kill, all: false), helpers, "\(id): a look at it")
        guard case .container(let facts) = reply.facts else {
            // The helper speaks protocol version 1, or the container is gone by now: the runtime's answer that it
            // stopped counts.
            return reply.isSuccess ? .none : .unknown(StepFailure(reply, of: "look at its state").reason)
        }
        let container = Container(id: id, sandboxID: id, name: id, createdAt: Date(), runtime: runtime)
        let verdict: LifeVerdict
        do throws(StepFailure) {
            let look = try RuntimeLook(facts, mounts)
            verdict = try orFail { () throws(ObservationError) in
                try ContainerEvidence.gather(
                    container, look: look, isOwn: true, named: try roots.cgroups(named: id), mounts: mounts,
                    cgroupRoots: roots.cgroupRoots.map(\.path)
                ).verdict
            }
        } catch {
            return .unknown(error.reason)
        }
        switch verdict {
        case .gone: return .none
        case .alive(let pids): return .processes(pids)
        case .unknown(let cause): return .unknown(cause.meaning)
        }
    }
}
