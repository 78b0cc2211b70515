internal import HelperProtocol

extension Policy.RuntimePolicy {
    /// Signals a container's init as `runc kill` does, without an exec, which would take a thousand times as long.
    ///
    /// True where it was sent: runc's state names the process, which still is that one and neither stopped nor frozen. All
    /// else, and every other runtime's state, is left to the runtime.
    func signalInit(of id: ContainerID, _ signal: UInt8) -> Bool {
        do throws(Outcome) {
            let root = try Descriptor.absolute(seen.stateRoot.terminated, .pathOfDirectory)
            let container = try root.open(id.bytes.terminated, .pathOfDirectory)
            let state = try container.open(InlineBytes<16>("state.json").terminated, .file).beginning()
            guard let recorded = InitProcess(state: state, of: id) else { return false }
            // Opened before it is compared: from then on no other process can be taken for it.
            let process = try Descriptor.process(recorded.pid)
            let found = InitProcess(stat: try Descriptor.processStatus(recorded.pid), recorded.pid)
            return found == recorded && process.signal(signal)
        } catch {
            return false
        }
    }
}

/// A container's first process.
struct InitProcess: Equatable {
    let pid: Int32
    /// Clock ticks after boot.
    let startTime: UInt64

    /// What libcontainer's `state.json` begins with; nil for anything else.
    init?(state: [UInt8], of id: ContainerID) {
        var text = Scanner(state)
        guard text.skip("{\"id\":\""), text.skip(id.bytes.array), text.skip("\",\"init_process_pid\":"),
            let pid = text.number(), (1...UInt64(Int32.max)).contains(pid), text.skip(",\"init_process_start\":"),
            let startTime = text.number(), text.skip(",")
        else { return nil }
        self.pid = Int32(pid)
        self.startTime = startTime
    }

    /// From `/proc/PID/stat` (proc_pid_stat(5)); nil where the process neither runs nor sleeps: what is frozen shows as `D`.
    init?(stat: [UInt8], _ pid: Int32) {
        // The name may hold any byte, so its last parenthesis counts.
        guard let end = stat.lastIndex(of: 0x29) else { return nil }
        var text = Scanner(Array(stat[(end + 1)...]))
        guard text.skip(" R ") || text.skip(" S ") else { return nil }
        for _ in 4..<22 { text.skipField() }
        guard let startTime = text.number(), text.skip(" ") else { return nil }
        self.pid = pid
        self.startTime = startTime
    }
}

/// Reads text from its beginning on.
private struct Scanner {
    private let bytes: [UInt8]
    private var next = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether `text` comes next; then it is passed.
    mutating func skip(_ text: [UInt8]) -> Bool {
        guard bytes.count - next >= text.count else { return false }
        for index in text.indices where bytes[next + index] != text[index] { return false }
        next += text.count
        return true
    }

    mutating func skip(_ literal: StaticString) -> Bool { skip(text(literal)) }

    /// To what follows the next blank.
    mutating func skipField() {
        while next < bytes.count, bytes[next] != 0x20 { next += 1 }
        next = min(next + 1, bytes.count)
    }

    /// Decimal digits; nil where there are none, or more than fit.
    mutating func number() -> UInt64? {
        var value: UInt64 = 0
        let start = next
        while next < bytes.count, (0x30...0x39).contains(bytes[next]), next - start < 19 {
            value = value * 10 + UInt64(bytes[next] - 0x30)
            next += 1
        }
        return next > start ? value : nil
    }
}
