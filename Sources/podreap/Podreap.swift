import ArgumentParser
internal import EventLoop
internal import HelperProtocol
internal import LinuxSystem
internal import Ownership
internal import SandboxRegistry
internal import SandboxRemoval
internal import Settings

/// The exit status of an invocation, for scripts.
enum Status: Int32, Error, Comparable {
    case done = 0
    /// Something is left or failed; the same command again continues with it.
    case incomplete = 1
    /// The command line or a document is wrong. Nothing was changed.
    case badInput = 2
    /// The helper or the registry cannot be used. Nothing was changed.
    case unusable = 3

    static func < (left: Status, right: Status) -> Bool { left.rawValue < right.rawValue }
}

struct Podreap: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "podreap",
        abstract:
            "Removes Kubernetes pod sandboxes, with an unprivileged orchestrator and a minimal privileged helper.",
        discussion: """
            Exit status: 0 done, or nothing to do; 1 something is left or failed, and the same command again \
            continues; 2 the command line or a document is wrong, nothing was changed; 3 the helper or the registry \
            cannot be used, nothing was changed.

            Settings in /etc/podreap/podreap.toml replace the options' defaults.

            Environment: PODREAP_REGISTRY, PODREAP_HELPER and PODREAP_HELPER_SOCKET stand for --registry, --helper and \
            --helper-socket, PODREAP_SETTINGS names another podreap.toml; NO_COLOR switches colours off.

            If root runs a command that uses the registry, the process first becomes the user who owns the registry's \
            directory. explain and gc stay root, because only root sees all that they look at; another process becomes \
            the owner and reads the records for them.
            """,
        version: "podreap \(Release.version)",
        subcommands: [
            Discover.self, Register.self, PS.self, Inspect.self, Plan.self, Explain.self, Stop.self, Remove.self,
            Rescue.self, GC.self, History.self, Doctor.self,
        ])
}

extension Podreap {
    /// Parses the command line. If the first argument names a command and the rest is valid, only that command is
    /// parsed: building the parser's tree of all commands takes longer than `ps`. The tree is needed for error messages
    /// and help.
    ///
    /// Every command says its name, because making one from a type's costs a fifth of the whole start.
    fileprivate static func command() throws -> any ParsableCommand {
        if let word = CommandLine.arguments.dropFirst().first,
            let named = configuration.subcommands.first(where: { $0.configuration.commandName == word }),
            let command = try? named.parse(Array(CommandLine.arguments.dropFirst(2)))
        {
            return command
        }
        return try parseAsRoot()
    }
}

@main
enum Start {
    /// Runs on the first thread, before there are others: they inherit its timer slack and its user.
    @MainActor static func main() async {
        forgetTimerSlack()
        do {
            try requireProc()
            var command = try Podreap.command()
            _ = try Configured.result.get()
            try (command as? any RegistryCommand)?.settle()
            if environmentVariable("PODREAP_FORBID_BLOCKING") != nil { forbidBlockingTasks() }
            if let command = command as? any AsyncParsableCommand {
                try await run(command)
            } else {
                // This thread has no other task.
                mayBlockFromHere(true)
                try command.run()
            }
        } catch {
            leave(report(error).rawValue)
        }
        Stream.flush()
    }

    /// Threads for a command's own code, which opens the registry and writes to pipes; what it calls has others.
    private static let threads = BlockingPool("command", threads: 4)

    private static func run(_ command: sending any AsyncParsableCommand) async throws {
        try await withTaskExecutorPreference(threads) {
            var command = command
            try await command.run()
        }
    }

    /// Reports an error, and returns the exit status.
    private static func report(_ error: any Error) -> Status {
        switch error {
        case let status as Status: return status
        case let error as RemovalError: return say(error, error.status)
        case let error as RegistryError: return say(error, error.status)
        case let error as DocumentError:
            return say(error.field.isEmpty ? "\(error)" : "the document is wrong: \(error)", .badInput)
        case let error as InputError: return say(error, .badInput)
        case let error as SettingsError: return say(error, .badInput)
        case let error as BecomingError: return say(error, .unusable)
        case let error as MissingProcError: return say(error, .unusable)
        case let error as UsageError: return say(error.message, .badInput)
        default:
            // The parser throws for help and the version too, which are not errors.
            let text = Podreap.fullMessage(for: error)
            if Podreap.exitCode(for: error).isSuccess {
                Stream.output.write(text + "\n")
                return .done
            }
            return say(text.hasPrefix("Error: ") ? String(text.dropFirst("Error: ".count)) : text, .badInput)
        }
    }

    private static func say(_ message: some CustomStringConvertible, _ status: Status) -> Status {
        complain(message)
        return status
    }
}

/// The parser accepts the command line, but it is wrong.
struct UsageError: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

/// Writes one message to standard error.
func complain(_ message: some CustomStringConvertible) { Stream.errors.write("podreap: \(message)\n") }

extension RemovalError {
    var status: Status {
        switch self {
        case .registry(let error): error.status
        case .helper, .observation, .lock, .blind: .unusable
        case .invalid: .badInput
        case .busy, .overdue, .held: .incomplete
        }
    }
}

extension RegistryError {
    var status: Status {
        switch self {
        case .invalidID, .ambiguous, .unknownSandbox, .invalidRecord, .idHeld, .nameHeld, .pathHeld, .beingRemoved,
            .unknownNamespace:
            .badInput
        case .containersLeft: .incomplete
        case .noDirectory, .exposed, .notAFile, .notWritable, .corrupt, .replaced, .foreign, .newerSchema, .busy, .full,
            .failed:
            .unusable
        }
    }
}
