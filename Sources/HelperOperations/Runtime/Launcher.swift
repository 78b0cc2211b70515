internal import HelperProtocol

/// The process that runs the OCI runtimes. It was forked before the broker confined itself, shares nothing with it but
/// a private socket, and does one thing: the command that a packet names, one at a time, until the broker is gone.
struct Launcher: ~Copyable {
    private let socket: Descriptor
    private let policy: Policy
    /// The configured runtimes, opened at start; nil where one is missing.
    private var programs: [Program] = []

    /// Opens the runtimes.
    init(_ socket: consuming Descriptor, _ policy: Policy) {
        self.socket = socket
        self.policy = policy
        for runtime in policy.runtimes { programs.append(Program(runtime.path)) }
    }

    /// Serves until the broker's end is closed; the process's exit status.
    func serve() -> Int32 {
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

    private func run(_ packet: [UInt8], _ received: borrowing ReceivedPacket) throws(Outcome) -> RuntimeEnd {
        let command: RuntimeCommand
        do throws(Malformed) {
            command = try RuntimeCommand(decoding: packet, runtimes: programs.count)
        } catch {
            throw .malformed(error)
        }
        let program = programs[Int(command.runtime)]
        if program.error != 0 { return RuntimeEnd(.notStarted, status: program.error) }
        let arguments = command.arguments(policy.runtimes[Int(command.runtime)])
        var environment = ArgumentList()
        environment.append("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        let child = try Child.fork { program.start(arguments, environment, received) }
        let end = try child.wait(Deadline(milliseconds: command.milliseconds), orLossOf: socket)
        if case .exited = end { return RuntimeEnd(.ended, status: try child.reap()) }
        child.killGroup()
        let status = try child.reap()
        if case .peerGone = end { endProcess(0) }
        return RuntimeEnd(.timedOut, status: status)
    }
}

/// A runtime's program, opened once: what the policy named at the start is what runs.
private final class Program: Sendable {
    private let file: Descriptor
    /// Why it could not be opened (errno(3)); 0 where it was.
    let error: Int32

    init(_ path: InlineBytes<256>) {
        do throws(Outcome) {
            file = try Descriptor.absolute(path.terminated, .path)
            error = 0
        } catch {
            file = .none
            self.error = error.errno
        }
    }

    func start(
        _ arguments: ArgumentList, _ environment: ArgumentList, _ received: borrowing ReceivedPacket
    ) -> Never {
        becomeProgram(file, arguments, environment, received)
    }
}
