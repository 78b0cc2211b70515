internal import HelperProtocol

extension Policy.RuntimePolicy {
    /// Signals a container's init as `runc kill` does, without an exec, which would take a thousand times as long.
    ///
    /// True where it was sent: runc's state names the process, which still is that one and neither stopped nor frozen. All
    /// else, and every other runtime's state, is left to the runtime.
    func signalInit(of id: ContainerID, _ signal: UInt8) -> Bool {
        do throws(Outcome) {
            let root = try openStateRoot()
            let state = try root.open(id.bytes.terminated, .pathOfDirectory).containerFacts(of: id)
            guard state.state == .runc, state.pid > 0, try !state.isFrozen() else { return false }
            let pid = Int32(state.pid)
            // Opened before it is compared: from then on no other process can be taken for it.
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
    /// Whether the container's own cgroup of version 2 is frozen. A signal would not thaw it; the runtime does so for KILL.
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
    /// Whether the process that the state names lives; what cannot be told counts as yes.
    func processLives() throws(Outcome) -> Bool {
        guard pid > 0 else { return false }
        do throws(Outcome) {
            _ = try Descriptor.process(Int32(pid))
        } catch {
            // A thread of another process may have the number by now: there is no process of it, as kernels say in two ways.
            if [ErrorNumber.noProcess, ErrorNumber.noEntry, ErrorNumber.invalid].contains(error.errno) { return false }
            throw error
        }
        do throws(Outcome) {
            let stat = try Descriptor.ofProcess(Int32(pid), "stat").beginning()
            guard let found = ProcessStat(stat) else { return true }
            return (startTime == 0 || found.startTime == startTime) && !found.isDead
        } catch {
            // It may be hidden from this user (hidepid=), or end just now.
            return true
        }
    }
}

/// What `/proc/PID/stat` (proc_pid_stat(5)) says of a process.
struct ProcessStat {
    /// One letter.
    private let state: UInt8
    private let threads: UInt64
    /// Clock ticks after boot.
    let startTime: UInt64

    /// Stopped, traced, or in an uninterruptible sleep, as what is frozen by cgroup version 1 is.
    var isStoppedOrFrozen: Bool { state == 0x44 || state == 0x54 || state == 0x74 }

    /// Nothing of it runs any more. Of a process whose first thread alone has ended others do.
    var isDead: Bool { (state == 0x5a || state == 0x58) && threads <= 1 }

    init?(_ stat: [UInt8]) {
        // The name may hold any byte, so its last parenthesis counts.
        guard let end = stat.lastIndex(of: 0x29) else { return nil }
        // The third of the fields, the state, is the first here.
        let fields = stat[(end + 1)...].split(separator: 0x20)
        guard fields.count > 20, fields[0].count == 1, let state = fields[0].first, let threads = fields[17].number,
            let startTime = fields[19].number
        else { return nil }
        self.state = state
        self.threads = threads
        self.startTime = startTime
    }
}
