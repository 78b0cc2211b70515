internal import HelperProtocol

/// Signals the processes in cgroups, from a launcher, which has the capability for it. Each process is signalled once,
/// although it is in a cgroup of every hierarchy.
///
/// This type decides nothing: the broker has checked that the processes of a cgroup may be signalled, and passes the
/// cgroup's directory.
struct CgroupSignals {
    private static var kill: UInt8 { 9 }
    /// How many processes are held by pidfd at once.
    private static var batch: Int { 64 }
    /// How many cgroups are searched. If there are more, only the kernel's own kill, where the kernel has it, reaches
    /// the rest.
    private static var cgroups: Int { 10_000 }

    private let spared: [Int32]
    private var signal: UInt8 = 0
    private var isExclusive = false
    /// The processes that have received the signal.
    private var signalled = ProcessList()
    private var metSpared = false
    private var deadline = Deadline(milliseconds: 0)
    /// How many processes had received the signal before this cgroup.
    private var first = 0
    /// The first error number; 0 if there was no error.
    private var error: Int32 = 0

    /// - Parameter spared: Processes that are not signalled. Process 1 is not signalled either.
    init(sparing spared: [Int32]) { self.spared = spared }

    /// Signals the processes in a cgroup, and repeats until a pass signals no further process or the deadline has
    /// passed.
    ///
    /// - Parameter isExclusive: Whether the cgroups beneath this one are included.
    mutating func send(
        _ signal: UInt8, in cgroup: borrowing Descriptor, isExclusive: Bool, _ deadline: Deadline
    ) -> RuntimeEnd {
        self.signal = signal
        self.isExclusive = isExclusive
        self.deadline = deadline
        metSpared = false
        error = 0
        first = signalled.pids.count
        var end = RuntimeEnd(.ended, status: 0)
        var before: Int
        repeat {
            before = signalled.pids.count
            do throws(Outcome) { try pass(cgroup) } catch { note(error.errno) }
            if isLate { end.how = .timedOut }
        } while signalled.pids.count > before && end.how == .ended
        end.status = error
        end.count = UInt32(signalled.pids.count - first)
        return end
    }

    /// Signals these processes, each once, as far as they are in a cgroup or beneath it.
    mutating func send(
        _ signal: UInt8, to processes: [ProcessIdentity], in cgroup: borrowing Descriptor
    ) -> RuntimeEnd {
        error = 0
        var held: [HeldProcess] = []
        for process in processes {
            let pid = Int32(bitPattern: process.pid)
            if pid <= 1 || spared.contains(pid) {
                note(ErrorNumber.notPermitted)
            } else if let found = HeldProcess(pid), found.hasStarted(at: process.startTime) {
                held.append(found)
            }
        }
        do throws(Outcome) {
            // Listed after its pidfd was opened: it is in the cgroup, or it has ended.
            let listed = held.isEmpty ? ProcessList() : try members(beneath: cgroup)
            for process in held where listed.contains(process.pid) { self.signal(process, signal) }
        } catch { note(error.errno) }
        var end = RuntimeEnd(.ended, status: error)
        end.count = UInt32(signalled.pids.count)
        return end
    }

    private mutating func signal(_ process: HeldProcess, _ signal: UInt8) {
        switch process.handle.signalError(signal) {
        case 0: signalled.insert(process.pid)
        case ErrorNumber.noProcess: break
        case let number: note(number)
        }
    }

    /// The processes in a cgroup and in all beneath it.
    private mutating func members(beneath top: borrowing Descriptor) throws(Outcome) -> ProcessList {
        var list = ProcessList()
        var paths: [[UInt8]] = [[0x2e]]
        var next = 0
        while next < paths.count {
            let path = paths[next]
            next += 1
            do throws(Outcome) {
                let cgroup = try top.open((path + [0]).span, .directory)
                for pid in try cgroup.members(isTop: next == 1).pids { list.insert(pid) }
                try addCgroups(beneath: cgroup, path, to: &paths)
            } catch {
                if !error.isGoneCgroup { throw error }
            }
        }
        return list
    }

    private mutating func addCgroups(
        beneath cgroup: borrowing Descriptor, _ path: [UInt8], to paths: inout [[UInt8]]
    ) throws(Outcome) {
        var entries = EntryReader()
        while let entry = try entries.next(cgroup) {
            guard entry.seemsDirectory else { continue }
            guard paths.count < Self.cgroups else {
                note(ErrorNumber.tooMany)
                return
            }
            paths.append(path + [0x2f] + entries.name(of: entry).array)
        }
    }

    /// Whether the deadline has passed and at least one process was signalled: every request makes progress, however
    /// short its deadline.
    private var isLate: Bool { signalled.pids.count > first && deadline.isPast }

    private mutating func note(_ number: Int32) { if error == 0 { error = number } }

    /// Makes one pass over the cgroup and, if the request is exclusive, over all cgroups beneath it.
    private mutating func pass(_ top: borrowing Descriptor) throws(Outcome) {
        var paths: [[UInt8]] = [[0x2e]]
        var next = 0
        while next < paths.count {
            if isLate { return }
            let path = paths[next]
            next += 1
            do throws(Outcome) {
                let cgroup = try top.open((path + [0]).span, .directory)
                try signalMembers(of: cgroup, isTop: next == 1)
                if signal == Self.kill { try thaw(cgroup) }
                guard isExclusive else { return }
                try addCgroups(beneath: cgroup, path, to: &paths)
            } catch {
                if !error.isGoneCgroup { throw error }
            }
        }
        // By now it is known whether a spared process is in one of these cgroups.
        if signal == Self.kill, isExclusive, !metSpared, !isLate { try killAll(in: top) }
    }

    private mutating func signalMembers(of cgroup: borrowing Descriptor, isTop: Bool) throws(Outcome) {
        let found = try cgroup.members(isTop: isTop).pids.filter { !signalled.contains($0) }
        for start in stride(from: 0, to: found.count, by: Self.batch) {
            if isLate { return }
            var held: [HeldProcess] = []
            for pid in found[start..<min(start + Self.batch, found.count)] {
                if pid <= 1 || spared.contains(pid) {
                    metSpared = true
                    note(pid == 0 ? ErrorNumber.noProcess : ErrorNumber.notPermitted)
                } else if let process = HeldProcess(pid) {
                    held.append(process)
                }
            }
            // A process that is listed now, while its pidfd is open, is in the cgroup or has ended: no other process
            // can have its pid.
            let listed = try cgroup.members(isTop: isTop)
            for process in held where listed.contains(process.pid) { self.signal(process, signal) }
        }
    }

    /// A process frozen by cgroup version 1 ends only once it is thawed. Version 2 would leave the empty cgroup frozen.
    private func thaw(_ cgroup: borrowing Descriptor) throws(Outcome) {
        if try !cgroup.tell("freezer.state", "THAWED") { try cgroup.tell("cgroup.freeze", "0") }
    }

    /// The kernel's own kill also reaches processes that were created during the pass.
    private func killAll(in cgroup: borrowing Descriptor) throws(Outcome) {
        do throws(Outcome) { try cgroup.tell("cgroup.kill", "1") } catch { if !error.isGoneCgroup { throw error } }
    }
}

/// A process and its pidfd, which prevents another process from being mistaken for it.
private final class HeldProcess {
    let pid: Int32
    let handle: Descriptor

    /// Nil if no pidfd for the process can be opened, for example because it has ended.
    init?(_ pid: Int32) {
        do throws(Outcome) { handle = try Descriptor.process(pid) } catch { return nil }
        self.pid = pid
    }

    /// Whether the process is the one that started then. Asked after the pidfd is opened, so that no other process can
    /// take its place any more.
    func hasStarted(at startTime: UInt64) -> Bool {
        do throws(Outcome) {
            let found = ProcessStat(try Descriptor.ofProcess(pid, "stat").beginning())
            return found.map { $0.startTime == startTime } ?? false
        } catch { return false }
    }
}

/// A set of process ids in ascending order.
private struct ProcessList {
    private(set) var pids: [Int32] = []

    private func place(of pid: Int32) -> Int {
        var (low, high) = (0, pids.count)
        while low < high {
            let middle = (low + high) / 2
            if pids[middle] < pid { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func contains(_ pid: Int32) -> Bool {
        let place = place(of: pid)
        return place < pids.count && pids[place] == pid
    }

    mutating func insert(_ pid: Int32) { if !contains(pid) { pids.insert(pid, at: place(of: pid)) } }
}

extension Outcome {
    /// Whether the error means that the cgroup has been removed.
    fileprivate var isGoneCgroup: Bool { isMissingEntry || errno == ErrorNumber.noDevice }
}

extension Descriptor {
    /// The processes that are directly in this cgroup (cgroups(7)). A threaded cgroup of version 2 does not list them:
    /// they belong to a cgroup above it. If that cgroup is not searched too, its processes are found by their threads
    /// here.
    fileprivate func members(isTop: Bool) throws(Outcome) -> ProcessList {
        var list = ProcessList()
        do throws(Outcome) {
            for pid in try numbers(in: "cgroup.procs") { list.insert(pid) }
        } catch {
            guard error.errno == ErrorNumber.notSupported else { throw error }
            guard isTop else { return list }
            for thread in try numbers(in: "cgroup.threads") {
                if let pid = try Descriptor.leader(of: thread) { list.insert(pid) }
            }
        }
        return list
    }

    private func numbers(in file: StaticString) throws(Outcome) -> [Int32] {
        let text = try open(InlineBytes<32>(file).terminated, .file).readAll(limit: 16 << 20)
        return text.split(separator: 0x0a).map { Int32(clamping: $0.number ?? 0) }
    }

    /// The process that a thread belongs to; nil if the thread has ended.
    private static func leader(of thread: Int32) throws(Outcome) -> Int32? {
        do throws(Outcome) {
            let status = try ofProcess(thread, "status").beginning()
            for line in status.split(separator: 0x0a) where line.starts(with: text("Tgid:\t")) {
                return line.dropFirst(6).number.map { Int32(clamping: $0) }
            }
            return nil
        } catch {
            if error.isMissingEntry || error.errno == ErrorNumber.noProcess { return nil }
            throw error
        }
    }

    /// Writes to a file of this cgroup; false if the cgroup has no file of that name or does not support it.
    @discardableResult
    fileprivate func tell(_ file: StaticString, _ text: StaticString) throws(Outcome) -> Bool {
        do throws(Outcome) {
            try open(InlineBytes<32>(file).terminated, .writing).write(text)
            return true
        } catch {
            if error.isMissingEntry || error.errno == ErrorNumber.notSupported { return false }
            throw error
        }
    }
}
