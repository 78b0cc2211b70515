import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Somebody changes the tree while it is removed. What lies outside is compared byte for byte.
    @Suite struct Races {
        private static let root = TestNode.sandboxes
        private static let canary = "/mnt/node/canary"

        private func makeCanary() throws -> String {
            try TestNode.shared()
            // On the same filesystem as the sandboxes: whoever gets there could remove it.
            try shell(
                "rm -rf \(Self.canary); mkdir -p \(Self.canary)/d/e; cd \(Self.canary); echo precious >f; echo more >d/e/g; touch d/h d/e/i"
            )
            return try readCanary()
        }

        private func readCanary() throws -> String {
            try shell("cd \(Self.canary); find . -printf '%p %y %m %U %s %i\\n' | sort; cat f d/e/g")
        }

        /// Thousands of times a directory within the tree changes places with a symbolic link to the canary.
        @Test func directoryBecomesALink() throws {
            let before = try makeCanary()
            let tree = "\(Self.root)/swap"
            try shell("mkdir -p \(tree)/a; ln -s \(Self.canary) /mnt/node/link; mkdir /mnt/node/spare")
            defer { clear(tree); clear("/mnt/node/link"); clear("/mnt/node/spare") }
            let helper = try TestHelper()
            let meddler = try Programs.meddle("exchange", "\(tree)/a", "/mnt/node/link")
            var (removals, answers) = (0, 0)
            let end = Date().addingTimeInterval(4)
            while Date() < end {
                // The tree anew. It is made elsewhere and moved: nothing is to be made through the link by this test.
                let spare = "/mnt/node/spare/a"
                try? FileManager.default.createDirectory(atPath: "\(spare)/d/e", withIntermediateDirectories: true)
                for name in ["f", "d/g"] {
                    _ = FileManager.default.createFile(atPath: "\(spare)/\(name)", contents: nil)
                }
                try? FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: false)
                try? FileManager.default.moveItem(atPath: spare, toPath: "\(tree)/a")
                let answer = try helper.ask(.remove(.at(0, "swap")), milliseconds: 2000)
                answers += 1
                if answer.outcome == .done { removals += 1 }
                // Made again where it went out of the tree.
                if Entry.at("/mnt/node/link") == nil {
                    try? FileManager.default.createSymbolicLink(
                        atPath: "/mnt/node/link", withDestinationPath: Self.canary)
                }
                #expect(Entry.exists("\(Self.canary)/d/e/g") && Entry.exists("\(Self.canary)/f"))
            }
            meddler.kill()
            let exchanges = try meddler.readAll(seconds: 2).split(separator: "\n").last.flatMap { Int($0) } ?? 0
            #expect(try readCanary() == before)
            #expect(
                exchanges > 2000 && removals > 100, "\(exchanges) exchanges, \(removals) removals in \(answers) answers"
            )
        }

        /// A subtree moves out of the tree and in again: going up by `..` would lead out.
        @Test func subtreeMovesOutAndIn() throws {
            let before = try makeCanary()
            let tree = "\(Self.root)/moving"
            defer { clear(tree) }
            let helper = try TestHelper()
            // In the canary: `..` of the moved directory is the canary's own `d`.
            let meddler = try Programs.meddle("move", "\(tree)/a/m", "\(Self.canary)/d/m")
            var removals = 0
            let end = Date().addingTimeInterval(4)
            while Date() < end {
                try? FileManager.default.createDirectory(atPath: "\(tree)/a/m/x/y/z", withIntermediateDirectories: true)
                for name in ["a/m/f", "a/m/x/f", "a/m/x/y/f", "a/m/x/y/z/f"] {
                    _ = FileManager.default.createFile(atPath: "\(tree)/\(name)", contents: nil)
                }
                if try helper.ask(.remove(.at(0, "moving")), milliseconds: 2000).outcome == .done { removals += 1 }
                #expect(Entry.exists("\(Self.canary)/d/e/g") && Entry.exists("\(Self.canary)/d/h"))
            }
            meddler.kill()
            let moves = try meddler.readAll(seconds: 2).split(separator: "\n").last.flatMap { Int($0) } ?? 0
            clear("\(Self.canary)/d/m")
            // What was moved in was the tree's own; all that was the canary's is as it was.
            #expect(try readCanary() == before)
            #expect(removals > 100, "\(moves) moves, \(removals) removals")
        }

        /// The place itself changes between a directory and a link while it is removed, unmounted and looked at.
        @Test func placeBecomesALink() throws {
            let before = try makeCanary()
            let place = "\(Self.root)/place"
            try shell("mkdir \(place); ln -s \(Self.canary) /mnt/node/link")
            defer { clear(place); clear("/mnt/node/link") }
            let helper = try TestHelper()
            let meddler = try Programs.meddle("exchange", place, "/mnt/node/link")
            var outcomes: [String: Int] = [:]
            let end = Date().addingTimeInterval(3)
            while Date() < end {
                for request in try [
                    Request.remove(.at(0, "place")), .lookAt(.at(0, "place")),
                    .unmount(.at(0, "place", "d"), .act(only: nil)),
                ] {
                    let answer = try helper.ask(request)
                    if case .directory(let facts) = answer.facts {
                        #expect(facts.identity.inode != Entry.at(Self.canary)?.inode, "it looked into the canary")
                    }
                    outcomes["\(answer.outcome)", default: 0] += 1
                }
                try? FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
            }
            meddler.kill()
            #expect(try readCanary() == before)
            #expect(outcomes.values.reduce(0, +) > 1000, "\(outcomes)")
        }
    }
}
