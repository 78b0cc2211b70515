import Foundation
import TestNode
import Testing

/// The man pages, as they are generated from these programs.
@Suite(.serialized) struct PageTests {
    private func pages() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: try Tree.release.get() + "/share/man").sorted()
    }

    @Test func everyCommandHasOne() throws {
        let help = try shell("\(try Tree.release.get())/podreap --help")
        let commands = help.matches(of: #/(?m)^  ([a-z]+) {2,}/#).map { String($0.1) }
        #expect(commands.count >= 11)
        let expected =
            commands.map { "podreap-\($0).1" } + [
                "podreap.1", "podreap-risks.7", "podreapd.8", "podreap-helper.8", "helper.conf.5", "podreap.toml.5",
            ]
        #expect(try pages() == expected.sorted())
    }

    /// Two formatters, neither of which finds anything wrong.
    @Test func areCorrect() throws {
        let directory = try Tree.release.get() + "/share/man"
        for page in try pages() {
            // Not that it names its own release, nor that pages are not installed here.
            let said = try shell(
                """
                cd \(directory) && mandoc -Tlint -Wstyle \(page) 2>&1 | grep -v -e 'operating system explicitly specified' \
                -e 'referenced manual not found' -e 'outdated mandoc.db' || true
                groff -mandoc -Tutf8 -ww -z \(page) 2>&1
                """)
            #expect(said == "", "\(page)")
        }
    }

    @Test func referToPagesThatAre() throws {
        let directory = try Tree.release.get() + "/share/man"
        let own = Set(try pages())
        for page in own {
            let text = try String(contentsOfFile: "\(directory)/\(page)", encoding: .utf8)
            for match in text.matches(of: #/(?m)^(?:\.|\.It )Xr ([^ ]+) ([1-8])/#)
            where match.1.contains("podreap") || match.1 == "helper.conf" {
                #expect(own.contains("\(match.1).\(match.2)"), "\(page)")
            }
        }
    }

    /// podreap.toml(5) has every key of the default file, and so every key that is read (SettingsTests).
    @Test func everyKeyIsThere() throws {
        let page = try String(contentsOfFile: try Tree.release.get() + "/share/man/podreap.toml.5", encoding: .utf8)
        let settings = try String(contentsOfFile: "\(Tree.path)/policy/podreap.toml", encoding: .utf8)
        let keys = settings.matches(of: #/(?m)^\#([a-z-]+) = /#).map { String($0.1) }
        #expect(keys.count >= 19)
        for key in keys { #expect(page.contains(".It Ic \(key) = "), "\(key)") }
    }

    @Test func completionsAreShellsOwn() throws {
        let directory = try Tree.release.get() + "/share/completions"
        for program in ["podreap", "podreapd"] {
            try shell(
                "bash -n \(directory)/\(program).bash && zsh -n \(directory)/\(program).zsh && fish -n \(directory)/\(program).fish"
            )
        }
        let offered = try shell(
            """
            bash -c 'shopt -s extglob progcomp; . \(directory)/podreap.bash; COMP_WORDS=(podreap re); COMP_CWORD=1; \
            COMP_LINE="podreap re"; COMP_POINT=10; _podreap podreap re podreap; echo "${COMPREPLY[@]}"'
            """)
        #expect(offered.split { $0 == " " || $0 == "\n" }.sorted() == ["register", "remove", "rescue"])
    }
}
