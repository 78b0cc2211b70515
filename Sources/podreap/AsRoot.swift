import ArgumentParser
import FoundationEssentials
internal import Ownership
internal import SandboxRegistry
internal import SandboxRemoval

/// A command that has to do with the registry.
///
/// Root does nothing by path in the registry's directory, where its owner could put links. So a root process becomes that owner before it does
/// anything, or has the records from one that did (CONTRIBUTING.md, "podreap as root").
protocol RegistryCommand: ParsableCommand {
    var common: CommonOptions { get }
    /// nil where it starts no helper.
    var helpers: HelperOptions? { get }
    /// Whether it needs root's eyes. Then it opens no registry but in a process of its owner's.
    var staysRoot: Bool { get }
    /// Whether a root process has started this one, which becomes the registry's owner.
    var handsOver: Bool { get }
    /// Opens what the caller may read, and the registry's owner perhaps not.
    func openInput() throws
}

extension RegistryCommand {
    var helpers: HelperOptions? { nil }
    var staysRoot: Bool { false }
    var handsOver: Bool { false }
    func openInput() throws {}

    /// Makes this process what it has to be for the command. There is one thread yet.
    func settle() throws {
        if handsOver {
            // Else it could be the registry's own file by the time that something is written there.
            guard Stream.owner.isPipe else { throw UsageError("--hand-over is for podreap itself") }
            Stream.keepFromOthers([.owner] + (Stream.root.isPipe ? [.root] : []))
        }
        try openInput()
        guard ProcessUser.isRoot else { return }
        if !staysRoot, let owner = try Registry.ownerToBecome(common.registryPath) {
            guard helpers?.policy == nil else {
                throw UsageError(
                    "--policy is root's, and the registry belongs to the user \(owner.user), whom root becomes for it: change helper.conf"
                )
            }
            return try owner.become()
        }
        // What it starts is root's too.
        guard let helpers, helpers.socket == nil else { return }
        if let weakness = PathTrust.of(helpers.path)?.weakness() {
            throw UsageError("root does not start the helper \(helpers.path): \(weakness)")
        }
    }

    /// Whether this process may not open the registry itself.
    var needsOwner: Bool {
        get throws(RegistryError) { try Registry.ownerToBecome(common.registryPath) != nil }
    }

    /// What another process of this command, which becomes the registry's owner, hands over: nil where it has said all that there is to
    /// say. Where it failed it has said why, and its status is thrown.
    func fromOwner<Value: Decodable>(_ type: Value.Type, _ command: String, _ operands: [String] = []) throws -> Value?
    {
        let options = ["--hand-over", "--registry", common.registryPath] + (common.json ? ["--json"] : [])
        let (status, bytes) = try handedOver(by: [command] + options + ["--"] + operands)
        guard status == 0 else { throw Status(rawValue: status) ?? .unusable }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            return try decoder.decode(Value?.self, from: Data(bytes))
        } catch {
            throw RegistryError.failed(path: common.registryPath, detail: "its owner's process handed over no records")
        }
    }

    /// What that process hands over.
    func handOver(_ value: some Encodable) { Stream.owner.write(jsonLine(value)) }
}
