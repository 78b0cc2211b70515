internal import HelperProtocol

extension Policy.RuntimePolicy {
    /// Signals a container's init process as `runc kill` does, but without an exec, which would take a thousand times
    /// as long.
    ///
    /// True if the signal was sent: runc's state names the process, which is still the same one and is neither stopped
    /// nor frozen. In every other case, and for every other runtime's state, the runtime must send it.
    func signalInit(of id: ContainerID, _ signal: UInt8) -> Bool {
        do throws(Outcome) {
            let root = try openStateRoot()
            let state = try root.open(id.bytes.terminated, .pathOfDirectory).containerFacts(of: id)
            guard state.state == .runc, state.pid > 0, try !state.isFrozen() else { return false }
            let pid = Int32(state.pid)
            // The pidfd is opened before the start time is compared: from then on no other process can be mistaken for
            // this one.
            let process = try Descriptor.process(pid)
            guard let found = ProcessStat(try Descriptor.ofProcess(pid, "stat").beginning()),
                found.startTime == state.startTime,
                !found.isStoppedOrFrozen
            else { return false }
            return process.signal(signal)
        } catch {
            return false
        }
    }
}

extension ContainerFacts {
    /// Whether the container's own cgroup of version 2 is frozen. A signal would not thaw it; the runtime does so for
    /// KILL.
    fileprivate func isFrozen() throws(Outcome) -> Bool {
        for cgroup in cgroups where cgroup.controller.isEmpty {
            var path = cgroup.path
            path.append("/cgroup.freeze\0")
            do throws(Outcome) {
                return try Descriptor.absolute(path.span, .file).beginning().first == 0x31
            } catch {
                if !error.isMissingEntry { throw error }
            }
        }
        return false
    }
}

extension ContainerFacts {
    /// Whether the process that the state names is alive; true, or an error, if that cannot be determined.
    func processLives() throws(Outcome) -> Bool {
        guard pid > 0 else { return false }
        do throws(Outcome) {
            _ = try Descriptor.process(Int32(pid))
        } catch {
            // A thread of another process may have this number by now. Then no process has it, which kernels report in
            // two ways.
            if [ErrorNumber.noProcess, ErrorNumber.noEntry, ErrorNumber.invalid].contains(error.errno) { return false }
            throw error
        }
        do throws(Outcome) {
            let stat = try Descriptor.ofProcess(Int32(pid), "stat").beginning()
            guard let found = ProcessStat(stat) else { return true }
            return (startTime == 0 || found.startTime == startTime) && !found.isDead
        } catch {
            // The process may be hidden from this user (hidepid=), or may have just ended.
            return true
        }
    }
}

/// What `/proc/PID/stat` (proc_pid_stat(5)) says of a process.
struct ProcessStat {
    /// The state letter.
    private let state: UInt8
    private let threads: UInt64
    /// In clock ticks after boot.
    let startTime: UInt64

    /// Whether the process is stopped, traced or in an uninterruptible sleep, which is how a process frozen by cgroup
    /// version 1 appears.
    var isStoppedOrFrozen: Bool { state == 0x44 || state == 0x54 || state == 0x74 }

    /// Whether no thread of the process runs any more. If only its first thread has ended, other threads still run.
    var isDead: Bool { (state == 0x5a || state == 0x58) && threads <= 1 }

    init?(_ stat: [UInt8]) {
        // The process name may contain any byte, so the last parenthesis ends it.
        guard let end = stat.lastIndex(of: 0x29) else { return nil }
        // The state is the third field of the line, and the first one here.
        let fields = stat[(end + 1)...].split(separator: 0x20)
        guard fields.count > 20, fields[0].count == 1, let state = fields[0].first, let threads = fields[17].number,
            let startTime = fields[19].number
        else { return nil }
        self.state = state
        self.threads = threads
        self.startTime = startTime
    }
}
