import ArgumentParser
internal import CRIService
internal import HelperProtocol
internal import LinuxSystem
internal import Ownership
internal import Settings

struct Podreapd: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves runtime.v1 and podreap.v1 on a Unix socket: what a shim and crictl call to remove pods.",
        discussion: """
            Reads its settings from /etc/podreap/podreap.toml, if that exists. Writes its log to standard error, in the \
            journal's format, and tells systemd when it is ready. TERM and INT end it: it answers the calls in flight, \
            and the next start resumes what is not finished.

            Exit status: 0 ended as asked; 2 the command line or the settings are wrong; 3 it could not start, or go on.

            If root starts it, it first becomes the user who owns the registry's directory.

            Environment: PODREAP_REGISTRY, PODREAP_HELPER and PODREAP_HELPER_SOCKET stand for the settings registry, \
            helper and helper-socket.
            """,
        version: "podreapd \(Release.version)")

    @Option(help: ArgumentHelp("The settings (default: \(Settings.defaultPath)).", valueName: "path"))
    var settings: String?

    @Option(help: ArgumentHelp("A socket other than the one in the settings.", valueName: "path"))
    var socket: String?

    @Flag(help: "Only check the settings, and say what is wrong with them.")
    var check = false

    func daemon() throws -> Daemon {
        let path = settings ?? Settings.defaultPath
        if ProcessUser.isRoot, let weakness = PathTrust.of(path).weakness() {
            throw StartError("root does not read the settings \(path): \(weakness)")
        }
        var read = try Settings(path: path, mustExist: settings != nil)
        if let path = environmentVariable("PODREAP_REGISTRY") { read.registry = path }
        if let path = environmentVariable("PODREAP_HELPER") { (read.helper, read.helperSocket) = (path, nil) }
        if let path = environmentVariable("PODREAP_HELPER_SOCKET") { read.helperSocket = path }
        if let socket { read.daemon.socket = socket }
        return try Daemon(read)
    }
}

/// Why the daemon does not start.
struct StartError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

@main
enum Start {
    /// Runs on the first thread, before there are others: they inherit its timer slack and its user.
    @MainActor static func main() async {
        forgetTimerSlack()
        do {
            try requireProc()
            var command = try Podreapd.parseAsRoot()
            if let command = command as? Podreapd {
                let daemon = try command.daemon()
                guard !command.check else { leave(0) }
                let socket = try daemon.settle()
                try await daemon.run(on: socket)
            } else {
                try command.run()
            }
        } catch {
            leave(report(error))
        }
        leave(0)
    }

    /// Reports an error, and returns the exit status.
    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let error as SettingsError: return say("\(error)", 2)
        case let error as StartError: return say("\(error)", 3)
        case let error as BecomingError: return say("\(error)", 3)
        case let error as ListenError: return say("\(error)", 3)
        default:
            if Podreapd.exitCode(for: error) == .success {
                print(Podreapd.fullMessage(for: error))
                return 0
            }
            if error is ValidationError || "\(type(of: error))".contains("CommandError") {
                return say(Podreapd.fullMessage(for: error), 2)
            }
            return say("\(error)", 3)
        }
    }

    private static func say(_ message: String, _ status: Int32) -> Int32 {
        StandardError.write("podreapd: \(message)\n")
        return status
    }
}
