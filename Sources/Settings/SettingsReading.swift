internal import FoundationEssentials
internal import TOMLKit

extension Settings {
    /// Reads a settings file. If the file is missing, the defaults apply, unless `mustExist` is true.
    public init(path: String, mustExist: Bool) throws(SettingsError) {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            let isMissing = (error as? CocoaError)?.code == .fileReadNoSuchFile
            if isMissing, !mustExist {
                self.init()
                return
            }
            throw SettingsError(path, nil, isMissing ? "there is no such file" : "cannot be read: \(error)")
        }
        guard data.count <= 1 << 20, let text = String(validating: data, as: UTF8.self) else {
            throw SettingsError(path, nil, "is no UTF-8 text of at most 1 MiB")
        }
        try self.init(text: text, path: path)
    }

    /// Reads the text of a settings file; `path` is used in errors only.
    public init(text: String, path: String) throws(SettingsError) {
        self.init()
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw SettingsError(path, error.source.begin.line, "no TOML: \(error.description)")
        } catch {
            throw SettingsError(path, nil, "no TOML: \(error)")
        }
        let file = SettingsFile(text: text, path: path)

        var top = try file.table(table, "")
        try top.string("registry", Rule.path) { registry = $0 }
        try top.string("helper", Rule.path) { helper = $0 }
        try top.string("helper-socket", Rule.socket) { helperSocket = $0 }
        try top.integer("helpers", 1...64) { helpers = $0 }
        let removal = try top.table("removal")
        let daemon = try top.table("daemon")
        try top.end()
        if var keys = removal { try read(removal: &keys) }
        if var keys = daemon { try read(daemon: &keys) }
    }

    private mutating func read(removal keys: inout SettingsTable) throws(SettingsError) {
        try keys.seconds("timeout", 1...3600) { removal.timeout = $0 }
        try keys.seconds("runtime-call", 0.1...600) { removal.runtimeCall = $0 }
        try keys.seconds("after-kill", 0.1...600) { removal.afterKill = $0 }
        try keys.seconds("stop-grace", 0...3600) { removal.stopGrace = $0 }
        try keys.strings("before-netns", Rule.command) { removal.beforeNetns = $0 }
        try keys.seconds("before-netns-timeout", 0.1...600) { removal.beforeNetnsTimeout = $0 }
        try keys.end()
    }

    private mutating func read(daemon keys: inout SettingsTable) throws(SettingsError) {
        try keys.string("socket", Rule.socket) { daemon.socket = $0 }
        try keys.string("mode", Rule.mode) { daemon.mode = UInt32($0, radix: 8) ?? daemon.mode }
        try keys.string("group", Rule.name) { daemon.group = $0 }
        try keys.strings("users", { $0.lazy.compactMap(Rule.name).first }) { daemon.users = $0 }
        try keys.integer("at-once", 1...1024) { daemon.atOnce = $0 }
        try keys.integer("waiting", 0...1_000_000) { daemon.waiting = $0 }
        try keys.seconds("end-grace", 0...3600) { daemon.endGrace = $0 }
        try keys.string("metrics", Rule.address) { daemon.metrics = $0 }
        try keys.string("log", Rule.level) { daemon.log = $0 }
        try keys.end()
    }

    /// Each rule returns what a value must be, for the error message; nil if the value is valid.
    private enum Rule {
        static func path(_ text: String) -> String? {
            text.hasPrefix("/") && !text.contains("\0") ? nil : "an absolute path"
        }
        static func socket(_ text: String) -> String? {
            path(text) ?? (text.utf8.count <= 107 ? nil : "a path of at most 107 bytes")
        }
        static func mode(_ text: String) -> String? {
            guard let mode = UInt32(text, radix: 8), (3...4).contains(text.count), mode <= 0o777, mode & 0o600 == 0o600
            else { return "permissions such as \"0660\", with the owner's reading and writing" }
            return mode & 0o007 == 0 ? nil : "permissions without any for others"
        }
        static func name(_ text: String) -> String? {
            text.isEmpty || text.contains("\0") || text.contains(":") ? "a name or a number" : nil
        }
        static func command(_ words: [String]) -> String? {
            guard let program = words.first else { return nil }
            return path(program).map { "a program and its arguments, the program as \($0)" }
        }
        static func address(_ text: String) -> String? {
            guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
                UInt16(text[text.index(after: colon)...]) != nil
            else { return "HOST:PORT such as \"127.0.0.1:9464\"" }
            return nil
        }
        static func level(_ text: String) -> String? {
            Settings.levels.contains(text) ? nil : "one of \(Settings.levels.joined(separator: ", "))"
        }
    }
}
