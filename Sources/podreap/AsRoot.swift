import ArgumentParser
import FoundationEssentials
internal import Ownership
internal import SandboxRegistry
internal import SandboxRemoval

/// A command that uses the registry.
///
/// Root must not use a path in the registry's directory, because its owner could put links there. So a root process
/// becomes that owner before it does anything, or gets the records from a process that did (CONTRIBUTING.md, "podreap
/// as root").
protocol RegistryCommand: ParsableCommand {
    var common: CommonOptions { get }
    /// nil if the command starts no helper.
    var helpers: HelperOptions? { get }
    /// Whether the command has to see what only root sees. It then stays root, and a process of the registry's owner
    /// opens the registry.
    var staysRoot: Bool { get }
    /// Whether a root process started this one to act as the registry's owner.
    var handsOver: Bool { get }
    /// Opens input that the caller may read but the registry's owner perhaps may not.
    func openInput() throws
}

extension RegistryCommand {
    var helpers: HelperOptions? { nil }
    var staysRoot: Bool { false }
    var handsOver: Bool { false }
    func openInput() throws {}

    /// Makes this process run as the user that the command needs. Must be called while the process has one thread.
    func settle() throws {
        if handsOver {
            // If the descriptor were closed, the registry's own file could be opened under its number and then written
            // to.
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
        // A helper that root starts runs as root, so nobody else may be able to change its program.
        guard let helpers, helpers.socket == nil else { return }
        if let weakness = PathTrust.of(helpers.path).weakness() {
            throw UsageError("root does not start the helper \(helpers.path): \(weakness)")
        }
    }

    /// Whether this process may not open the registry itself, and needs a process of the registry's owner.
    var needsOwner: Bool {
        get throws(RegistryError) { try Registry.ownerToBecome(common.registryPath) != nil }
    }

    /// Runs this command in another process, which becomes the registry's owner, and returns what that process hands
    /// over; nil if that process has printed everything itself. If it failed, it has printed why, and its status is
    /// thrown.
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

    /// Hands a value over to the root process; called in the process of the registry's owner.
    func handOver(_ value: some Encodable) { Stream.owner.write(jsonLine(value)) }
}
