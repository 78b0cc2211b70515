internal import HelperProtocol

/// The process that runs one OCI runtime. It is forked before the broker confines itself and shares only a private
/// socket with it. It carries out the commands that packets name, one at a time, until the broker closes its end.
struct Launcher: ~Copyable {
    private let socket: Descriptor
    private let runtime: Policy.RuntimePolicy
    /// The runtime's program, opened once: the launcher runs the file that the policy named when the helper started.
    private let program: Descriptor
    /// The error number (errno(3)) if the program could not be opened; 0 if it was opened.
    private let error: Int32
    /// Processes of the helper itself: this launcher, its broker and the unmounter.
    private let ownProcesses: [Int32]
    /// The signals of the current request, or of the last one.
    private var signals: CgroupSignals

    init(_ socket: consuming Descriptor, _ runtime: Policy.RuntimePolicy, sparing unmounter: Int32) {
        self.socket = socket
        self.runtime = runtime
        ownProcesses = [ownProcess(), parentProcess(), unmounter]
        signals = CgroupSignals(sparing: ownProcesses)
        do throws(Outcome) {
            let file = try runtime.path.openTrusted(.file, else: .runtimeReplaceable)
            program = try (runtime.isCrun ? file.sealedCopy() : file).asProgram()
            error = 0
        } catch {
            program = .none
            // A refusal has no error number.
            self.error = error.errno == 0 ? ErrorNumber.notPermitted : error.errno
        }
    }

    /// Tells the broker that the launcher is confined.
    func sayReady() throws(Outcome) { try socket.sayReady() }

    /// Serves until the broker closes its end; returns the process's exit status.
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
        case .signalProcesses(let signal):
            signals = CgroupSignals(sparing: ownProcesses)
            return signals.send(signal, to: command.processes, in: streams.first)
        case .kill(let signal, all: false):
            if let id = command.id, runtime.signalInit(of: id, signal) { return RuntimeEnd(.ended, status: 0) }
        default: break
        }
        if error != 0 { return RuntimeEnd(.notStarted, status: error) }
        let arguments = command.arguments(runtime)
        var environment = ArgumentList()
        environment.append("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        // runc is written in Go, whose scheduler prepares as many threads as there are processors; deletion needs only
        // one. A hook would inherit this variable.
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
    /// The launcher's filter, which the runtime inherits.
    var filter: SystemCallFilter {
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
