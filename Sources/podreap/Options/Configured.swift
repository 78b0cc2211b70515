internal import Ownership
internal import SandboxRemoval
internal import Settings

/// `podreap.toml`, read once: what stands there is the default of the options.
enum Configured {
    static let result = Result<Settings, any Error> {
        let path = environmentVariable("PODREAP_SETTINGS")
        let place = path ?? Settings.defaultPath
        if ProcessUser.isRoot, let weakness = PathTrust.of(place)?.weakness() {
            throw UsageError("root does not read the settings \(place): \(weakness)")
        }
        return try Settings(path: place, mustExist: path != nil)
    }

    /// The program has ended by now where the file is wrong.
    static var settings: Settings { (try? result.get()) ?? Settings() }

    /// - Parameter extra: What the containers may take beside.
    static func removal(_ timeout: Seconds?, extra: Duration = .zero) -> RemovalOptions {
        let removal = settings.removal
        var options = RemovalOptions(
            timeout: timeout?.duration ?? .seconds(removal.timeout) + extra,
            runtimeCall: .seconds(removal.runtimeCall), afterKill: .seconds(removal.afterKill), namesHolders: true)
        if !removal.beforeNetns.isEmpty {
            options.runBeforeNamespaces(removal.beforeNetns, timeout: .seconds(removal.beforeNetnsTimeout))
        }
        return options
    }
}
