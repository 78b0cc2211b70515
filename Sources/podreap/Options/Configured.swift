internal import SandboxRemoval
internal import Settings

/// `podreap.toml`, read once: what stands there is the default of the options.
enum Configured {
    static let result = Result<Settings, any Error> {
        let path = environmentVariable("PODREAP_SETTINGS")
        return try Settings(path: path ?? Settings.defaultPath, mustExist: path != nil)
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
