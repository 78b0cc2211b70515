/// What systemd and podreapd tell each other (sd_notify(3), sd_listen_fds(3)); nothing where there is no systemd.
enum ServiceManager {
    /// The descriptor of the socket that was bound for this process; nil where none was.
    static func inheritedSocket() throws(StartError) -> Int32? {
        guard let pid = SystemCalls.environment("LISTEN_PID"), Int32(pid) == SystemCalls.processID,
            let number = SystemCalls.environment("LISTEN_FDS").flatMap({ Int32($0) }), number > 0
        else { return nil }
        // They are for this process alone.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { SystemCalls.unset(name) }
        guard number == 1 else {
            throw StartError("the service manager hands over \(number) sockets; expected one")
        }
        return 3
    }

    static func tell(_ state: String) {
        guard let name = SystemCalls.environment("NOTIFY_SOCKET") else { return }
        SystemCalls.send(state, to: name)
    }
}
