import Foundation
import Settings
import Testing

struct SettingsTests {
    private func problem(_ text: String) -> String? {
        do {
            _ = try Settings(text: text, path: "podreap.toml")
            return nil
        } catch {
            return error.description
        }
    }

    /// `#key = value`, without a space: prose has one.
    private static func isKey(_ line: Substring) -> Bool {
        line.first == "#" && line.dropFirst().first?.isLowercase == true && line.contains(" = ")
    }

    @Test func everyKey() throws {
        let settings = try Settings(
            text: """
                registry = "/srv/registry"
                helper = "/srv/helper"
                helpers = 8
                helper-socket = "/run/helper.sock"

                [removal]
                timeout = 60
                runtime-call = 5.5
                after-kill = 3
                stop-grace = 0
                before-netns = ["/bin/cni", "del"]
                before-netns-timeout = 2

                [daemon]
                socket = "/run/x.sock"
                mode = "0600"
                group = "podreap"
                users = ["kubelet", "4242"]
                at-once = 3
                waiting = 0
                end-grace = 1.5
                metrics = "127.0.0.1:9464"
                log = "debug"
                """, path: "x")
        var expected = Settings()
        expected.registry = "/srv/registry"
        expected.helper = "/srv/helper"
        expected.helpers = 8
        expected.helperSocket = "/run/helper.sock"
        expected.removal.timeout = .seconds(60)
        expected.removal.runtimeCall = .seconds(5.5)
        expected.removal.afterKill = .seconds(3)
        expected.removal.stopGrace = .seconds(0)
        expected.removal.beforeNetns = ["/bin/cni", "del"]
        expected.removal.beforeNetnsTimeout = .seconds(2)
        expected.daemon.socket = "/run/x.sock"
        expected.daemon.mode = 0o600
        expected.daemon.group = "podreap"
        expected.daemon.users = ["kubelet", "4242"]
        expected.daemon.atOnce = 3
        expected.daemon.waiting = 0
        expected.daemon.endGrace = .seconds(1.5)
        expected.daemon.metrics = "127.0.0.1:9464"
        expected.daemon.log = "debug"
        #expect(settings == expected)
    }

    /// The file that is shipped documents every key with its default, commented out: with the comments taken away it says the same.
    @Test func theShippedFileSaysTheDefaults() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../policy/podreap.toml")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(try Settings(text: text, path: "podreap.toml") == Settings())
        let keys = text.split(separator: "\n").filter(Self.isKey)
        #expect(keys.count == 19, "\(keys)")
        let plain = text.split(separator: "\n").map { line in
            Self.isKey(line) ? String(line.dropFirst()) : String(line)
        }
        var settings = try Settings(text: plain.joined(separator: "\n"), path: "podreap.toml")
        // These have no default, and an example there.
        (settings.daemon.group, settings.daemon.metrics, settings.helperSocket, settings.helpers) = (nil, nil, nil, nil)
        #expect(settings == Settings())
    }

    @Test(arguments: [
        ("helpers = 0", "podreap.toml:1: helpers: expected an integer from 1 to 64"),
        ("\n\nhelpers = \"4\"", "podreap.toml:3: helpers: expected an integer from 1 to 64"),
        ("[daemon]\n# log\nlog = \"loud\"", "podreap.toml:3: daemon.log: expected one of"),
        (
            "[removal]\nlog = 1\n[daemon]\nlog = \"info\"",
            "podreap.toml:2: unknown key removal.log; expected one of timeout"
        ),
        ("[daemon]\n\nscoket = \"/x\"", "podreap.toml:3: unknown key daemon.scoket"),
        ("daemon.log = 3", "podreap.toml:1: daemon.log: expected a string"),
        ("daemon = { log = 3 }", "podreap.toml:1: daemon.log: expected a string"),
        ("[daemn]", "podreap.toml:1: unknown key daemn; expected one of registry"),
        ("daemon = 3", "podreap.toml:1: daemon: expected a table"),
        ("[daemon]\nmode = \"0666\"", "podreap.toml:2: daemon.mode: expected permissions without any for others"),
        ("[daemon]\nmode = 432", "podreap.toml:2: daemon.mode: expected a string"),
        ("[daemon]\nusers = [1]", "podreap.toml:2: daemon.users: expected an array of strings"),
        ("[daemon]\nmetrics = \"9464\"", "podreap.toml:2: daemon.metrics: expected HOST:PORT"),
        ("[removal]\nbefore-netns = [\"cni\"]", "podreap.toml:2: removal.before-netns: expected a program"),
        ("[removal]\ntimeout = nan", "podreap.toml:2: removal.timeout: expected seconds, from 1.0 to 3600.0"),
        ("registry = \"r\"", "podreap.toml:1: registry: expected an absolute path"),
        ("registry = \"/r\"\nregistry = \"/s\"", "podreap.toml:2: no TOML"),
        ("registry", "podreap.toml:1: no TOML"),
    ])
    func wrongSettings(_ text: String, _ expected: String) {
        #expect(problem(text)?.hasPrefix(expected) == true, "\(problem(text) ?? "no error")")
    }

    @Test func files() throws {
        #expect(try Settings(path: "/nowhere/podreap.toml", mustExist: false) == Settings())
        #expect(throws: SettingsError.self) { try Settings(path: "/nowhere/podreap.toml", mustExist: true) }
    }
}
