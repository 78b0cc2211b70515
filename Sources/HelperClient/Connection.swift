internal import EventLoop
internal import LinuxSystem

/// Our end of a helper's socket, and the helper's process if this process started it.
struct Connection: ~Copyable, Sendable {
    let socket: PacketSocket
    private let child: Child?
    init(_ launch: HelperLaunch) throws(Errno) {
        switch launch {
        case .program(let path, let arguments):
            var start = ProgramStart(path, words: [path] + arguments, environment: [])
            start.closesOthers = true
            start.resetsSignals = true
            var started: Child?
            let ours = try PacketSocket { (otherEnd) throws(Errno) in
                start.files = [(0, .descriptor(otherEnd)), (1, .null(readOnly: false))]
                started = try Child(start)
            }
            socket = ours
            child = started
        case .socket(let path):
            socket = try PacketSocket(connectingTo: path)
            child = nil
        }
    }

    /// Kills a child. Any other helper sees that nothing more will come, and ends by itself once it is not busy.
    func end() {
        if let child { child.killNow() } else { socket.closeHalf() }
    }

    /// Returns when the helper may have ended, and at the deadline at the latest.
    func awaitEnd(_ loop: EventLoop, until deadline: ContinuousClock.Instant) async {
        if let child {
            _ = await loop.readable(child.process.number, until: deadline)
        } else if await loop.readable(socket.descriptor.number, until: deadline) {
            // Late replies are discarded.
            var buffer = [UInt8](repeating: 0, count: 1)
            _ = socket.receive(into: &buffer)
        }
    }

    /// Reaps a child if it has ended. For a helper that is not a child, this tells only whether it has closed its
    /// socket.
    func reap() -> Child.End {
        if let child { return child.reap() }
        return socket.isClosed ? .gone : .running
    }
}

/// Tells whether the policy's file was changed: replacing the file changes its inode, and writing to it changes its
/// times. If the file cannot be examined, all stamps are equal, so no change is noticed.
struct PolicyStamp: Hashable, Sendable {
    private let status: FileStatus?

    init(_ path: String) { status = try? FileStatus.of(path, followsLink: true) }
}
