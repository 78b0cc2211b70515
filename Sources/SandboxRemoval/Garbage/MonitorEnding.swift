internal import EventLoop
internal import FoundationEssentials
internal import LinuxSystem
internal import NodeObservation
internal import SandboxRegistry

extension GarbageItem {
    /// The shims and conmons of which nothing else is left.
    ///
    /// - Parameters:
    ///   - facts: What else was found. A monitor is still needed if anything has the id of one of its containers.
    ///   - managers: A manager that has run for longer than a monitor has started it, and may know it.
    static func leftMonitors(
        beside facts: GarbageFacts, _ managers: ForeignManagers
    ) async throws(RemovalError) -> [GarbageItem] {
        do throws(ObservationError) {
            return try await Threads.looking.run { () throws(ObservationError) in
                var found: [GarbageItem] = []
                for monitor in try MonitorSearch.leftOver() where !facts.needs(monitor) {
                    found.append(try GarbageItem(monitor, managers))
                }
                return found
            }
        } catch {
            throw .observation(error)
        }
    }

    private init(_ monitor: ContainerMonitor, _ managers: ForeignManagers) throws(ObservationError) {
        let sinceStart = try Boot.age() - .milliseconds(Int64(monitor.startTime) * 1000 / Self.ticks)
        self.init(
            .monitor(program: monitor.program, pid: monitor.pid, startTime: monitor.startTime),
            "/proc/\(monitor.pid)", created: Date(timeIntervalSinceNow: -sinceStart.inSeconds),
            foreign: try managers.claim(on: monitor))
        relatives = monitor.containers
    }

    /// Clock ticks in a second: USER_HZ, which is 100 on every architecture that Swift runs on.
    private static let ticks: Int64 = 100
}

extension GarbageFacts {
    fileprivate func needs(_ monitor: ContainerMonitor) -> Bool {
        let ids = Set(monitor.containers)
        // Its own cgroup may be called after its container too.
        return items.contains { $0.use != .processes([monitor.pid]) && !ids.isDisjoint(with: $0.ids) }
            || living.contains { ids.contains($0.id) || $0.sandbox.map(ids.contains) == true }
            || ForeignStates.containers { _ in false }.keys.contains(where: ids.contains)
    }
}

extension ForeignManagers {
    fileprivate func claim(on monitor: ContainerMonitor) throws(ObservationError) -> String? {
        let name = monitor.endsByItself ? "crio" : "containerd"
        for manager in running where manager.name == name {
            // Who started it has its mount namespace.
            let space = ProcessObservation.namespace("mnt", of: manager.pid)
            guard space == nil || space == ProcessObservation.namespace("mnt", of: monitor.pid) else { continue }
            guard let startTime = try ProcessStatus.startTime(of: manager.pid), startTime < monitor.startTime else {
                continue
            }
            return "\(name) runs (process \(manager.pid)), has started it, and may know it"
        }
        return nil
    }
}

/// Ends a monitor of which nothing else is left. Only root may do that, and only root sees that it is one.
enum MonitorEnding {
    /// How long it may take to end after each signal.
    private static let grace = Duration.seconds(2)

    /// Checks that it is still the same process and still left over, asks it to end, and kills it if it does not.
    static func end(pid: Int32, startTime: UInt64, until deadline: ContinuousClock.Instant) async throws(StepFailure) {
        let (process, isLeft): (KnownProcess?, Bool)
        do throws(ObservationError) {
            (process, isLeft) = try await Threads.looking.run { () throws(ObservationError) in
                let left = try MonitorSearch.leftOver()
                return (
                    try KnownProcess(pid: pid, startTime: startTime, inode: nil),
                    left.contains { $0.pid == pid && $0.startTime == startTime }
                )
            }
        } catch {
            throw StepFailure(error)
        }
        guard let process, !process.handle.isGone else { return }
        guard isLeft else { throw StepFailure("it is needed again") }
        for signal in [Signal.terminate, Signal.kill] {
            do throws(Errno) {
                _ = try send(signal, to: pid) { (try? ProcessStatus.startTime(of: pid)) == startTime }
            } catch {
                throw StepFailure("it cannot be signalled: \(error)")
            }
            if await process.handle.wait(until: min(deadline, .now + grace)) { return }
        }
        throw StepFailure("it does not end")
    }
}
