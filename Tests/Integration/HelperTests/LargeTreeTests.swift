import Foundation
import HelperProtocol
import TestNode
import Testing

extension RealHelper {
    /// Trees that are deep, wide, or change while they are removed: an answer within the budget, with bounded means.
    @Suite struct LargeTrees {
        private static let root = TestNode.sandboxes

        /// The most descriptors and KiB of memory that a helper had at any time while `body` ran.
        private func watching(_ helper: TestHelper, _ body: () throws -> Void) throws -> (
            descriptors: Int, peakKiB: Int
        ) {
            let pid = helper.process.pid
            let most = Most()
            let done = Most()
            let thread = Thread {
                while done.value == 0 {
                    most.raise(to: (try? NodeProcess(pid).descriptors().count) ?? 0)
                    Thread.sleep(forTimeInterval: 0.002)
                }
                done.raise(to: 2)
            }
            thread.start()
            defer { done.raise(to: 1) }
            try body()
            let peak = try NodeProcess(pid).status()["VmHWM"]?.split(separator: " ").first.flatMap { Int($0) }
            return (most.value, peak ?? .max)
        }

        private final class Most: @unchecked Sendable {
            private let lock = NSLock()
            private var found = 0
            var value: Int { lock.withLock { found } }
            func raise(to value: Int) { lock.withLock { found = max(found, value) } }
        }

        /// 10,000 levels, each with a file, in one tree: far deeper than a path can say. Fewer on a disk, which is slow.
        @Test(arguments: Disk.allCases) func deep(_ disk: Disk) throws {
            try TestNode.shared()
            let levels = disk == .memory ? 10_000 : 1000
            try shell(
                """
                cd \(disk.path); python3 - <<'END'
                import os
                os.mkdir("deep"); os.chdir("deep")
                for level in range(\(levels)):
                    open("file", "w").close(); os.mkdir("d"); os.chdir("d")
                END
                """)
            let helper = try TestHelper()
            let means = try watching(helper) {
                let answer = try helper.ask(.remove(.at(disk.root, "deep")), milliseconds: 60_000)
                #expect(answer.outcome == .done && answer.facts == .count(UInt64(2 * levels + 1)), "\(answer.reply)")
            }
            #expect(!Entry.exists("\(disk.path)/deep"))
            #expect(means.descriptors < 160, "\(means)")
            #expect(means.peakKiB < 8192, "\(means)")
        }

        /// However early the deadline: each request removes its part of what it has to enter, so that their number grows with the
        /// logarithm of the depth only.
        @Test func deepWithoutTime() throws {
            try TestNode.shared()
            let levels = 20_000
            try shell(
                """
                cd \(Self.root); python3 - <<'END'
                import os
                os.mkdir("untimely"); os.chdir("untimely")
                for level in range(\(levels - 1)): os.mkdir("d"); os.chdir("d")
                END
                """)
            var (left, most) = (levels, 0)
            while left > 0 { (left, most) = (left - max(1, left / 8), most + 1) }
            let helper = try TestHelper()
            var (removed, requests) = (UInt64(0), 0)
            while requests <= most {
                requests += 1
                let answer = try helper.ask(.remove(.at(0, "untimely")), milliseconds: 1)
                guard case .count(let count) = answer.facts, count > 0 else {
                    Issue.record("request \(requests) after \(removed): \(answer.reply)")
                    break
                }
                removed += count
                if answer.outcome == .done { break }
                #expect(answer.outcome == .inProgress)
            }
            #expect(removed == UInt64(levels) && !Entry.exists("\(Self.root)/untimely"), "after \(requests) requests")
            clear("\(Self.root)/untimely")
        }

        /// Nothing can be removed by the deadline, nor later: that is said, and not that time was short.
        @Test func nothingToRemoveInTime() throws {
            try TestNode.shared()
            let path = "\(TestNode.ext4Sandboxes)/kept"
            try shell("mkdir -p \(path)/d; for n in $(seq 2000); do mkdir \(path)/d/$n; done; chattr +i \(path)/d")
            defer { _ = try? shell("chattr -i \(path)/d; rm -r \(path)") }
            let answer = try TestHelper().ask(.remove(.at(TestNode.Root.ext4, "kept")), milliseconds: 1)
            guard case .refused(.immutableEntry, _) = answer.outcome else {
                Issue.record("\(answer.reply)")
                return
            }
        }

        /// A million entries in one directory; fewer on a disk, which is slow in making.
        @Test(arguments: Disk.allCases) func wide(_ disk: Disk) throws {
            try TestNode.shared()
            let (entries, slice) = disk == .memory ? (1_000_000, UInt32(300_000)) : (10_000, UInt32(3000))
            try shell(
                """
                cd \(disk.path); python3 - <<'END'
                import os
                os.mkdir("wide"); os.chdir("wide")
                for entry in range(\(entries)): os.mknod(f"entry-{entry}")
                END
                """)
            let helper = try TestHelper()
            var removed: UInt64 = 0
            let means = try watching(helper) {
                while true {
                    let answer = try helper.ask(.remove(.at(disk.root, "wide"), entries: slice))
                    guard case .count(let count) = answer.facts, count <= slice else {
                        throw ProgramFailure(description: "\(answer.reply)")
                    }
                    removed += count
                    if answer.outcome == .done { break }
                    #expect(answer.outcome == .inProgress && count == slice)
                }
            }
            #expect(removed == UInt64(entries) + 1)
            #expect(!Entry.exists("\(disk.path)/wide"))
            #expect(means.peakKiB < 4096, "\(means)")
        }

        /// Several helpers side by side, each with its share.
        @Test func sharedByHelpers() throws {
            try TestNode.shared()
            try shell(
                "mkdir \(Self.root)/parts; cd \(Self.root)/parts; for n in $(seq 300); do mkdir -p d$n/x; touch d$n/f f$n; done"
            )
            let helpers = try (0..<4).map { _ in try TestHelper() }
            let place = try Place.at(0, "parts")
            var total: UInt64 = 0
            for (index, helper) in helpers.enumerated() {
                let request = Request.removeDirectory(
                    place, .act(only: nil, Slice(entries: 1_000_000, index: UInt8(index), count: 4)))
                try helper.send(RequestPacket(id: 100, deadline: 20_000, request: request))
            }
            for helper in helpers {
                let answer = try #require(try helper.receive())
                guard case (.done, .count(let count)) = (answer.outcome, answer.facts) else {
                    throw ProgramFailure(description: "\(answer.reply)")
                }
                #expect(count > 0)
                total += count
            }
            #expect(total == 1200)
            #expect(Entry.exists("\(Self.root)/parts"), "only a request for the whole removes the directory itself")
            #expect(try helpers[0].ask(.remove(place)).facts == .count(1))
        }

        /// Where directories are too few to give each helper some, all enter them and share what is in them.
        @Test func sharedInFewDirectories() throws {
            try TestNode.shared()
            let path = "\(Self.root)/chain"
            let (levels, files) = (40, 50)
            try shell(
                """
                p=\(path); for level in $(seq \(levels)); do mkdir $p && (cd $p && touch $(seq \(files))); p=$p/d; done
                mkdir \(path)/d/d/a \(path)/d/d/b; touch \(path)/d/d/a/file
                """)
            let helpers = try (0..<2).map { _ in try TestHelper() }
            let place = try Place.at(0, "chain")
            var total = 0
            for (index, helper) in helpers.enumerated() {
                let slice = Slice(entries: 1_000_000, index: UInt8(index), count: 2)
                let answer = try helper.ask(.removeDirectory(place, .act(only: nil, slice)))
                guard case (.done, .count(let count)) = (answer.outcome, answer.facts) else {
                    throw ProgramFailure(description: "\(answer.reply)")
                }
                #expect(count > UInt64(levels * files / 4), "the first leaves the second its share: \(count)")
                total += Int(count)
            }
            // All but the target.
            #expect(total == levels * (files + 1) + 3 - 1)
            #expect(try helpers[0].ask(.remove(place)).facts == .count(1))
        }

        /// One removes a directory that the other has just entered: that is the end of it, and not of the request.
        @Test func sharedAtOnce() throws {
            try TestNode.shared()
            let (levels, files) = (60, 3)
            let helpers = try (0..<2).map { _ in try TestHelper() }
            let place = try Place.at(0, "race")
            for round in 0..<40 {
                try shell(
                    """
                    p=\(Self.root)/race
                    for level in $(seq \(levels)); do mkdir $p && (cd $p && : >1 && : >2 && : >3); p=$p/d; done
                    """)
                for (index, helper) in helpers.enumerated() {
                    let slice = Slice(entries: 1_000_000, index: UInt8(index), count: 2)
                    let request = Request.removeDirectory(place, .act(only: nil, slice))
                    try helper.send(
                        RequestPacket(id: UInt64(1000 + round), deadline: 20_000, request: request))
                }
                var total: UInt64 = 0
                for helper in helpers {
                    let answer = try #require(try helper.receive())
                    guard case (.done, .count(let count)) = (answer.outcome, answer.facts) else {
                        throw ProgramFailure(description: "\(answer.reply)")
                    }
                    total += count
                }
                guard case .count(let last) = try helpers[0].ask(.remove(place)).facts else {
                    throw ProgramFailure(description: "no count")
                }
                #expect(total + last == levels * (files + 1))
            }
        }

        /// Three make files as fast as they can: every answer is there within its deadline and its number of entries.
        @Test func growing() throws {
            try TestNode.shared()
            let path = "\(Self.root)/growing"
            try shell("mkdir \(path)")
            defer { clear(path) }
            let helper = try TestHelper()
            let place = try Place.at(0, "growing")
            let growers = try (0..<3).map { _ in try Programs.meddle("grow", path) }
            var removed: UInt64 = 0
            for _ in 0..<20 {
                let (seconds, answer) = try timed { try helper.ask(.remove(place, entries: 2000), milliseconds: 500) }
                #expect(seconds < 3, "\(answer.reply)")
                switch (answer.outcome, answer.facts) {
                case (.done, .count(let count)), (.inProgress, .count(let count)),
                    (.failed(Failure(errno: 39, call: .rmdir)), .count(let count)):
                    #expect(count <= 2001)
                    removed += count
                default: throw ProgramFailure(description: "\(answer.reply)")
                }
                try shell("mkdir -p \(path)")
            }
            #expect(removed > 2000)
            for grower in growers { grower.kill() }
            for grower in growers { _ = try grower.wait(seconds: 2) }
            #expect(try helper.ask(.remove(place)).outcome == .done)
            #expect(!Entry.exists(path))
        }

        /// A deadline is no end of the removal: the next request goes on.
        @Test func deadline() throws {
            try TestNode.shared()
            try shell("mkdir \(Self.root)/slow; cd \(Self.root)/slow; seq 60000 | xargs touch")
            let helper = try TestHelper()
            let (seconds, answer) = try timed { try helper.ask(.remove(.at(0, "slow")), milliseconds: 5) }
            #expect(answer.outcome == .inProgress, "\(answer.reply)")
            #expect(seconds < 0.5)
            #expect(try helper.ask(.remove(.at(0, "slow"))).outcome == .done)
        }

        /// Pages of a look: every name once, none twice, whatever the directory's size.
        @Test(arguments: Disk.allCases) func pages(_ disk: Disk) throws {
            try TestNode.shared()
            try shell(
                "mkdir \(disk.path)/pages; cd \(disk.path)/pages; seq -f 'a-name-of-some-length-%g' 2000 | xargs touch; mkdir sub; mkfifo fifo"
            )
            defer { clear("\(disk.path)/pages") }
            let helper = try TestHelper()
            var found: [[UInt8]: UInt8] = [:]
            var (cursor, total, requests) = (UInt64(0), 0, 0)
            repeat {
                let answer = try helper.ask(.lookAt(.at(disk.root, "pages"), cursor: cursor))
                guard case (.done, .directory(let facts)) = (answer.outcome, answer.facts) else {
                    throw ProgramFailure(description: "\(answer.reply)")
                }
                #expect(Entry.at("\(disk.path)/pages")?.inode == facts.identity.inode)
                for child in facts.children { found[child.name] = child.type }
                total += facts.children.count
                cursor = facts.next
                requests += 1
            } while cursor != 0 && requests < 100
            #expect(total == 2002 && found.count == 2002)
            #expect(found[Array("sub".utf8)] == 4 && found[Array("fifo".utf8)] == 1)
        }
    }
}
