internal import LinuxSystem

/// Exchanges information with systemd (sd_notify(3), sd_listen_fds(3)). Does nothing if there is no systemd.
enum ServiceManager {
    /// The descriptor of the socket that systemd bound for this process; nil if there is none.
    static func inheritedSocket() throws(StartError) -> Int32? {
        guard let pid = environmentVariable("LISTEN_PID"), Int32(pid) == ownPID,
            let number = environmentVariable("LISTEN_FDS").flatMap({ Int32($0) }), number > 0
        else { return nil }
        // The variables are meant for this process alone: children must not inherit them.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsetEnvironmentVariable(name) }
        guard number == 1 else {
            throw StartError("the service manager hands over \(number) sockets; expected one")
        }
        return 3
    }

    static func tell(_ state: String) {
        guard let name = environmentVariable("NOTIFY_SOCKET") else { return }
        try? sendDatagram(state, to: name)
    }
}
