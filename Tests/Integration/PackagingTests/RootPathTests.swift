import Foundation
import TestNode
import Testing

/// What root does by path where podreap's user may write, that user decides: a link in its place leads root anywhere.
@Suite(.serialized) struct RootPathTests {
    /// A file that root's tools read or execute, command by command, with RPM's macros replaced.
    private struct Text {
        let name: String
        let lines: [String]

        init(_ path: String) throws {
            name = path
            let macros = ["%{_localstatedir}": "/var", "%{_sysconfdir}": "/etc", "%{_prefix}": "/usr", "$DESTDIR": ""]
            let text = try String(contentsOfFile: "\(Tree.path)/packaging/\(path)", encoding: .utf8)
            lines = macros.reduce(text.replacing("\\\n", with: " ")) { $0.replacing($1.key, with: $1.value) }
                .split(separator: "\n").filter { !$0.trimmingCharacters(in: .whitespaces).hasPrefix("#") }
                .flatMap { $0.split(separator: /\|\||&&|;/) }.map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    private static let texts = Result {
        try ["systemd", "debian", "rpm"].flatMap { directory in
            try FileManager.default.contentsOfDirectory(atPath: "\(Tree.path)/packaging/\(directory)").sorted()
                .filter { !["copyright", "changelog", "control", "source", "rules", "build"].contains($0) }
                .map { try Text("\(directory)/\($0)") }
        } + [Text("install")]
    }

    /// The directories that one of these files gives to the user podreap.
    private static func given() throws -> Set<String> {
        let places = ["State": "/var/lib", "Runtime": "/run", "Cache": "/var/cache", "Logs": "/var/log"]
        var given: Set<String> = []
        for text in try texts.get() {
            for line in text.lines {
                let words = line.split(separator: " ").map(String.init)
                if text.name.hasSuffix("tmpfiles.conf"), words.count > 3, words[3] == "podreap" {
                    given.insert(words[1])
                } else if let kind = line.wholeMatch(of: /(State|Runtime|Cache|Logs)Directory=(.*)/) {
                    let parent = try #require(places[String(kind.1)])
                    given.formUnion(kind.2.split(separator: " ").map { "\(parent)/\($0)" })
                } else if line.contains("-o podreap") || line.contains(/chown .*podreap[: ]/)
                    || line.contains(/%attr\([0-9]+, podreap/), let path = words.last, path.hasPrefix("/")
                {
                    given.insert(path)
                }
            }
        }
        return given
    }

    @Test func rootTouchesNothingBeneathADirectoryOfPodreaps() throws {
        let given = try Self.given()
        #expect(given == ["/var/lib/podreap"])
        for text in try Self.texts.get() {
            for line in text.lines where !line.contains("setpriv --reuid podreap") {
                // An expansion by the shell is a path too: all that it can match.
                for match in line.matches(of: /(?:^|[\s="'])(\/[^\s"';=]+)/) {
                    let path = String(match.1)
                    for directory in given {
                        #expect(!path.hasPrefix("\(directory)/"), "\(text.name): \(line)")
                        // rm alone goes from directory to directory by descriptors.
                        let isRecursive = line.contains(/\s-[a-zA-Z]*[rR]/) && !line.hasPrefix("rm ")
                        #expect(path != directory || !isRecursive, "\(text.name): \(line)")
                    }
                }
            }
        }
    }

    /// The real systemd makes the real socket, again and again, while the user podreap puts links in its place.
    ///
    /// - Parameter before: How a release before left the directory: 0.1.0's belonged to podreap, who could leave a link there.
    @Test(arguments: [
        "true", "install -d -o podreap -g podreap /run/podreap && ln -s /etc/victim /run/podreap/podreap.sock",
    ])
    func systemdGivesPodreapNothingButItsSocket(before: String) throws {
        let script = "\(Tree.path)/Tests/Integration/PackagingTests/Socket/attack"
        let said = try shell("bash '\(script)' '\(before)' 2>&1")
        #expect(said.contains("the socket: 660 podreap:podreap\n"), "\(said)")
        #expect(said.contains("the directory: 755 root:root\n"), "\(said)")
        #expect(said.contains("the victim: 600 root:root\n"), "\(said)")
        #expect(said.contains("restarts: 20\n"), "\(said)")
    }
}
