import Foundation
import Testing

@testable import SandboxRegistry

@Suite("Several processes and threads")
struct ConcurrencyTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Each process makes the file if it is the first, and registers; all find each other's sandboxes.
    @Test func processesShareANewRegistry() async throws {
        await withTaskGroup { group in
            for process in 0..<4 {
                group.addTask {
                    await #expect(processExitsWith: .success) {
                        [path = directory.registry as String, process = process as Int] in
                        let registry = try Registry(path: path)
                        for number in 0..<25 {
                            let sandbox = Sandbox.sample("p\(process)n\(number)")
                            try registry.register(sandbox, [sandbox.infra, sandbox.workload("c\(sandbox.id)")])
                            if number % 5 == 0 {
                                try registry.markRemoving(sandbox.id)
                                try registry.forgetContainer("c\(sandbox.id)")
                                try registry.forgetSandbox(sandbox.id, report: .sample(sandbox.id))
                            }
                        }
                    }
                }
            }
        }
        let registry = try Registry(path: directory.registry)
        #expect(try registry.sandboxes().count == 80)
        #expect(try registry.levelsInUse().map(\.sandboxes) == [80])
        #expect(try registry.reports(limit: 100).count == 20)
        try registry.verify()
    }

    /// Everyone who opens a file that is only being made finds it whole.
    @Test func aNewFileIsMadeOnce() async throws {
        for round in 0..<30 {
            let path = directory.path + "/\(round).sqlite"
            try await withThrowingTaskGroup { group in
                for number in 0..<8 {
                    group.addTask { try Registry(path: path).register(.sample("s\(number)"), []) }
                }
                try await group.waitForAll()
            }
            #expect(try Registry(path: path).sandboxes().count == 8)
        }
    }

    /// Of several processes that want one name, one gets it.
    @Test func oneOfManyGetsAName() async throws {
        await withTaskGroup { group in
            for process in 0..<4 {
                group.addTask {
                    await #expect(processExitsWith: .success) {
                        [path = directory.registry as String, process = process as Int] in
                        let registry = try Registry(path: path)
                        for number in 0..<20 {
                            var sandbox = Sandbox.sample("p\(process)n\(number)")
                            sandbox.metadata = PodMetadata(name: "n\(number)", namespace: "d", uid: "u", attempt: 0)
                            do {
                                try registry.register(sandbox, [])
                                try registry.keepReport(.sample(sandbox.id, pod: "won"))
                            } catch RegistryError.nameHeld(.sandbox, name: _, let holder) {
                                #expect(holder.hasSuffix("n\(number)") && holder != sandbox.id)
                            }
                        }
                    }
                }
            }
        }
        let registry = try Registry(path: directory.registry)
        #expect(try registry.sandboxes().count == 20)
        let won = try registry.reports(limit: 100).map(\.sandboxID)
        #expect(Set(won) == Set(try registry.sandboxes().map(\.id)) && won.count == 20)
    }

    /// A container registered while the sandbox is marked is either in it before the mark or refused.
    @Test func registeringRacesWithTheMark() async throws {
        let path = directory.registry
        for round in 0..<20 {
            let sandbox = Sandbox.sample("s\(round)")
            let marking = try Registry(path: path)
            let registering = try Registry(path: path)
            try marking.register(sandbox, [])
            async let seen = Task.detached {
                try marking.markRemoving(sandbox.id)
                return try marking.containers(of: sandbox.id).map(\.id)
            }.value
            let accepted = try await Task.detached {
                var accepted: [String] = []
                for number in 0..<10 {
                    do {
                        try registering.register([sandbox.workload("c\(round)n\(number)")], into: sandbox.id)
                        accepted.append("c\(round)n\(number)")
                    } catch RegistryError.beingRemoved {
                        break
                    }
                }
                return accepted
            }.value
            #expect(try await seen == accepted, "what was accepted was there when the mark was set")
        }
    }

    @Test func oneRegistryServesManyTasks() async throws {
        let registry = try Registry(path: directory.registry)
        try await withThrowingTaskGroup { group in
            for number in 0..<50 {
                group.addTask {
                    try registry.register(.sample("s\(number)"), [])
                    _ = try registry.sandboxes()
                    try registry.markRemoving("s\(number)")
                    let report = StoredReport.sample("s\(number)", pod: "pod-\(number)_default_u_0")
                    try registry.forgetSandbox("s\(number)", report: report)
                }
            }
            try await group.waitForAll()
        }
        #expect(try registry.sandboxes().isEmpty)
        #expect(try registry.reports(limit: 100).count == 50)
    }
}
