import ArgumentParser
internal import SandboxRegistry

struct Inspect: RegistryCommand {
    static let configuration = CommandConfiguration(abstract: "Shows all that is registered of a sandbox, in JSON.")

    @OptionGroup var common: CommonOptions

    @Argument(help: "A sandbox's id, or digits that only one of 64 begins with.")
    var id: String

    func run() throws {
        let registry = try common.openRegistry()
        let sandbox = try registry.require(id)
        let record = Record(sandbox: sandbox, containers: try registry.containers(of: sandbox.id))
        Stream.output.write(common.json ? jsonLine(record) : jsonText(record))
    }
}
