internal import HelperProtocol

/// The process that runs one OCI runtime. It is forked before the broker confines itself, shares nothing with it but a
/// private socket, and does one thing: the command that a packet names, one at a time, until the broker is gone.
struct Launcher: ~Copyable {
    private let socket: Descriptor
    private let runtime: Policy.RuntimePolicy
    /// The runtime's program, opened once: what the policy named at the start is what runs.
    private let program: Descriptor
    /// Why the program could not be opened (errno(3)); 0 where it was.
    private let error: Int32
    /// The helper's own: the launcher and its broker.
    private let ownProcesses: [Int32]
    /// Those of the request that is carried out, or was last.
    private var signals: CgroupSignals

    init(_ socket: consuming Descriptor, _ runtime: Policy.RuntimePolicy) {
        self.socket = socket
        self.runtime = runtime
        ownProcesses = [ownProcess(), parentProcess()]
        signals = CgroupSignals(sparing: ownProcesses)
        do throws(Outcome) {
            let file = try runtime.path.openTrusted(.file, else: .runtimeReplaceable)
            program = try (runtime.isCrun ? file.sealedCopy() : file).asProgram()
            error = 0
        } catch {
            program = .none
            // A refusal has none.
            self.error = error.errno == 0 ? ErrorNumber.notPermitted : error.errno
        }
    }

    /// Tells the broker that everything is in force.
    func sayReady() throws(Outcome) { try socket.send([1]) }

    /// Serves until the broker's end is closed; the process's exit status.
    mutating func serve() -> Int32 {
        var packet = [UInt8](repeating: 0, count: RuntimeCommand.bytes + 1)
        do throws(Outcome) {
            while case .packet = try socket.wait() {
                let received = try socket.receivePacket(into: &packet, size: packet.count)
                try socket.send(try run(Array(packet[..<received.count]), received).encoded)
            }
            return 0
        } catch {
            return 1
        }
    }

    private mutating func run(_ packet: [UInt8], _ streams: borrowing ReceivedPacket) throws(Outcome) -> RuntimeEnd {
        let command: RuntimeCommand
        do throws(Malformed) {
            command = try RuntimeCommand(decoding: packet)
        } catch {
            throw .malformed(error)
        }
        switch command.verb {
        case .signalCgroup(let signal, let isExclusive, let continues):
            if !continues { signals = CgroupSignals(sparing: ownProcesses) }
            return signals.send(
                signal, in: streams.first, isExclusive: isExclusive, Deadline(milliseconds: command.milliseconds))
        case .kill(let signal, all: false):
            if let id = command.id, runtime.signalInit(of: id, signal) { return RuntimeEnd(.ended, status: 0) }
        default: break
        }
        if error != 0 { return RuntimeEnd(.notStarted, status: error) }
        let arguments = command.arguments(runtime)
        var environment = ArgumentList()
        environment.append("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        // runc is written in Go, which prepares for as many threads at once as there are processors; deleting needs one. A hook would
        // inherit it.
        if !runtime.seen.hooks { environment.append("GOMAXPROCS=1") }
        let child = try Child.spawn(program, arguments, environment, streams)
        let end = try child.wait(Deadline(milliseconds: command.milliseconds), orLossOf: socket)
        if case .exited = end { return RuntimeEnd(.ended, status: try child.reap()) }
        child.killGroup()
        let status = try child.reap()
        return RuntimeEnd(.timedOut, status: status)
    }
}

extension Policy.RuntimePolicy {
    /// What the runtime needs of the kernel: the filter of the launcher, which the runtime inherits.
    var systemCallRules: SystemCallRules {
        seen.hooks ? .hooks : isCrun ? .crun : .runc
    }

    /// Whether the path ends in `/crun`.
    fileprivate var isCrun: Bool {
        let name: StaticString = "/crun"
        guard path.count >= 5 else { return false }
        for index in 0..<5 where path[path.count - 5 + index] != name.byte(index) { return false }
        return true
    }
}
