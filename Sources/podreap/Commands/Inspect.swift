import ArgumentParser
internal import SandboxRegistry

struct Inspect: RegistryCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Shows everything that is registered of a sandbox, as JSON.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "A sandbox's id, or the beginning of a 64-digit id, if no other begins with it.")
    var id: String

    func run() throws {
        let registry = try common.openRegistry()
        let sandbox = try registry.require(id)
        let record = Record(sandbox: sandbox, containers: try registry.containers(of: sandbox.id))
        Stream.output.write(common.json ? jsonLine(record) : jsonText(record))
    }
}
