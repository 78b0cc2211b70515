import ArgumentParser
import FoundationEssentials
internal import SandboxRegistry
internal import SandboxRemoval

struct PS: RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "Lists the registered sandboxes, oldest first.")

    @OptionGroup var common: CommonOptions

    @Flag(help: "Print whole ids.")
    var noTrunc = false

    func run() throws {
        let registry = try common.openRegistry()
        let sandboxes = try registry.sandboxes()
        if common.json {
            for sandbox in sandboxes {
                Stream.output.write(
                    jsonLine(Record(sandbox: sandbox, containers: try registry.containers(of: sandbox.id))))
            }
            return
        }
        var rows = [["SANDBOX", "POD", "NAMESPACE", "ATTEMPT", "STATE", "AGE", "RUNTIME", "CONTAINERS"]]
        for sandbox in sandboxes {
            let names = try registry.containers(of: sandbox.id).filter { !$0.isInfra }.map(\.name)
            rows.append([
                shortened(sandbox.id, noTrunc), sandbox.metadata.name, sandbox.metadata.namespace,
                "\(sandbox.metadata.attempt)", sandbox.state.rawValue,
                age(since: sandbox.createdAt),
                sandbox.runtime, names.isEmpty ? "-" : names.joined(separator: ","),
            ])
        }
        Stream.output.write(table(rows))
    }
}

/// All that the registry knows of one sandbox.
struct Record: Encodable {
    var sandbox: Sandbox
    var containers: [Container]
}
