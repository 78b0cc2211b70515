import ArgumentParser
internal import EventLoop
internal import LinuxSystem
internal import SandboxRegistry
internal import SandboxRemoval
internal import Settings

/// Options of every command that uses the registry.
struct CommonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The registry's file (default: /var/lib/podreap/registry.sqlite).", valueName: "path"))
    var registry: String?

    @Flag(help: "Print JSON, one object a line.")
    var json = false

    var registryPath: String {
        registry ?? environmentVariable("PODREAP_REGISTRY") ?? Configured.settings.registry
    }

    func openRegistry() throws(RegistryError) -> Registry {
        let registry = try Registry(path: registryPath)
        registry.sayWarnings()
        return registry
    }

    /// An orchestrator for what needs no helper: the helper's path does not matter.
    func openWithoutHelper() throws(RegistryError) -> Orchestrator {
        let orchestrator = try Orchestrator(path: registryPath, helper: "")
        orchestrator.registry.sayWarnings()
        return orchestrator
    }
}

/// Further options of commands that use a helper.
struct HelperOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The helper's program (default: /usr/libexec/podreap/podreap-helper).", valueName: "path"))
    var helper: String?

    @Option(
        help: ArgumentHelp(
            "The socket at which a service manager starts helpers, used instead of the program.", valueName: "path"))
    var helperSocket: String?

    @Option(
        help: ArgumentHelp(
            "A policy other than /etc/podreap/helper.conf; the helper accepts it from root only.", valueName: "path"))
    var policy: String?

    func validate() throws {
        guard socket != nil else { return }
        if helper != nil { throw ValidationError("--helper and --helper-socket exclude each other") }
        if policy != nil {
            throw ValidationError("--policy needs --helper: at a socket, the service manager starts the helper")
        }
    }

    /// The path of the helper's program.
    var path: String {
        helper ?? environmentVariable("PODREAP_HELPER") ?? Configured.settings.helper
    }

    /// The socket at which helpers are started instead; nil if there is none. The command line overrides the
    /// environment, which overrides the settings.
    var socket: String? {
        if helperSocket != nil || helper != nil { return helperSocket }
        if let path = environmentVariable("PODREAP_HELPER_SOCKET") { return path }
        return environmentVariable("PODREAP_HELPER") == nil ? Configured.settings.helperSocket : nil
    }

    /// Opens the registry, and reads what the command has to know at its start.
    ///
    /// - Parameters:
    ///   - warm: How many helpers to start meanwhile.
    ///   - time: No other process holds this up for longer.
    func orchestrator<Found: Sendable>(
        _ common: CommonOptions, warm: Int, _ time: TimeLeft,
        _ find: @escaping @Sendable (Registry) throws -> Found = { _ in }
    ) async throws -> (Orchestrator, Found) {
        let (registry, atOnce) = (common.registryPath, Configured.settings.helpers)
        let opened = try await time.reading { deadline in
            let orchestrator =
                if let socket {
                    try Orchestrator(
                        path: registry, helperSocket: socket, atOnce: atOnce, warm: warm, until: deadline)
                } else {
                    try Orchestrator(
                        path: registry, helper: path, policy: policy, atOnce: atOnce, warm: warm, until: deadline)
                }
            return (orchestrator, try find(orchestrator.registry))
        }
        opened.0.registry.sayWarnings()
        return opened
    }

    /// Makes a garbage collection for a process that does not open the registry itself.
    func garbageCollection(
        _ records: @escaping GarbageCollection.Records
    ) -> GarbageCollection {
        GarbageCollection(
            helper: path, helperSocket: socket, policy: policy, atOnce: Configured.settings.helpers, records: records)
    }
}

extension Registry {
    fileprivate func sayWarnings() { for warning in warnings { complain("warning: \(warning)") } }
}

/// The time of a command that does one thing after the other. With `--timeout` it is for all of them, otherwise the
/// settings' time is for each.
struct TimeLeft {
    private let whole: Duration?
    private let end: ContinuousClock.Instant?
    /// The registry may be on a disk that does not answer.
    private static let threads = BlockingPool("registry", threads: 1)

    init(_ timeout: Seconds?) {
        whole = timeout?.duration
        end = whole.map { .now + $0 }
    }

    /// What is left for the next thing.
    var left: Duration { end.map { max(.zero, $0 - .now) } ?? Configured.settings.removal.timeout }

    /// Runs `body`, which reads the registry and is given the deadline. Throws once the time is over.
    func reading<Value: Sendable>(
        _ body: @escaping @Sendable (ContinuousClock.Instant) throws -> Value
    ) async throws -> Value {
        let limit = left
        let deadline = ContinuousClock.now + limit
        // What knows the deadline has a moment to say what it waited for.
        let result = await within(deadline + .milliseconds(200)) {
            await Self.threads.run { () -> Result<Value, any Error> in Result { try body(deadline) } }
        }
        let told = whole ?? limit
        guard let result else { throw RemovalError.overdue("the registry's answer", after: told) }
        do { return try result.get() } catch RegistryError.busy where deadline <= .now {
            throw RemovalError.overdue("the registry, which others keep locked,", after: told)
        }
    }
}

/// A number of seconds on the command line, such as `10` or `0.5`.
struct Seconds: ExpressibleByArgument, CustomStringConvertible {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let seconds = Double(argument), seconds.isFinite, (0...86_400).contains(seconds) else { return nil }
        duration = .seconds(seconds)
    }

    var description: String { duration.text }
    var defaultValueDescription: String { "\(Int(duration / .seconds(1)))" }
}
