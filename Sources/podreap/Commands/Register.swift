import ArgumentParser
import FoundationEssentials
internal import SandboxRegistry
internal import SandboxRemoval

struct Register: AsyncParsableCommand, RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "register",
        abstract: "Registers sandboxes with their containers from JSON documents, and prints their ids.",
        discussion: """
            The text may hold several documents: one after the other as discover prints them, one on each line, or in \
            an array. Each document is registered completely or not at all, whatever becomes of the others. A text that \
            is not JSON registers nothing.
            """)

    @OptionGroup var common: CommonOptions
    @OptionGroup var helper: HelperOptions

    @Argument(help: "The file with the documents; - is standard input.")
    var file = "-"

    @Option(
        help: ArgumentHelp("The time for the whole command (default: 120 for each document).", valueName: "seconds"))
    var timeout: Seconds?

    var helpers: HelperOptions? { helper }

    func openInput() throws { try podreap.openInput(file) }

    func run() async throws {
        let bytes = try readInput(file, limit: DocumentStream.maximumBytes)
        let entries = try DocumentStream(json: Data(bytes)).entries
        let time = TimeLeft(timeout)
        let (orchestrator, _) = try await helper.orchestrator(common, warm: 1, time)
        // Messages name the document only if there are several.
        let several = entries.count > 1
        var worst = Status.done
        for entry in entries {
            let prefix = several ? "\(entry.id.map { shortened($0) } ?? "document \(entry.number)"): " : ""
            do {
                show(try await orchestrator.register(entry.document.get(), timeout: time.left), prefix)
            } catch {
                worst = max(worst, try refuse(error, entry, prefix))
            }
        }
        guard worst == .done else { throw worst }
    }

    private func show(_ registration: Registration, _ prefix: String) {
        for warning in registration.warnings { complain("\(prefix)warning: \(warning)") }
        Stream.output.write(
            common.json
                ? jsonLine(Record(sandbox: registration.sandbox, containers: registration.containers))
                : registration.sandbox.id + "\n")
    }

    /// Reports what is wrong with one document. Throws if no further document could be registered either.
    private func refuse(_ error: any Error, _ entry: DocumentStream.Entry, _ prefix: String) throws -> Status {
        let status: Status
        let text: String
        switch error {
        case let error as DocumentError: (status, text) = (.badInput, "the document is wrong: \(error)")
        case let error as RemovalError: (status, text) = (error.status, "\(error)")
        default: throw error
        }
        complain(prefix + text)
        if common.json {
            Stream.output.write(jsonLine(Refusal(document: entry.number, sandbox: entry.id, error: text)))
        }
        if status == .unusable { throw status }
        return status
    }
}

/// A document that was not registered, as a JSON line.
private struct Refusal: Encodable {
    let document: Int
    let sandbox: String?
    let error: String
}
