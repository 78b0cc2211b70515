import FoundationEssentials
import Glibc
import SamplePod

/// A podreapd of the unprivileged user.
final class Daemon {
    let socket: String
    private let process: Child
    var pid: Int32 { process.pid }

    init(_ measure: Measure, _ installation: SampleInstallation, registry: String) throws {
        socket = "\(installation.library)/podreapd.sock"
        let settings = try installation.place(
            """
            helper = "\(installation.helper)"
            [daemon]
            socket = "\(socket)"
            log = "error"
            """, as: "podreap.toml")
        process = try Child(
            installation.command(
                program: "env", ["PODREAP_REGISTRY=\(registry)", measure.podreapd, "--settings", settings]))
        for _ in 0..<1000 where !FileManager.default.fileExists(atPath: socket) { usleep(10_000) }
        guard FileManager.default.fileExists(atPath: socket) else { throw Incomplete("podreapd does not serve") }
    }

    func end() {
        kill(pid, SIGTERM)
        _ = process.wait()
    }
}
