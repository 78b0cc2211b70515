import ArgumentParser
import FoundationEssentials
internal import SandboxRegistry
internal import SandboxRemoval

struct Register: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Registers a sandbox with its containers from a JSON document, and prints its id.")

    @OptionGroup var common: CommonOptions
    @OptionGroup var helper: HelperOptions

    @Argument(help: "The document's file; - is standard input.")
    var file = "-"

    func run() async throws {
        let bytes = try readInput(file, limit: RegistrationDocument.maximumBytes)
        let document = try RegistrationDocument(json: Data(bytes))
        let orchestrator = try helper.orchestrator(common, warm: 1)
        let registration = try await orchestrator.register(document)
        for warning in registration.warnings { complain("warning: \(warning)") }
        if common.json {
            Stream.output.write(jsonLine(Record(sandbox: registration.sandbox, containers: registration.containers)))
        } else {
            Stream.output.write(registration.sandbox.id + "\n")
        }
    }
}
