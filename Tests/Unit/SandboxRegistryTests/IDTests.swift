import Foundation
import GRDB
import TestNode
import TestPods
import Testing

@testable import SandboxRegistry

@Suite("Ids and their beginnings")
struct IDTests {
    let directory: TemporaryDirectory
    let registry: Registry
    private static let whole = String(repeating: "0123456789abcdef", count: 4)

    init() throws {
        directory = try TemporaryDirectory()
        registry = try Registry(path: directory.registry)
    }

    private func meant(_ text: String, _ beginnings: Beginnings) throws -> String? {
        try registry.resolve(text, beginnings)?.id
    }

    @Test func onlyAWholeIDIsAnID() throws {
        let sandbox = Sandbox.sample("web-10")
        try registry.register(sandbox, [sandbox.workload("c12")])
        #expect(try registry.sandbox("web-10") == sandbox)
        #expect(try registry.container("c12")?.container.id == "c12")
        for text in ["web-1", "w", "web-100"] {
            #expect(try registry.sandbox(text) == nil)
            #expect(try meant(text, .forActing) == nil)
            #expect(try meant(text, .forLooking) == nil)
        }
        #expect(try registry.container("c1") == nil)
        #expect(try registry.resolve(container: "c1", .forActing) == nil)
        #expect(try meant("web-1", .any) == "web-10")
        #expect(try registry.sandboxIDs(beginning: "web-1") == ["web-10"])
    }

    @Test func twelveDigitsOfARuntimesIDStandForIt() throws {
        let sandbox = Sandbox.sample(Self.whole)
        try registry.register(sandbox, [sandbox.workload(Self.whole), sandbox.workload("x")])
        for count in 12...63 {
            #expect(try meant(String(Self.whole.prefix(count)), .forActing) == Self.whole)
            let text = String(Self.whole.prefix(count))
            #expect(try registry.resolve(container: text, .forActing)?.container.id == Self.whole)
        }
        #expect(try meant(Self.whole, .forActing) == Self.whole)
        for count in 1...11 {
            #expect(try meant(String(Self.whole.prefix(count)), .forActing) == nil)
            #expect(try meant(String(Self.whole.prefix(count)), .forLooking) == Self.whole)
        }
        for text in ["0123456789ABCDEF", "0123456789abcdeg", Self.whole + "0"] {
            #expect(try meant(text, .forActing) == nil, "\(text)")
            #expect(try meant(text, .forLooking) == nil, "\(text)")
        }
        try registry.register(.sample(String(Self.whole.prefix(63)) + "0"), [])
        let error = #expect(throws: RegistryError.self) { try meant(String(Self.whole.prefix(13)), .forActing) }
        guard case .ambiguous(_, let candidates) = error else {
            return #expect(Bool(false), "\(String(describing: error))")
        }
        #expect(candidates.count == 2)
    }

    /// A longer or an odd id beside it: then 12 digits do not say which.
    @Test(arguments: [whole + "0", "0123456789abcdef-1", "0123456789abcdefg"])
    func anotherIDThatBeginsSoIsInTheWay(_ other: String) throws {
        try registry.register(.sample(other), [])
        #expect(try meant("0123456789ab", .forActing) == nil, "no beginning of it is taken")
        try registry.register(.sample(Self.whole), [])
        #expect(throws: RegistryError.self) { try meant("0123456789ab", .forActing) }
        #expect(try meant(Self.whole, .forActing) == Self.whole)
        #expect(try meant(other, .forActing) == other)
    }

    /// However long ago, and in whichever process: from then on a short text of digits may be an id that was.
    @Test(arguments: ["0123456789ab", "a", "7", "ABCDEF", String(repeating: "f", count: 63)], [true, false])
    func aShortIDEndsItForEver(_ short: String, _ isOfASandbox: Bool) throws {
        try registry.register(.sample(Self.whole), [])
        #expect(try meant("0123456789abc", .forActing) == Self.whole)
        let sandbox = Sandbox.sample(isOfASandbox ? short : "other")
        try registry.register(sandbox, [])
        if !isOfASandbox {
            try registry.register([sandbox.workload(short)], into: sandbox.id)
            try registry.forgetContainer(short)
        }
        try registry.forgetSandbox(sandbox.id, report: .sample(sandbox.id))
        #expect(try registry.sandboxes().map(\.id) == [Self.whole])
        let again = try Registry(path: directory.registry)
        for text in ["0123456789ab", "0123456789abc", String(Self.whole.prefix(63))] {
            #expect(try again.resolve(text, .forActing) == nil)
            #expect(try again.resolve(text, .forLooking) == nil)
            #expect(try again.resolve(container: text, .forActing) == nil)
            #expect(try again.resolve(text, .any)?.id == Self.whole)
        }
        #expect(try again.resolve(Self.whole, .forActing)?.id == Self.whole)
    }

    /// What could not be registered leaves no mark.
    @Test func aRefusedRegistrationMarksNothing() throws {
        try registry.register(.sample(Self.whole), [])
        var sandbox = Sandbox.sample("abc")
        sandbox.directory = "/run/pods/\(Self.whole)"
        #expect(throws: RegistryError.self) { try registry.register(sandbox, []) }
        #expect(try meant("0123456789abc", .forActing) == Self.whole)
    }

    /// The podreap of version 1 kept no trace of a container that it had removed alone.
    @Test(arguments: [true, false]) func aRegistryOfVersionOneMayHaveHadShortIDs(_ wasUsed: Bool) throws {
        let path = directory.path + "/old.sqlite"
        let old = try DatabaseQueue(path: path)
        try old.write { database in
            try database.execute(sql: Schema.tables)
            try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = 1")
            if wasUsed {
                try database.execute(
                    sql: "INSERT INTO report VALUES (1, 'gone', 'pod', 0, 0, 'removed', x'7b7d')")
            }
        }
        try old.close()
        let registry = try Registry(path: path)
        try registry.register(.sample(Self.whole), [])
        try registry.verify()
        let found = try registry.resolve("0123456789abc", .forActing)
        #expect(found?.id == (wasUsed ? nil : Self.whole))
    }

    // MARK: Random histories

    @Test(arguments: 0..<60 as Range<UInt64>) func noActHitsAnother(_ seed: UInt64) throws {
        var random = Seeded(seed)
        // Root opens no registry where others may write, as in /dev/shm itself.
        let memory = "/dev/shm/registry-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: memory, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: memory) }
        let registry = try Registry(path: "\(memory)/registry.sqlite")
        let all = IDModel.ids(&random)
        // Half of the nodes never see a short id: there beginnings stand for ids to the end.
        let ids = seed % 2 == 0 ? all : all.filter { !IDModel.isShortHex($0) }
        var model = IDModel()
        for round in 0..<80 {
            let id = ids.randomElement(using: &random) ?? ""
            let text = Bool.random(using: &random) ? id : all.randomElement(using: &random) ?? ""
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4 where !model.sandboxes.contains(id):
                try registry.register(.sample(id), [])
                model.register(id)
            case 4..<6 where model.containers[id] == nil && !model.sandboxes.isEmpty:
                let sandbox = model.sandboxes.sorted().randomElement(using: &random) ?? ""
                try registry.register([Sandbox.sample(sandbox).workload(id)], into: sandbox)
                model.register(container: id, into: sandbox)
            case 6..<8:
                let meaning = meaning { try registry.resolve(container: text, .forActing)?.container.id }
                #expect(meaning == model.container(meantBy: text), "round \(round): \(text)")
                guard case .id(let found) = meaning else { continue }
                try registry.forgetContainer(found)
                model.remove(container: found)
            default:
                let meaning = meaning { try registry.resolve(text, .forActing)?.id }
                #expect(meaning == model.sandbox(meantBy: text), "round \(round): \(text)")
                guard case .id(let found) = meaning else { continue }
                for (container, sandbox) in model.containers where sandbox == found {
                    try registry.forgetContainer(container)
                }
                try registry.forgetSandbox(found, report: .sample(found))
                model.remove(found)
            }
            #expect(Set(try registry.sandboxes().map(\.id)) == model.sandboxes)
            let containers = try model.sandboxes.flatMap { try registry.containers(of: $0).map(\.id) }
            #expect(Set(containers) == Set(model.containers.keys))
        }
    }

    private func meaning(_ body: () throws -> String?) -> IDModel.Meaning {
        do { return try body().map { .id($0) } ?? .nothing } catch { return .ambiguous }
    }
}
