internal import LinuxSystem
internal import Ownership
internal import SandboxRemoval
internal import Settings

/// The settings of `podreap.toml`, read once. They are the defaults of the options.
enum Configured {
    static let result = Result<Settings, any Error> {
        let path = environmentVariable("PODREAP_SETTINGS")
        let place = path ?? Settings.defaultPath
        if ProcessUser.isRoot, let weakness = PathTrust.of(place).weakness() {
            throw UsageError("root does not read the settings \(place): \(weakness)")
        }
        return try Settings(path: place, mustExist: path != nil)
    }

    /// If the file is wrong, the program has already ended.
    static var settings: Settings { (try? result.get()) ?? Settings() }

    /// - Parameter extra: Time that the containers may take in addition to the timeout of the settings.
    static func removal(extra: Duration = .zero) -> RemovalOptions {
        let removal = settings.removal
        var options = RemovalOptions(
            timeout: removal.timeout + extra, runtimeCall: removal.runtimeCall,
            afterKill: removal.afterKill, namesHolders: true)
        if !removal.beforeNetns.isEmpty {
            options.runBeforeNamespaces(removal.beforeNetns, timeout: removal.beforeNetnsTimeout)
        }
        return options
    }
}
