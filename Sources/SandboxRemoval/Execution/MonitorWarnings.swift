internal import EventLoop
internal import HelperClient
internal import NodeObservation
internal import SandboxRegistry
internal import Synchronization

extension RemovalRun {
    /// Warns of shims and conmons that live on after the pod's containers. They are no evidence of life, because runc
    /// and crun leave them behind, and podreap may not end them. Looks once in a removal.
    func nameMonitors(of plan: RemovalPlan, after records: [StepRecord]) async {
        guard plan.purpose == .remove, !plan.isAfterReboot, !plan.sandbox.monitors.isEmpty,
            !records.contains(where: { $0.verb == "delete" && !$0.succeeded }),
            !hasLookedForMonitors.withLock({ hasLooked in
                defer { hasLooked = true }
                return hasLooked
            })
        else { return }
        for monitor in plan.sandbox.monitors {
            guard let (name, process) = await Self.living(monitor, until: lookEnd) else { continue }
            // conmon ends a moment after its container.
            if name.hasPrefix("conmon"),
                await process.handle.wait(until: min(lookEnd, .now + PlanExecutor.usualEnd))
            {
                continue
            }
            warn(
                """
                \(printable(name)) of the pod lives on as process \(monitor.pid), although its containers are \
                gone; if nothing is left of what it waits for, sudo podreap gc --remove --older-than 0 ends it
                """)
        }
    }

    /// A monitor's name and handle; nil if it has ended, or if /proc hides it.
    private static func living(
        _ monitor: ProcessReference, until end: ContinuousClock.Instant
    ) async -> (name: String, process: KnownProcess)? {
        await Threads.node.run(until: end) { () -> (String, KnownProcess)? in
            guard let process = try? KnownProcess(pid: monitor.pid, startTime: monitor.startTime, inode: nil),
                !process.handle.isGone, let status = try? ProcessStatus.of(pid: monitor.pid)
            else { return nil }
            return (status.name, process)
        } ?? nil
    }
}
